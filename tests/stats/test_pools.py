"""Draws from one training pool: algebra on means of drawn numbers, and coverage over fresh pools of real digits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench import stats
from mmbench.errors import BadScores
from mmbench.inputs.labelled import Labelled
from mmbench.probes.neighbours import NeighbourSettings, neighbours
from mmbench.probes.prototypes import PrototypeSettings, prototypes
from mmbench.stats.blocks import Group
from mmbench.stats.pools import over_fresh_pools

T = 5


def group(trial, residual=None, df=T - 1.0) -> Group:
    trial = np.asarray(trial, dtype=float)
    return Group(np.arange(len(trial)), trial, trial / 10 if residual is None else np.asarray(residual), df)


def test_by_hand() -> None:
    """Half of the pool is drawn: the pool's own variance equals that of one draw within it, five times that of five."""
    found = over_fresh_pools(group([[2.0]]), [0.5])
    assert found.trial == pytest.approx(np.array([[2.0 + 5 * 2.0]]))
    assert found.pool == pytest.approx(np.array([[10.0]]))
    assert found.residual == pytest.approx(np.array([[0.2 * 6]]))
    assert found.df == T - 1


def test_what_draws_from_no_pool_stays_as_it_is() -> None:
    before = group([[2.0, 1.0], [1.0, 3.0]])
    assert over_fresh_pools(before, [None, None]) is before
    found = over_fresh_pools(before, [None, 0.5])
    assert found.trial == pytest.approx(np.array([[2.0, 1.0], [1.0, 18.0]]))


def test_one_trial_shows_no_spread() -> None:
    before = group([[0.0]], df=math.inf)
    assert over_fresh_pools(before, [0.5]) is before


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(BadScores, match="a share above 0 and below 1 of its training pool, got"):
        over_fresh_pools(group([[2.0]]), [share])


@given(st.lists(st.floats(0.01, 0.9), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_no_contrast_becomes_more_certain(shares: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(len(shares), 4))
    before = group(root @ root.T)
    found = over_fresh_pools(before, shares)
    weights = rng.normal(size=(20, len(shares)))
    was, now = (np.einsum("ij,jk,ik->i", weights, matrix, weights) for matrix in (before.trial, found.trial))
    assert (now >= was * (1 - 1e-9)).all()
    assert np.linalg.eigvalsh(found.pool).min() >= -1e-9 * np.abs(found.pool).max()


@given(st.floats(0.01, 0.45))
def test_a_larger_share_widens_more(share: float) -> None:
    small, large = (over_fresh_pools(group([[1.0]]), [f]).trial[0, 0] for f in (share, 2 * share))
    assert small < large


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (1.0, -1.0), (0.5, 0.5)])
def test_nested_draws_of_numbers_have_the_variance_that_is_stated(weights: tuple[float, float]) -> None:
    """Means of 2 and of 6 drawn numbers of pools of 10, by the definition: fresh numbers in every run."""
    rng = np.random.default_rng(0)
    runs, trials, size, shots = 4000, 6, 10, (2, 6)
    numbers = rng.normal(size=(runs, 1, size)).repeat(trials, axis=1)
    drawn = rng.permuted(numbers, axis=2)
    means = np.stack([drawn[..., :k].mean(axis=2) for k in shots], axis=1)  # [runs, shots, trials]
    truth = (means.mean(axis=2) @ weights).var()
    centred = means - means.mean(axis=2, keepdims=True)
    within = np.einsum("rit,rjt->rij", centred, centred).mean(axis=0) / (trials * (trials - 1))
    found = over_fresh_pools(group(within, df=trials - 1.0), [k / size for k in shots])
    assert np.array(weights) @ found.trial @ np.array(weights) == pytest.approx(truth, rel=0.12)
    if weights != (1.0, -1.0):  # a difference of two means of the same numbers, in which the pool's own mean cancels
        assert np.array(weights) @ within @ np.array(weights) < 0.8 * truth


def test_the_estimate_says_how_much_is_the_pools() -> None:
    rng = np.random.default_rng(1)
    outcomes = (rng.random((10, 200)) < rng.random((10, 1))).astype(np.float32)
    free, bound = (
        stats.crossed([stats.Sample(outcomes, examples="x", pool=pool)]).contrasts([[1.0]])[0] for pool in (None, 0.5)
    )
    assert free.pool == 0.0
    assert bound.pool == pytest.approx(10 * free.trials)
    assert bound.trials == pytest.approx(11 * free.trials)
    assert bound.se > 2 * free.se


