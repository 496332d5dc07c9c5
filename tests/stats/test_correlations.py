"""Correlations against scipy, laws of their p-values and bounds, false verdicts where noise is as wide as spread."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from mmbench.stats import correlations
from mmbench.stats.correlations import FINENESS, Correlated, Method, Pairs

RNG = np.random.default_rng(3)
EIGHT = Pairs(tuple(range(8)), tuple(range(8, 16)))
RANKED = Pairs(EIGHT.xs, EIGHT.ys, "spearman")


def seen(truth, se: float, parts: tuple[Pairs, ...], threshold: float, seed: int, draws: int = 300) -> Correlated:
    """One observation of true means with independent errors of known size."""
    rng = np.random.default_rng(seed)
    values, noise = rng.normal(truth, se), rng.normal(0, se, (draws, len(truth)))
    return Correlated(values, noise, np.eye(len(truth)) * se**2, parts, threshold)


def correlated(r: float, spread: float) -> np.ndarray:
    """Eight pairs that correlate by exactly ``r``."""
    x = np.linspace(-1, 1, 8)
    across = np.array([1.0, -1, -1, 1, 1, -1, 1, -1])
    across -= across.mean() + x * (across @ x) / (x @ x)
    y = r * x / np.linalg.norm(x) + (1 - r * r) ** 0.5 * across / np.linalg.norm(across)
    return spread * np.concatenate([x, y * np.linalg.norm(x)])


def true_value(truth, parts: tuple[Pairs, ...]) -> float:
    return Correlated(truth, np.zeros((1, len(truth))), np.zeros((len(truth), len(truth))), parts).value


def rate(side: str, truth, se: float, parts: tuple[Pairs, ...], threshold: float, runs: int = 60) -> float:
    """How often "above the threshold", or "below" it, is claimed at 5 %."""
    found = [seen(truth, se, parts, threshold, seed) for seed in range(runs)]
    return float(np.mean([(c.p_above() if side == "above" else c.p_below()) <= 0.05 for c in found]))


def most(runs: int = 60) -> float:
    """5 % and three standard errors of the simulation."""
    return 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


def test_correlations_against_scipy() -> None:
    x, y = RNG.integers(0, 5, (2, 6, 9)).astype(float)
    for i in range(6):
        assert correlations.pearson(x, y)[i] == pytest.approx(scipy_stats.pearsonr(x[i], y[i]).statistic)
        assert correlations.spearman(x, y)[i] == pytest.approx(scipy_stats.spearmanr(x[i], y[i]).statistic)
    assert np.isnan(correlations.pearson(np.ones((1, 4)), x[:1, :4]))[0]


@pytest.mark.parametrize("tied", [False, True])
def test_ranks_against_scipy(tied: bool) -> None:
    x = RNG.normal(size=(3, 50, 7))
    x = np.round(x) if tied else x
    assert correlations.ranks(x) == pytest.approx(scipy_stats.rankdata(x, axis=-1))


@pytest.mark.parametrize("part", [EIGHT, RANKED], ids=["pearson", "spearman"])
@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_bounds_and_p_values_agree(part: Pairs, level: float) -> None:
    found = seen(correlated(0.8, 10), 1.0, (part,), 0.3, seed=1)
    low, high = found.low(level), found.high(level)
    assert low < found.value < high
    assert found.p_above(low) <= level < found.p_above(low + 2 * FINENESS)
    assert found.p_below(high - 2 * FINENESS) > level
    assert found.p_below(high) <= level or high == pytest.approx(1 - found.threshold)  # no r is above 1


@pytest.mark.parametrize("threshold", np.linspace(-0.9, 0.95, 8))
def test_a_bound_clears_zero_exactly_where_the_p_value_says_so(threshold: float) -> None:
    found = seen(correlated(0.6, 10), 2.0, (RANKED,), threshold, seed=2)
    assert (found.low(0.05) >= 0) is (found.p_above() <= 0.05)
    assert (found.high(0.05) <= 0) is (found.p_below() <= 0.05)


def test_the_sign_turns_everything_round() -> None:
    up = seen(correlated(0.6, 10), 2.0, (EIGHT,), 0.5, seed=4)
    down = Correlated(up.values, up.noise, up.covariance, up.parts, up.threshold, sign=-1)
    assert down.value == -up.value
    assert (down.p_above(), down.p_below()) == (up.p_below(), up.p_above())
    assert (down.low(0.05), down.high(0.05)) == (-up.high(0.05), -up.low(0.05))


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 100), st.floats(-50, 50), st.sampled_from(["pearson", "spearman"]))
def test_p_values_ignore_the_unit(scale: float, shift: float, method: Method) -> None:
    part = Pairs(EIGHT.xs, EIGHT.ys, method)
    one = seen(correlated(0.7, 5), 2.0, (part,), 0.4, seed=5)
    two = Correlated(one.values * scale + shift, one.noise * scale, one.covariance * scale**2, (part,), 0.4)
    assert two.p_above() == pytest.approx(one.p_above(), abs=0.011)
    assert two.p_below() == pytest.approx(one.p_below(), abs=0.011)


@pytest.mark.parametrize("part", [EIGHT, RANKED], ids=["pearson", "spearman"])
def test_means_without_noise_are_the_truth(part: Pairs) -> None:
    truth = correlated(0.7, 10)
    r = true_value(truth, (part,))
    exact = seen(truth, 0.0, (part,), r - 0.01, seed=0)
    assert (exact.p_above(), exact.p_below()) == (1 / 301, 1.0)
    assert exact.low(0.05) == pytest.approx(0.01, abs=FINENESS)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_two_pairs_correlate_perfectly_and_say_little(method: Method) -> None:
    part = Pairs((0, 1), (2, 3), method)
    close = seen([0.0, 1.0, 0.0, 1.0], 1.0, (part,), 0.5, seed=1)
    assert abs(close.value + 0.5) == pytest.approx(1.0)
    assert min(close.p_above(), close.p_below()) > 0.05
    assert seen([0.0, 10.0, 0.0, 10.0], 1.0, (part,), 0.5, seed=1).p_above() <= 0.05


def test_a_list_that_does_not_vary_has_no_coefficient() -> None:
    assert np.isnan(true_value(np.r_[np.ones(8), np.arange(8.0)], (EIGHT,)))


def test_the_mean_of_correlations_is_that_of_its_parts() -> None:
    truth = RNG.normal(size=24)
    lists = [tuple(range(i, i + 8)) for i in (0, 8, 16)]
    parts = (Pairs(lists[0], lists[1]), Pairs(lists[1], lists[2], "spearman"), Pairs(lists[0], lists[2]))
    assert true_value(truth, parts) == pytest.approx(np.mean([true_value(truth, (part,)) for part in parts]))


@pytest.mark.parametrize("spread", [20.0, 4.0, 1.0])
@pytest.mark.parametrize("r", [0.0, 0.7, 0.9])
def test_pearson_stays_within_five_percent(r: float, spread: float) -> None:
    for side in ("above", "below"):
        assert rate(side, correlated(r, spread), 2.0, (EIGHT,), r, runs=150) <= most(150)


STEPS = np.r_[0:8, 1, 2, 4, 3, 7, 8, 5, 6].astype(float)


@pytest.mark.parametrize("step", [4.0, 1.0, 0.1])
def test_spearman_stays_within_five_percent(step: float) -> None:
    r = true_value(STEPS, (RANKED,))
    assert rate("below", step * STEPS, 2.0, (RANKED,), r - 0.01) <= most()
    assert rate("above", step * STEPS, 2.0, (RANKED,), r + 0.01) <= most()


def two_groups(turn: float) -> np.ndarray:
    """Four models far above four others on both sides; within a group nearly tied, in the same or the other order."""
    near = 0.5 * np.arange(4)
    return np.r_[near, 20 + near, turn * near, 20 + turn * near]


def test_near_ties_stay_within_five_percent() -> None:
    agreeing, opposed = two_groups(1), two_groups(-1)
    assert rate("below", agreeing, 2.0, (RANKED,), 0.99) <= most()
    assert rate("above", opposed, 2.0, (RANKED,), true_value(opposed, (RANKED,))) <= most()


def test_without_the_worst_order_near_ties_would_be_judged_by_their_noise(monkeypatch) -> None:
    monkeypatch.setattr(Correlated, "_worst_order", lambda self, together, level: self.values)
    opposed = two_groups(-1)
    assert rate("above", opposed, 2.0, (RANKED,), true_value(opposed, (RANKED,))) > 0.3


def test_redraws_around_the_means_seen_would_refute_far_too_often() -> None:
    """The bootstrap that reads bounds off redraws, which this module is there to replace."""
    found = [seen(correlated(0.7, 4), 2.0, (EIGHT,), 0.7, seed) for seed in range(60)]
    assert np.mean([np.mean(c._margins(c.values, redrawn=True) >= 0) <= 0.05 for c in found]) > 0.15


CLEAR = [(EIGHT, 0.95, "above"), (EIGHT, 0.2, "below"), (RANKED, 0.98, "above"), (RANKED, -0.2, "below")]


@pytest.mark.parametrize(("part", "r", "side"), CLEAR)
def test_clear_cases_are_settled_where_the_spread_is_wide(part: Pairs, r: float, side: str) -> None:
    assert rate(side, correlated(r, 20), 2.0, (part,), 0.7, runs=40) >= 0.9


def test_several_lists_stay_within_five_percent() -> None:
    rng = np.random.default_rng(11)
    common = rng.normal(size=8)
    truth = np.concatenate([4 * (common + 0.7 * rng.normal(size=8)) for _ in range(3)])
    lists = [tuple(range(i, i + 8)) for i in (0, 8, 16)]
    for method in ("pearson", "spearman"):
        parts = tuple(Pairs(lists[i], lists[j], method) for i, j in ((0, 1), (0, 2), (1, 2)))
        for side in ("above", "below"):
            assert rate(side, truth, 2.0, parts, true_value(truth, parts), runs=40) <= most(40)
