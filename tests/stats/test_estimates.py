"""Estimates of single bounded statistics: Fisher's transformation, one at a time and many at once."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from mmbench.stats import Estimate


def correlation(r: float, pairs: int, threshold: float = 0.0) -> Estimate:
    """``r - threshold`` with Fisher's own standard error, ``(1 - r^2) / sqrt(pairs - 3)``, known exactly."""
    se = (1 - r * r) / math.sqrt(pairs - 3)
    return Estimate(r - threshold, se, math.inf, least=-1 - threshold, most=1 - threshold)


@given(st.floats(-0.95, 0.95), st.integers(10, 100))
def test_the_interval_of_a_correlation_is_fisher_s(r: float, pairs: int) -> None:
    half = scipy_stats.norm.ppf(0.975) / math.sqrt(pairs - 3)
    expected = np.tanh(np.arctanh(r) + np.array([-half, half]))
    assert correlation(r, pairs).interval() == pytest.approx(tuple(expected), abs=1e-4)


def test_scipy_s_interval_of_pearson_s_r() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    found = scipy_stats.pearsonr(x, x + y)
    expected = found.confidence_interval()
    assert correlation(found.statistic, 30).interval() == pytest.approx((expected.low, expected.high), abs=1e-4)


@given(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), st.floats(0.001, 0.45))
def test_bounds_and_p_values_agree(r: float, threshold: float, level: float) -> None:
    found = correlation(r, 20, threshold)
    if abs(found.bound(level)) > 1e-6:
        assert (found.bound(level) > 0) is (found.p_above() < level)
    assert found.p_above() + found.p_below() == pytest.approx(1.0)


@given(st.floats(0.01, 0.99), st.floats(0.001, 1.0), st.floats(2, 50))
def test_bounds_stay_inside_the_range(value: float, se: float, df: float) -> None:
    low, high = Estimate(value, se, df, least=0.0, most=1.0).interval()
    assert 0.0 <= low < value < high <= 1.0


def test_mirrored_values_have_mirrored_bounds() -> None:
    one, other = Estimate(0.8, 0.1, 9.0, least=0.0, most=1.0), Estimate(-0.8, 0.1, 9.0, least=-1.0, most=0.0)
    assert one.bound(0.05) == pytest.approx(-other.bound(0.95))
    assert one.p_above() == pytest.approx(other.p_below())


def test_a_threshold_that_the_range_excludes_is_decided() -> None:
    assert Estimate(0.3, 0.1, 9.0, least=0.1, most=0.6).p_above() == 0.0
    assert Estimate(-0.3, 0.1, 9.0, least=-0.6, most=-0.1).p_above() == 1.0


def test_a_value_at_the_end_of_its_range_says_little() -> None:
    at_one = Estimate(1.0, 0.01, 9.0, least=0.0, most=1.0)
    assert at_one.interval() == pytest.approx((0.0, 1.0), abs=1e-6)


def test_an_unknown_spread_is_unknown_in_a_range_too() -> None:
    unknown = Estimate(0.5, math.inf, 1.0, least=0.0, most=1.0)
    assert (unknown.p_above(), unknown.p_below()) == (1.0, 1.0)
    assert unknown.interval() == (-math.inf, math.inf)


def test_without_a_range_it_is_student_s_t() -> None:
    plain = Estimate(0.5, 0.2, 7.0)
    assert plain.p_above() == pytest.approx(scipy_stats.t.sf(2.5, 7))
    assert plain.interval() == pytest.approx(tuple(0.5 + 0.2 * scipy_stats.t.ppf([0.025, 0.975], 7)))