def test_more_draws_cannot_settle_what_the_pool_leaves_open() -> None:
    shape = {"df": 9.0, "trials": 1.0, "examples": 1e-6, "df_trials": 9.0, "df_examples": 999.0}
    free, bound = stats.Estimate(1.0, 1.0, **shape), stats.Estimate(1.0, 1.0, **shape, pool=0.9)
    assert stats.needed(free).trials < 10
    assert stats.needed(bound).trials is None


# Real digits: the project's own probes, on pools and test sets that are fresh in every run

PROBES = {"prototypes": (prototypes, PrototypeSettings), "neighbours": (neighbours, NeighbourSettings)}
NAMES = tuple("0123456789")
SHOTS, DRAWS, TEST, RUNS = 10, 10, 500, 100


@pytest.fixture(scope="module")
def digits():
    """Two encoders' features of 1,797 digits, their labels, and rows by class for pools and for test sets."""
    sklearn = pytest.importorskip("sklearn.datasets")
    pixels, labels = sklearn.load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    encoders = [np.maximum(pixels @ rng.normal(size=(64, width)) / 8, 0).astype(np.float32) for width in (32, 16)]
    order = rng.permutation(len(labels))
    one, other = order[: len(order) // 2], order[len(order) // 2 :]
    return encoders, labels, [one[labels[one] == c] for c in range(10)], other


def hits(digits, probe: str, pool, test, trials: int, seed: int) -> list[np.ndarray]:
    run, settings = PROBES[probe]
    encoders, y, _, _ = digits
    found = (
        run(Labelled(x[pool], y[pool], x[test], y[test], NAMES), [settings(shots=SHOTS)], trials=trials, seed=seed)[0]
        for x in encoders
    )
    return [(predicted == y[test]).astype(np.float32) for predicted in found]


def true_accuracies(digits, probe: str, draws: int = 150) -> np.ndarray:
    """Mean accuracy of ten fresh rows a class, on all rows that are never in a pool."""
    _, _, by_class, test = digits
    rng = np.random.default_rng(7)
    pools = (np.concatenate([rng.choice(rows, SHOTS) for rows in by_class]) for _ in range(draws))
    return np.mean([[x.mean() for x in hits(digits, probe, pool, test, 1, 0)] for pool in pools], axis=0)


def covered(digits, probe: str, size: int, share: float | None) -> float:
    """How often 95 % intervals of an accuracy and of a difference of two hold the truth."""
    _, _, by_class, others = digits
    truth = true_accuracies(digits, probe)
    held = []
    for run in range(RUNS):
        rng = np.random.default_rng([3, run])
        pool = np.concatenate([rng.choice(rows, size) for rows in by_class])
        outcomes = hits(digits, probe, pool, rng.choice(others, TEST), DRAWS, run)
        joint = stats.crossed([stats.Sample(x, examples="test", pool=share) for x in outcomes])
        found = joint.contrasts([[1.0, 0.0], [1.0, -1.0]], [-truth[0], truth[1] - truth[0]])
        held.append(np.minimum(found.p_above(), found.p_below()) > 0.025)
    return float(np.mean(held))


ERROR = 3 * math.sqrt(0.05 * 0.95 / RUNS)  # of the simulation, taking its two intervals as one


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("size", [12, 100])
def test_intervals_hold_over_fresh_pools_and_fresh_test_sets(digits, probe: str, size: int) -> None:
    assert covered(digits, probe, size, SHOTS / size) >= 0.95 - ERROR


def test_without_the_correction_small_pools_are_too_certain(digits) -> None:
    assert covered(digits, "prototypes", 12, None) < 0.95 - ERROR


def test_groups_of_one_each_change_nothing_about_fresh_pools() -> None:
    """What trials share with examples is widened with the pool, whether examples are grouped or not."""
    rng = np.random.default_rng(8)
    both = [(rng.random((4, 60)) < share).astype(np.float32) for share in (0.6, 0.4)]
    plain, grouped = (
        stats.crossed([stats.Sample(x, examples="x", groups=groups, pool=0.3) for x in both])
        for groups in (None, np.full(60, -1))
    )
    one, other = (joint.contrasts([[1.0, 0.0], [1.0, -1.0]]) for joint in (plain, grouped))
    assert (one.shared > 0).all()
    assert other.shared == pytest.approx(one.shared)
    assert other.se == pytest.approx(one.se)
