import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, balanced_accuracy_score, f1_score, normalized_mutual_info_score

from mmbench.errors import UnknownName
from mmbench.metrics import METRICS, SET_METRICS, adjusted_rand, f1_samples, mean_per_class, nmi

SEEDS = st.integers(0, 2**32 - 1)
PAIRS = {
    "nmi": (nmi, normalized_mutual_info_score),
    "adjusted_rand": (adjusted_rand, adjusted_rand_score),
    "mean_per_class": (mean_per_class, balanced_accuracy_score),
}


def test_accuracy_keeps_each_example():
    outcomes = METRICS.get("accuracy").outcome(np.array([[0, 1, 2], [0, 0, 0]]), np.array([0, 1, 1]))
    assert outcomes.tolist() == [[1, 1, 0], [1, 0, 0]]
    assert outcomes.dtype == np.float32


@settings(max_examples=15)
@given(SEEDS)
def test_f1_agrees_with_scikit_learn_empty_rows_included(seed):
    rng = np.random.default_rng(seed)
    labels, predictions = rng.random((30, 5)) < 0.3, rng.random((3, 30, 5)) < 0.3
    for trial, outcomes in zip(predictions, f1_samples(predictions, labels), strict=True):
        # one F1 a column of the transposed table is one F1 an example, and their mean the average over samples
        np.testing.assert_allclose(outcomes, f1_score(labels.T, trial.T, average=None, zero_division=0), atol=1e-6)
        assert outcomes.mean() == pytest.approx(f1_score(labels, trial, average="samples", zero_division=0), abs=1e-6)


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=20)
@given(seed=SEEDS)
def test_set_metrics_agree_with_scikit_learn(name, seed):
    ours, theirs = PAIRS[name]
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(40) % 4)
    predictions = rng.integers(0, rng.integers(1, 5), (3, 40))
    expected = [theirs(labels, p) for p in predictions]
    np.testing.assert_allclose(ours(predictions, labels), expected, atol=1e-9)


@pytest.mark.parametrize("ours", [nmi, adjusted_rand])
@settings(max_examples=20)
@given(seed=SEEDS)
def test_cluster_names_do_not_matter(ours, seed):
    rng = np.random.default_rng(seed)
    labels, clusters, names = rng.integers(0, 4, 30), rng.integers(0, 4, (1, 30)), rng.permutation(4)
    np.testing.assert_allclose(ours(names[clusters], labels), ours(clusters, labels), atol=1e-12)


@pytest.mark.parametrize("ours", [nmi, adjusted_rand])
def test_the_same_partition_scores_1_and_one_cluster_alone_0(ours):
    labels = np.arange(12) % 3
    assert ours(np.array([(labels + 1) % 3, np.zeros(12, int)]), labels).tolist() == [1.0, 0.0]
    assert ours(np.zeros((1, 5), int), np.zeros(5, int)).tolist() == [1.0]


def test_random_clusters_score_chance():
    rng = np.random.default_rng(0)
    labels, clusters = rng.integers(0, 5, 3000), rng.integers(0, 5, (20, 3000))
    assert adjusted_rand(clusters, labels).mean() == pytest.approx(SET_METRICS.get("adjusted_rand").chance(5), abs=1e-3)
    assert mean_per_class(clusters, labels).mean() == pytest.approx(
        SET_METRICS.get("mean_per_class").chance(5), abs=0.01
    )


def test_chance_is_the_best_constant_answer():
    assert METRICS.get("accuracy").chance(np.array([0, 0, 0, 1, 2])) == pytest.approx(0.6)
    labels = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0]], dtype=bool)
    constants = [[bool(mask >> i & 1) for i in range(3)] for mask in range(1, 8)]
    best = max(f1_samples(np.broadcast_to(c, (1, 4, 3)), labels).mean() for c in constants)
    assert METRICS.get("f1_samples").chance(labels) == pytest.approx(best)


def test_each_knows_its_unit_and_direction():
    units = {metric.name: (metric.scale, metric.unit) for metric in [*METRICS, *SET_METRICS]}
    assert units == {
        "accuracy": (100.0, "%"), "f1_samples": (1.0, ""), "mean_per_class": (100.0, "%"),
        "nmi": (1.0, ""), "adjusted_rand": (1.0, ""),
    }  # fmt: skip
    assert all(metric.higher_is_better for metric in [*METRICS, *SET_METRICS])


def test_an_unknown_metric_is_named():
    with pytest.raises(UnknownName, match=r"no metric named 'acuracy'\. Did you mean 'accuracy'"):
        METRICS.get("acuracy")
