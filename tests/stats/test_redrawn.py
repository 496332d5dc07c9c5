"""The multiscale bootstrap: exact where borders are flat, paid for where they have many parts, bounds that agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mmbench.stats.redrawn import SCALES, Redrawn

NOISE = np.random.default_rng(0).standard_normal((4000, 2))


def redrawn(function, at, noise=NOISE, **more):
    at = np.array(at, dtype=float)
    seen = function(at[None])[0]
    return Redrawn.of(float(seen.max() if more.get("largest") else seen.min()), function, at, noise, **more)


def first(means):
    return means[:, [0]]


def jump(means):
    """One or minus one by a sign."""
    return np.sign(means[:, [0]])


def each(means):
    """All must be positive."""
    return means


def jumps(means):
    return np.sign(means)


@pytest.mark.parametrize("z", [-2.0, -1.0, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("function", [first, jump])
def test_a_flat_border_has_the_p_value_of_its_distance_however_the_margin_jumps(function, z):
    found = redrawn(function, (z, 5.0))
    assert found.p_above() == pytest.approx(norm.sf(z), abs=0.01)
    assert found.p_above() + found.p_below() == pytest.approx(1.0)


def test_far_from_the_border_p_is_small_and_never_zero():
    assert 0 < redrawn(first, (20.0, 0.0)).p_above() < 1e-5
    assert 0 < redrawn(first, (-20.0, 0.0)).p_below() < 1e-5
    assert 0.3 < redrawn(first, (-3.5, 0.0)).p_below() / norm.cdf(-3.5) < 3


def test_a_tie_is_on_the_claims_side_unless_it_is_strict():
    margins = np.zeros((len(SCALES), 100, 1))
    assert Redrawn(0.0, margins).p_below() > 0.99
    assert Redrawn(0.0, margins, strict=True).p_above() > 0.99


@pytest.mark.parametrize("function", [each, jumps])
@pytest.mark.parametrize("parts", [1, 2, 11])
def test_few_verdicts_are_false_at_a_border_of_many_parts(function, parts):
    """Where all means are 0, the smallest of eleven is far below 0 by noise alone, and one part may decide."""
    rng, runs = np.random.default_rng(parts), 400
    noise = rng.standard_normal((800, parts))
    found = [redrawn(function, at, noise) for at in rng.standard_normal((runs, parts))]
    most = 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / runs)
    assert np.mean([one.p_below() <= 0.05 for one in found]) <= most
    assert np.mean([one.p_above() <= 0.05 for one in found]) <= most
    turned = [redrawn(lambda x: -function(x), at, noise, largest=True) for at in rng.standard_normal((runs, parts))]
    assert np.mean([one.p_above() <= 0.05 for one in turned]) <= most


def test_the_largest_is_the_smallest_turned_round():
    one, other = redrawn(each, (1.0, 0.5)), redrawn(lambda means: -means, (1.0, 0.5), largest=True)
    assert one.p_above() == pytest.approx(other.p_below(), abs=0.01)
    assert one.p_below() == pytest.approx(other.p_above(), abs=0.02)
    assert one.value == -other.value


@settings(max_examples=30)
@given(st.floats(-3, 3), st.floats(-3, 3), st.sampled_from([first, each]))
def test_bounds_agree_with_p_values(x, y, function):
    found = redrawn(function, (x, y), NOISE[:500])
    for level in (0.01, 0.05):
        low, high = found.low(level), found.high(level)
        assert low <= found.value <= high
        if abs(found.p_above() - level) > 0.01 and abs(low) > 0.05:
            assert (low > 0) == (found.p_above() < level)
        if abs(found.p_below() - level) > 0.01 and abs(high) > 0.05:
            assert (high < 0) == (found.p_below() < level)


def test_bounds_of_a_mean_are_those_of_the_normal():
    found = redrawn(first, (1.0, 0.0))
    assert found.low(0.05) == pytest.approx(1.0 - 1.645, abs=0.1)
    assert found.high(0.05) == pytest.approx(1.0 + 1.645, abs=0.1)
