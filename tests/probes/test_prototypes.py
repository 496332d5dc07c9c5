import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import norm, ortho_group

from mmbench.errors import NotEnoughShots
from mmbench.inputs.labelled import Labelled
from mmbench.probes.draws import draw_shots
from mmbench.probes.prototypes import PrototypeSettings, prototypes
from mmbench.training import tensors

PAPER, CODE = PrototypeSettings(shots=5), PrototypeSettings(shots=5).as_code()
SEEDS = st.integers(0, 2**32 - 1)


def slow_prototypes(arrays, setting, trials, seed):
    """The paper's sentence, one row at a time, in float64."""
    draws = draw_shots(arrays.train_y, setting.shots, trials, seed)
    predictions = np.empty((trials, len(arrays.test_x)), dtype=int)
    for trial in range(trials):
        means = []
        for drawn in draws[trial]:
            rows = [arrays.train_x[i].astype(float) for i in drawn]
            mean = sum(row / np.linalg.norm(row) for row in rows) / len(rows)
            means.append(mean / np.linalg.norm(mean) if setting.renormalise else mean)
        for i, row in enumerate(arrays.test_x):
            predictions[trial, i] = np.argmax([row @ mean for mean in means])
    return predictions


def test_agrees_with_the_slow_loop_for_all_shots_and_readings_at_once(gaussians):
    arrays = gaussians(classes=5, dim=12, train=100, test=70, spread=0.5)
    settings = [PrototypeSettings(k, r) for k in (1, 5, 10) for r in (True, False)]
    for setting, found in zip(settings, prototypes(arrays, settings, trials=4, seed=3), strict=True):
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, slow_prototypes(arrays, setting, 4, 3))


def test_the_readings_differ_where_spreads_differ():
    # class 0 is tight, class 1 broad: its mean of unit vectors is short, and D-03 penalises it
    rng = np.random.default_rng(0)
    tight = rng.normal([1, 0], 0.01, (50, 2))
    broad = rng.normal([0, 1], 1.0, (50, 2))
    arrays = Labelled(
        np.vstack([tight, broad]).astype(np.float32), np.repeat([0, 1], 50),
        np.array([[0.6, 0.8]], dtype=np.float32), np.array([1]), ("tight", "broad"),
    )  # fmt: skip
    settings = [PrototypeSettings(40, renormalise) for renormalise in (True, False)]
    paper, code = prototypes(arrays, settings, trials=1, seed=0)
    assert paper.item() == 1
    assert code.item() == 0


def test_one_shot_readings_coincide(gaussians):
    settings = [PrototypeSettings(1, True), PrototypeSettings(1, False)]
    paper, code = prototypes(gaussians(), settings, trials=5, seed=0)
    np.testing.assert_array_equal(paper, code)


def test_opposite_gaussians_reach_the_bayes_rate():
    rng = np.random.default_rng(0)
    mean = np.array([0.8, 0.6, 0.0, 0.0])

    def rows(count):
        y = np.arange(count) % 2
        return (rng.standard_normal((count, 4)) + np.where(y, 1, -1)[:, None] * mean).astype(np.float32), y

    (train_x, train_y), (test_x, test_y) = rows(4000), rows(20_000)
    found = prototypes(
        Labelled(train_x, train_y, test_x, test_y, ("a", "b")), [PrototypeSettings(1500)], trials=3, seed=0
    )[0]
    bayes = norm.cdf(1.0)
    assert (found == test_y).mean() == pytest.approx(bayes, abs=4 * (bayes * (1 - bayes) / 20_000) ** 0.5)


def flips(one, other):
    """Predictions that differ; a tie to the last digit may fall either way, two in one example will not."""
    return (one != other).sum()


@hypothesis_settings(max_examples=25)
@given(SEEDS, st.sampled_from([PAPER, CODE]), st.floats(1e-3, 1e3))
def test_rotation_and_scale_of_the_features_change_nothing(gaussians, seed, setting, scale):
    arrays = gaussians(seed=seed)
    turn = ortho_group.rvs(8, random_state=seed).astype(np.float32)
    moved = dataclasses.replace(arrays, train_x=scale * arrays.train_x @ turn, test_x=arrays.test_x @ turn)
    before, after = (prototypes(a, [setting], trials=3, seed=seed)[0] for a in (arrays, moved))
    assert flips(before, after) <= 1


@hypothesis_settings(max_examples=25)
@given(SEEDS, st.sampled_from([PAPER, CODE]))
def test_order_of_test_rows_changes_nothing(gaussians, seed, setting):
    arrays = gaussians(seed=seed)
    order = np.random.default_rng(seed).permutation(len(arrays.test_x))
    shuffled = dataclasses.replace(arrays, test_x=arrays.test_x[order], test_y=arrays.test_y[order])
    before, after = (prototypes(a, [setting], trials=3, seed=seed)[0] for a in (arrays, shuffled))
    assert flips(before[:, order], after) <= 1


@hypothesis_settings(max_examples=25)
@given(SEEDS, st.permutations(range(4)), st.sampled_from([PAPER, CODE]))
def test_renamed_classes_rename_the_predictions(gaussians, seed, names, setting):
    arrays, names = gaussians(seed=seed), np.array(names)
    renamed = dataclasses.replace(arrays, train_y=names[arrays.train_y], test_y=names[arrays.test_y])
    before, after = (prototypes(a, [setting], trials=3, seed=seed)[0] for a in (arrays, renamed))
    assert flips(names[before], after) <= 1


def test_blocks_do_not_change_the_answer(gaussians, monkeypatch):
    arrays = gaussians(train=200, test=50)
    whole = prototypes(arrays, [PAPER], trials=7, seed=0)[0]
    monkeypatch.setattr(tensors.blocks, "__defaults__", (97,))
    np.testing.assert_array_equal(prototypes(arrays, [PAPER], trials=7, seed=0)[0], whole)


def test_memory_does_not_grow_with_trials(gaussians, monkeypatch):
    # numpy's share (draws, gathered rows, predictions) by tracemalloc; a block bounds the rest
    arrays = gaussians(train=400, test=40, dim=256, classes=10)
    monkeypatch.setattr(tensors.blocks, "__defaults__", (2**17,))
    prototypes(arrays, [PAPER], trials=1, seed=0)

    def peak(trials):
        tracemalloc.start()
        prototypes(arrays, [PAPER], trials=trials, seed=0)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    answers = 8 * (len(arrays.test_x) + 10 * 5)  # bytes of predictions and draws a trial
    assert peak(210) - peak(10) < 200 * answers * 1.5 < 200 * 10 * 5 * 256 * 4 / 10


def test_fewer_rows_than_shots_name_the_class(gaussians):
    with pytest.raises(NotEnoughShots, match="class 'class 0' has 3 training rows and 5 shots"):
        prototypes(gaussians(train=12), [PAPER], trials=1, seed=0)
