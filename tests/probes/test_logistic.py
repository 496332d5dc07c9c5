import dataclasses
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from mmbench.errors import BadDataset, MissingExtra, NotEnoughShots
from mmbench.inputs.labelled import Labelled
from mmbench.probes.logistic import (
    LogisticSettings,
    _splits,
    binary_search,
    choose_strength,
    logistic,
    predict,
    refit,
    regression,
)


def sklearn_predictions(train, test_x, strength):
    """Labels by scikit-learn's solver of another kind, to a tighter tolerance."""
    model = LogisticRegression(C=strength, solver="newton-cg", tol=1e-8, max_iter=5000)
    return model.fit(train[0].astype(float), train[1]).predict(test_x.astype(float))


@pytest.mark.parametrize("strength", [1e-3, 0.316, 10.0])
@pytest.mark.parametrize("shape", [(3, 150, 8), (2, 150, 8), (4, 40, 60)], ids=["wide", "two_classes", "few_rows"])
def test_predictions_are_those_of_another_solver(gaussians, strength, shape):
    classes, rows, dim = shape
    arrays = gaussians(classes=classes, train=rows, dim=dim, test=200)
    found = logistic(arrays, [LogisticSettings(strengths=(strength,))], trials=1, seed=0)[0][0]
    np.testing.assert_array_equal(found, sklearn_predictions((arrays.train_x, arrays.train_y), arrays.test_x, strength))


def test_a_start_does_not_move_the_optimum(gaussians):
    arrays = gaussians(train=200)
    train, setting = (arrays.train_x, arrays.train_y), LogisticSettings()
    cold = regression(setting, train, 1.0, arrays.class_names)
    warm = refit(regression(setting, train, 1e-3, arrays.class_names), train, 1.0)
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=5e-3)
    assert refit(warm, train, 1.0).n_iter_ == [0], "a fit starts from the one before"


def test_the_limit_of_iterations_ends_a_fit_without_a_warning(gaussians):
    arrays = gaussians(train=200, spread=0.1)
    train = (arrays.train_x, arrays.train_y)
    assert regression(LogisticSettings(max_iter=3), train, 1e6, arrays.class_names).n_iter_ == [3]


def test_training_rows_of_one_class_are_refused(gaussians):
    arrays = dataclasses.replace(gaussians(train=20), train_y=np.full(20, 2))
    with pytest.raises(BadDataset) as caught:
        logistic(arrays, [LogisticSettings(strengths=(1.0,))], trials=1, seed=0)
    assert str(caught.value) == (
        "logistic regression needs training rows of two classes or more, found only 'class 2'; "
        "give the training split rows of every class"
    )


