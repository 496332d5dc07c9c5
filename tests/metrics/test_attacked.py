"""Metrics of attacks: against scipy and a jackknife by hand, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmbench.errors import BadScores
from mmbench.metrics import METRICS
from mmbench.metrics.attacked import success_by_distance

METRIC = METRICS.get("success_by_distance")


def drawn(seed, n=20, trials=2):
    rng = np.random.default_rng(seed)
    distance = rng.uniform(0.2, 1.0, n)
    return (rng.random((trials, 3, n)) < 1.1 - distance).mean(axis=1), distance


@given(st.integers(0, 9999))
@settings(max_examples=30, deadline=None)
def test_it_is_scipys_correlation_and_its_jackknife_by_hand(seed):
    success, distance = drawn(seed)
    value = success_by_distance(success, distance)
    np.testing.assert_allclose(value, [stats.pearsonr(row, distance).statistic for row in success], atol=1e-12)
    n = len(distance)
    without = np.array(
        [[stats.pearsonr(np.delete(row, i), np.delete(distance, i)).statistic for i in range(n)] for row in success]
    )
    expected = value[:, None] + (n - 1) * (without.mean(axis=1, keepdims=True) - without)
    np.testing.assert_allclose(METRIC.outcome(success, distance), expected, atol=1e-4)


def test_success_that_does_not_vary_is_refused():
    with pytest.raises(BadScores, match="predictions that vary"):
        METRIC.outcome(np.ones((1, 8)), np.arange(8.0))


def test_targeted_success_counts_the_target_alone():
    outcome = METRICS.get("targeted_success").outcome
    np.testing.assert_array_equal(outcome(np.array([[0, 1, 2, 1]]), np.array([0, 2, 2, 1])), [[1, 0, 1, 1]])
    assert not METRICS.get("targeted_success").higher_is_better


def test_losses_are_cut_at_a_hundred_nats():
    found = METRICS.get("attack_loss").outcome(np.array([[0.5, 1e6, 2.0]]), np.zeros(3))
    np.testing.assert_allclose(found, [[0.5, 100, 2.0]], rtol=1e-6)  # a mean's pseudo-values are the values
    np.testing.assert_array_equal(METRICS.get("no_gradient").outcome(np.array([[0.0, 1.0]]), np.zeros(2)), [[0, 1]])
