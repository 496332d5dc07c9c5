"""Metrics of whole assignments against scikit-learn; fast leave-one-out values against the slow ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, balanced_accuracy_score, normalized_mutual_info_score

from mmbench.metrics import METRICS, jackknifed
from mmbench.metrics.partitions import adjusted_rand, mean_per_class, nmi

SEEDS = st.integers(0, 2**32 - 1)
PAIRS = {
    "nmi": (nmi, normalized_mutual_info_score),
    "adjusted_rand": (adjusted_rand, adjusted_rand_score),
    "mean_per_class": (mean_per_class, balanced_accuracy_score),
}


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=20)
@given(seed=SEEDS)
def test_they_agree_with_scikit_learn(name: str, seed: int) -> None:
    ours, theirs = PAIRS[name]
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(40) % 4)
    predictions = rng.integers(0, rng.integers(1, 5), (3, 40))
    expected = [theirs(labels, p) for p in predictions]
    np.testing.assert_allclose(ours(predictions, labels), expected, atol=1e-9)
    outcomes = METRICS.get(name).outcome(predictions, labels)
    np.testing.assert_allclose(outcomes.mean(axis=1, dtype=np.float64), expected, atol=1e-6)


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=30)
@given(seed=SEEDS, size=st.integers(2, 20))
def test_fast_leave_one_out_is_the_slow_one(name: str, seed: int, size: int) -> None:
    """Single members of classes and clusters included, which leave with their class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, rng.integers(1, 6), size)
    predictions = rng.integers(0, rng.integers(1, 6), (2, size))
    fast, slow = METRICS.get(name).outcome, jackknifed(PAIRS[name][0])
    np.testing.assert_allclose(
        fast.leave_one_out(predictions, labels), slow.leave_one_out(predictions, labels), atol=1e-9
    )


@pytest.mark.parametrize("ours", [nmi, adjusted_rand])
@settings(max_examples=20)
@given(seed=SEEDS)
def test_cluster_names_do_not_matter(ours, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, clusters, names = rng.integers(0, 4, 30), rng.integers(0, 4, (1, 30)), rng.permutation(4)
    np.testing.assert_allclose(ours(names[clusters], labels), ours(clusters, labels), atol=1e-12)


@pytest.mark.parametrize("ours", [nmi, adjusted_rand])
def test_the_same_partition_scores_1_and_one_cluster_alone_0(ours) -> None:
    labels = np.arange(12) % 3
    assert ours(np.array([(labels + 1) % 3, np.zeros(12, int)]), labels).tolist() == [1.0, 0.0]
    assert ours(np.zeros((1, 5), int), np.zeros(5, int)).tolist() == [1.0]


def test_random_clusters_score_chance() -> None:
    rng = np.random.default_rng(0)
    labels, clusters = rng.integers(0, 5, 3000), rng.integers(0, 5, (20, 3000))
    for name, slack in (("adjusted_rand", 1e-3), ("mean_per_class", 0.01)):
        assert PAIRS[name][0](clusters, labels).mean() == pytest.approx(METRICS.get(name).chance(labels), abs=slack)


def test_pseudo_values_of_the_mean_per_class_are_stratified() -> None:
    """Classes of equal size: the mean of single examples, centred within their class."""
    labels = np.repeat([0, 1], 4)
    right = np.array([1, 1, 1, 0, 1, 0, 0, 0])
    found = METRICS.get("mean_per_class").outcome(np.where(right, labels, 1 - labels)[None], labels)
    within = right - np.repeat([0.75, 0.25], 4)
    np.testing.assert_allclose(found[0], 0.5 + 7 / 6 * within, atol=1e-6)


def test_fifty_thousand_rows_of_a_thousand_classes_are_quick() -> None:
    import time

    rng = np.random.default_rng(0)
    labels, clusters = rng.integers(0, 1000, 50_000), rng.integers(0, 1000, (1, 50_000))
    started = time.process_time()
    for name in PAIRS:
        METRICS.get(name).outcome(clusters, labels)
    assert time.process_time() - started < 5.0  # a fifth of that when nothing else runs
