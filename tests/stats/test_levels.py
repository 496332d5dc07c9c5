"""A further random level: variances worked by hand, laws by Hypothesis, and intervals on seeds drawn from a pool."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench import stats
from mmbench.stats.levels import Level, parts, pooled


def exact(means, errors=None, levels=()) -> stats.Joint:
    """Independent means with known standard errors, and levels above them."""
    errors = np.ones(len(means)) if errors is None else errors
    known = stats.printed(means, errors, [math.inf] * len(means))
    return dataclasses.replace(known, levels=tuple(levels))


def test_the_variance_of_a_difference_is_the_sum_over_networks() -> None:
    """Cells 0 and 1 are one network's, cell 2 another's: w' S w of each is added, and no covariance between them."""
    total = np.array([[9.0, 4.0, 0.0], [4.0, 5.0, 0.0], [0.0, 0.0, 7.0]])
    sampling = np.diag([1.0, 1.0, 2.0])
    found = exact([3.0, 2.0, 1.0], levels=[Level(total, sampling, 6.0)]).contrasts([[0.5, 0.5, -1.0]])[0]
    of_total = (9 + 5 + 2 * 4) / 4 + 7
    of_sampling = 2 / 4 + 2
    assert found.levels == pytest.approx(of_total - of_sampling)
    assert found.se**2 == pytest.approx(0.5 + 1.0 + of_total - of_sampling)
    # the cells' own errors are known exactly, so Satterthwaite's sum is that of the level alone
    assert found.df == pytest.approx(found.se**4 / (of_total**2 / 6.0))


def test_what_the_crossed_components_hold_already_is_not_added_twice() -> None:
    level = Level(np.eye(2), np.eye(2) * 3.0, 6.0)
    found = exact([1.0, 0.0], levels=[level]).contrasts([[1.0, -1.0]])[0]
    assert (found.levels, found.se**2) == (0.0, pytest.approx(2.0))
    assert found.df < math.inf  # a small variance between six replicates may be chance


def test_pooled_is_the_covariance_of_the_replicates() -> None:
    """Two recipes of three networks: within each the covariance by numpy, pooled with equal weights."""
    scores = np.random.default_rng(1).normal(size=(2, 3, 4))
    deviations = (scores - scores.mean(axis=1, keepdims=True)).reshape(6, 4)
    by_hand = (np.cov(scores[0], rowvar=False) + np.cov(scores[1], rowvar=False)) / 2
    assert pooled(deviations, 4.0) == pytest.approx(by_hand)


def test_noise_has_the_covariance_that_is_stated() -> None:
    total = np.array([[4.0, 3.0], [3.0, 4.0]])
    joint = exact([0.0, 0.0], [0.0, 0.0], [Level(total, np.zeros((2, 2)), math.inf)])
    noise = joint.noise(40_000, np.random.default_rng(0))
    assert np.cov(noise, rowvar=False) == pytest.approx(joint.covariance, abs=0.15)
    assert joint.covariance == pytest.approx(total)


@st.composite
def levels(draw):
    size = draw(st.integers(1, 5))
    numbers = st.lists(st.floats(-3, 3), min_size=size, max_size=size)
    deviations = np.array(draw(st.lists(numbers, min_size=2, max_size=6)))
    sampling = np.diag(np.abs(draw(numbers)))
    weights = np.array([draw(numbers)])
    return Level(pooled(deviations, float(len(deviations))), sampling, float(len(deviations))), weights


@given(levels())
def test_a_level_never_narrows_and_never_goes_below_zero(drawn) -> None:
    level, weights = drawn
    means = np.zeros(weights.shape[1])
    without = exact(means).contrasts(weights)[0]
    within = exact(means, levels=[level]).contrasts(weights)[0]
    assert within.se >= without.se - 1e-12
    added, over = parts([level], weights)
    assert added[0] >= 0
    assert over[0] >= 0
    values = np.linalg.eigvalsh(level.covariance)
    assert values.min() >= -1e-9
    assert float(weights[0] @ level.covariance @ weights[0]) >= added[0] - 1e-9  # redraws are never too narrow


@given(levels(), st.floats(0.1, 10))
def test_a_contrast_in_other_units_has_its_variance_in_their_square(drawn, factor) -> None:
    level, weights = drawn
    once, scaled = level.excess(weights)[0], level.excess(weights * factor)[0]
    assert scaled == pytest.approx(once * factor**2, rel=1e-9, abs=1e-9)


def test_needed_says_how_many_networks_would_settle_it() -> None:
    level = Level(np.array([[4.0]]), np.zeros((1, 1)), 6.0)
    estimate = exact([2.0], [0.1], [level]).contrasts([[1.0]])[0]
    assert estimate.p_above() > 0.05
    need = stats.needed(estimate)
    assert need.trials is None  # the examples' error is not what keeps it open
    assert need.units is not None
    settled = exact([2.0], [0.1], [Level(level.total / need.units, level.sampling, 6.0 * need.units)]).contrasts(
        [[1.0]]
    )
    assert settled[0].p_above() == pytest.approx(0.05, abs=0.002)


def test_intervals_cover_fresh_networks_drawn_from_a_skewed_pool() -> None:
    """Networks resampled from a large pool that the estimator does not assume: skewed, of unequal spread by cell.

    Six degrees of freedom from three recipes of three networks; a fourth recipe's network is judged against its mean.
    """
    rng = np.random.default_rng(7)
    cells, runs = 12, 300
    pool = rng.gamma(4.0, 1.0, (5000, cells)) + rng.gamma(4.0, 1.0, (5000, 1))
    pool = (pool - pool.mean(axis=0)) * rng.uniform(0.5, 4.0, cells)
    noise, covered, narrow = 0.7, 0, 0
    for _ in range(runs):
        seen = pool[rng.choice(len(pool), (3, 3))] + rng.normal(0, noise, (3, 3, cells))
        deviations = (seen - seen.mean(axis=1, keepdims=True)).reshape(9, cells)
        level = Level(pooled(deviations, 6.0), noise**2 * np.eye(cells), 6.0)
        fresh = pool[rng.choice(len(pool))] + rng.normal(0, noise, cells)
        for joint in (exact(fresh, np.full(cells, noise), [level]), exact(fresh, np.full(cells, noise))):
            contrasts = joint.contrasts(np.eye(cells))
            inside = sum(low <= 0 <= high for low, high in (contrasts[i].interval() for i in range(cells)))
            covered, narrow = (covered + inside, narrow) if joint.levels else (covered, narrow + inside)
    assert 0.93 <= covered / (runs * cells) <= 0.985
    assert narrow / (runs * cells) < 0.6  # without the level