def test_without_scikit_learn_the_extra_is_named(gaussians, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(MissingExtra, match=r"logistic needs scikit-learn; .*pip install 'mmbench\[sklearn\]'"):
        logistic(gaussians(), [LogisticSettings()], trials=1, seed=0)


def test_code_reading_is_scikit_learn_at_its_fixed_strength(gaussians):
    arrays = gaussians(train=150, test=300, spread=0.5)
    found = logistic(arrays, [LogisticSettings().as_code()], trials=1, seed=0)[0][0]
    model = LogisticRegression(C=0.316, max_iter=1000).fit(arrays.train_x, arrays.train_y)
    np.testing.assert_array_equal(found, model.predict(arrays.test_x))


@given(st.floats(-6, 6))
def test_search_finds_the_peak_to_an_eighth_of_a_decade(peak):
    tried = []

    def score(point):
        tried.append(point)
        return -abs(point - peak)

    found = binary_search(score, [-6, -4, -2, 0, 2, 4, 6], 1 / 8)
    assert abs(found - peak) <= 1 / 16 + 1e-9
    assert len(tried) <= 7 + 2 * 4
    assert len(set(tried)) == len(tried)
    assert all(-6 <= point <= 6 for point in tried)


def test_search_takes_the_smallest_strength_on_a_tie():
    assert binary_search(lambda point: 1.0, [-2, 0, 2], 1 / 8) == -2


@pytest.mark.parametrize("spread", [0.05, 0.4])
def test_no_listed_strength_does_better_on_the_validation_rows(gaussians, spread):
    arrays = gaussians(classes=2, dim=100, train=100, spread=spread)
    train, valid, setting = (arrays.train_x, arrays.train_y), (arrays.test_x, arrays.test_y), LogisticSettings()
    chosen = choose_strength(train, valid, arrays.class_names, setting)
    assert min(setting.strengths) <= chosen <= max(setting.strengths)

    def accuracy(strength):
        return (predict(regression(setting, train, strength, arrays.class_names), valid[0]) == valid[1]).mean()

    # fits of the sweep start warm, so a row at the boundary may fall on the other side
    assert accuracy(chosen) >= max(accuracy(c) for c in setting.strengths) - 1 / len(valid[1])


def test_swept_probe_is_refitted_on_training_and_validation_rows(gaussians):
    arrays = gaussians(train=60, spread=0.4, test=400)
    own = dataclasses.replace(arrays, valid_x=arrays.test_x[:100], valid_y=arrays.test_y[:100])
    setting = LogisticSettings(strengths=(1e-3, 1e-1, 10.0))
    strength = choose_strength((own.train_x, own.train_y), (own.valid_x, own.valid_y), own.class_names, setting)
    x, y = np.vstack([own.train_x, own.valid_x]), np.concatenate([own.train_y, own.valid_y])
    expected = predict(regression(setting, (x, y), strength, own.class_names), own.test_x)
    np.testing.assert_array_equal(logistic(own, [setting], trials=1, seed=0)[0][0], expected)


def test_every_trial_has_a_validation_cut_of_its_own(gaussians):
    arrays = gaussians(train=100)
    splits = _splits(arrays, LogisticSettings(strengths=(0.1, 1.0)), 5, 0)
    assert len({valid[0].tobytes() for _, valid in splits}) == 5


def test_few_shot_sees_only_the_drawn_rows(gaussians):
    arrays = gaussians(spread=2.0, noise=0.3, train=200)
    one, eight = logistic(arrays, [LogisticSettings(shots=1), LogisticSettings(shots=8)], trials=3, seed=0)
    assert (one == arrays.test_y).mean() > 0.9
    assert (eight == arrays.test_y).mean() > 0.9
    draws_differ = gaussians(spread=0.3, train=200)
    found = logistic(draws_differ, [LogisticSettings(shots=1)], trials=3, seed=0)[0]
    assert (found[0] != found[1]).any()


def test_fewer_rows_than_shots_name_the_class(gaussians):
    with pytest.raises(NotEnoughShots, match="class 'class 0' has 3 training rows and 5 shots"):
        logistic(gaussians(train=12), [LogisticSettings(shots=5)], trials=1, seed=0)


def test_opposite_gaussians_reach_the_bayes_rate():
    rng = np.random.default_rng(0)
    y = np.arange(24_000) % 2
    x = (rng.standard_normal((24_000, 3)) + np.where(y, 1, -1)[:, None] * [0.48, 0.64, 0.6]).astype(np.float32)
    arrays = Labelled(x[:4000], y[:4000], x[4000:], y[4000:], ("a", "b"))
    found = logistic(arrays, [LogisticSettings()], trials=1, seed=0)[0]
    assert (found == arrays.test_y).mean() == pytest.approx(norm.cdf(1.0), abs=0.012)


@pytest.mark.parametrize(("columns", "threads"), [(4, {1}), (64_000, None)])
def test_a_small_problem_takes_one_thread_of_blas(monkeypatch, columns, threads):
    """Thousands of small products on several threads of a busy machine take many times as long."""
    from threadpoolctl import threadpool_info, threadpool_limits

    from mmbench.probes import logistic as module

    seen = []

    def noted(arrays, *_):
        seen.append({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
        return np.zeros((1, len(arrays.test_x)), np.int64)

    monkeypatch.setattr(module, "_predictions", noted)
    rows = np.zeros((400, columns), np.float32)
    arrays = Labelled(rows, np.arange(400) % 2, rows[:3], np.array([0, 1, 0]), ("a", "b"))
    with threadpool_limits(2, user_api="blas"):
        before = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        module.logistic(arrays, [module.LogisticSettings()], trials=1, seed=0)
        assert before == {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert seen == [threads or before]
