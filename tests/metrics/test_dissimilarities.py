"""Correlations of dissimilarity matrices against scipy; fast leave-one-out values against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from mmbench.errors import BadScores
from mmbench.metrics import METRICS

REFERENCE = {"rdm_pearson": scipy_stats.pearsonr, "rdm_spearman": scipy_stats.spearmanr}
SEEDS = st.integers(0, 2**32 - 1)


def matrices(seed: int, classes: int, trials: int = 2, decimals: int = 9) -> np.ndarray:
    drawn = np.random.default_rng(seed).random((trials, 2, classes, classes)).round(decimals)
    return drawn + drawn.swapaxes(2, 3)


def correlation(name: str, pair: np.ndarray) -> float:
    upper = np.triu_indices(pair.shape[-1], 1)
    return REFERENCE[name](pair[0][upper], pair[1][upper]).statistic


@pytest.mark.parametrize("name", REFERENCE)
@settings(max_examples=20)
@given(seed=SEEDS, classes=st.integers(6, 9), decimals=st.sampled_from([1, 9]))
def test_they_agree_with_scipy_ties_included(name: str, seed: int, classes: int, decimals: int) -> None:
    drawn = matrices(seed, classes, decimals=decimals)
    found = METRICS.get(name).outcome
    expected = [correlation(name, pair) for pair in drawn]
    np.testing.assert_allclose(found.statistic(drawn, None), expected, atol=1e-9)
    np.testing.assert_allclose(found(drawn, None).mean(axis=1, dtype=np.float64), expected, atol=1e-6)


@pytest.mark.parametrize("name", REFERENCE)
@settings(max_examples=20)
@given(seed=SEEDS, classes=st.integers(4, 9))
def test_leaving_a_class_out_takes_its_row_and_its_column(name: str, seed: int, classes: int) -> None:
    drawn = matrices(seed, classes)
    found = METRICS.get(name).outcome.leave_one_out(drawn, None)
    for trial, pair in enumerate(drawn):
        for k in range(classes):
            smaller = np.delete(np.delete(pair, k, axis=1), k, axis=2)
            assert found[trial, k] == pytest.approx(correlation(name, smaller), abs=1e-9)


@pytest.mark.parametrize("name", REFERENCE)
def test_the_diagonal_and_the_lower_triangle_are_not_read(name: str) -> None:
    drawn = matrices(0, 6)
    other = drawn.copy()
    other[..., *np.tril_indices(6)] = 99.0
    outcome = METRICS.get(name).outcome
    assert np.array_equal(outcome(drawn, None), outcome(other, None))


@pytest.mark.parametrize("name", REFERENCE)
def test_a_matrix_agrees_with_itself_without_any_spread(name: str) -> None:
    drawn = matrices(1, 6)
    drawn[:, 1] = drawn[:, 0] * 2 + 1
    np.testing.assert_allclose(METRICS.get(name).outcome(drawn, None), 1.0, atol=1e-6)


def test_the_spread_is_between_the_jackknife_s_and_half_of_its_variance() -> None:
    """Where single pairs vary alone, the jackknife's variance is twice the true one; half of the excess is taken."""
    drawn = matrices(2, 40, trials=20)  # independent entries: no class effect at all
    outcome = METRICS.get("rdm_pearson").outcome
    value, without = outcome.statistic(drawn, None), outcome.leave_one_out(drawn, None)
    plain = value[:, None] + 39 * (without.mean(axis=1, keepdims=True) - without)
    share = outcome(drawn, None).var(axis=1) / plain.var(axis=1)
    assert share.mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("name", REFERENCE)
def test_what_is_no_pair_of_matrices_is_refused(name: str) -> None:
    outcome = METRICS.get(name).outcome
    with pytest.raises(BadScores, match=r"expected two dissimilarity matrices.*found shape \(2, 3, 5, 5\)"):
        outcome(np.zeros((2, 3, 5, 5)), None)
    with pytest.raises(BadScores, match="needs at least 4 classes, found 3"):
        outcome(matrices(0, 3), None)
    flat = matrices(0, 5)
    flat[:, 1] = 1.0
    with pytest.raises(BadScores, match=f"{name} is not finite on all examples"):
        outcome(flat, None)


def test_a_thousand_classes_are_quick() -> None:
    import time

    drawn = matrices(0, 1000, trials=1)
    started = time.process_time()
    METRICS.get("rdm_pearson").outcome(drawn, None)
    assert time.process_time() - started < 3.0  # a tenth of that when nothing else runs
