"""The multiscale bootstrap: exact where borders are flat, better where they are bent, bounds that agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mmbench.stats.redrawn import SCALES, Redrawn

NOISE = np.random.default_rng(0).standard_normal((4000, 2))


def redrawn(function, at, noise=NOISE, strict=False):
    at = np.array(at, dtype=float)
    return Redrawn.of(float(function(at[None])[0]), function, at, noise, strict)


def first(means):
    return means[:, 0]


def jump(means):
    """One or minus one by a sign."""
    return np.sign(means[:, 0])


def corner(means):
    """Both must be positive: a bent border."""
    return means.min(axis=1)


@pytest.mark.parametrize("z", [-2.0, -1.0, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("function", [first, jump])
def test_a_flat_border_has_the_p_value_of_its_distance_however_the_margin_jumps(function, z):
    found = redrawn(function, (z, 5.0))
    assert found.p_above() == pytest.approx(norm.sf(z), abs=0.01)
    assert found.p_above() + found.p_below() == pytest.approx(1.0)


def test_far_from_the_border_p_is_small_and_never_zero():
    found = redrawn(first, (20.0, 0.0))
    assert 0 < found.p_above() < 0.001
    assert 0 < redrawn(first, (-20.0, 0.0)).p_below() < 0.001


def test_a_tie_is_on_the_claims_side_unless_it_is_strict():
    margins = np.zeros((len(SCALES), 100))
    assert Redrawn(0.0, margins).p_below() > 0.99
    assert Redrawn(0.0, margins, strict=True).p_above() > 0.99


def test_undefined_margins_are_left_out():
    margins = np.tile(np.r_[np.full(50, np.nan), np.linspace(-1, 1, 51)], (len(SCALES), 1))
    assert Redrawn(0.0, margins).p_above() == pytest.approx(Redrawn(0.0, margins[:, 50:]).p_above())


def test_at_a_corner_fewer_verdicts_are_false_than_at_one_scale():
    """Where both means are 0, the least of them is below 0 by noise: at one scale a fifth of all are refuted."""
    rng, runs = np.random.default_rng(1), 600
    draws = NOISE[:1000]
    scaled = one = 0
    for at in rng.standard_normal((runs, 2)):
        found = redrawn(corner, at, draws)
        scaled += found.p_below() <= 0.05
        one += (found.margins[2] >= 0).mean() <= 0.05
    assert one / runs > 0.15
    assert scaled / runs <= 0.10


@settings(max_examples=30)
@given(st.floats(-3, 3), st.floats(-3, 3), st.sampled_from([first, corner]))
def test_bounds_agree_with_p_values(x, y, function):
    found = redrawn(function, (x, y), NOISE[:500])
    for level in (0.01, 0.05):
        low, high = found.low(level), found.high(level)
        assert low <= found.value <= high
        if abs(found.p_above() - level) > 0.005 and abs(low) > 0.01:
            assert (low > 0) == (found.p_above() < level)
        if abs(found.p_below() - level) > 0.005 and abs(high) > 0.01:
            assert (high < 0) == (found.p_below() < level)


def test_bounds_of_a_mean_are_those_of_the_normal():
    found = redrawn(first, (1.0, 0.0))
    assert found.low(0.05) == pytest.approx(1.0 - 1.645, abs=0.1)
    assert found.high(0.05) == pytest.approx(1.0 + 1.645, abs=0.1)
