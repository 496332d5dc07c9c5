"""Contrasts against textbook formulas, quorums and Holm against answers worked by hand, laws by Hypothesis."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from mmbench import stats
from mmbench.stats import blocks

RNG = np.random.default_rng(3)
SCORES = (RNG.random((5, 400)) < RNG.random((1, 400))).astype(np.float32)
OTHER = (RNG.random((5, 400)) < RNG.random((1, 400))).astype(np.float32)


def crossed(outcomes, scales, examples, ranges=None) -> stats.Joint:
    """One sample a cell, from lists."""
    rows = zip(outcomes, scales, examples, ranges or [stats.Range()] * len(scales), strict=True)
    return stats.crossed([stats.Sample(*row) for row in rows])


def mean_squares(x: np.ndarray) -> tuple[float, float, float]:
    """Two-way mean squares of a table by the slow, obvious sums, each over T n."""
    trials, n = x.shape
    rows, columns, grand = x.mean(axis=1), x.mean(axis=0), x.mean()
    by_trial = sum((r - grand) ** 2 for r in rows) * n / (trials - 1)
    by_example = sum((c - grand) ** 2 for c in columns) * trials / (n - 1)
    residual = sum((x[t, i] - rows[t] - columns[i] + grand) ** 2 for t in range(trials) for i in range(n))
    size = trials * n
    return by_trial / size, by_example / size, residual / ((trials - 1) * (n - 1)) / size


def test_components_are_the_mean_squares_of_the_difference() -> None:
    found = stats.crossed_mean([SCORES, OTHER], [1.0, -1.0], ["x", "x"])
    by_trial, by_example, residual = mean_squares(SCORES.astype(float) - OTHER)
    assert found.value == pytest.approx(SCORES.mean() - OTHER.mean(), abs=1e-6)
    assert found.trials == pytest.approx(by_trial)
    assert found.examples == pytest.approx(by_example)
    assert found.shared == pytest.approx(min(by_trial, by_example, residual))
    assert found.se**2 == pytest.approx(found.trials + found.examples - found.shared)


def test_one_trial_is_the_paired_t_test() -> None:
    found = stats.crossed_mean([SCORES[:1], OTHER[:1]], [1.0, -1.0], ["x", "x"])
    reference = scipy_stats.ttest_rel(SCORES[0], OTHER[0], alternative="greater")
    assert found.value / found.se == pytest.approx(reference.statistic)
    assert found.p_above() == pytest.approx(reference.pvalue, rel=0.1)  # tests/stats/test_tails.py: how it may differ
    assert found.df == pytest.approx(399)


def test_one_example_says_nothing_of_others() -> None:
    found = stats.crossed_mean([np.ones((5, 1)), np.zeros((5, 1))], [1.0, -1.0], ["x", "x"])
    assert found.interval() == (-1.0, 1.0)
    assert found.p_above() == pytest.approx(math.exp(-1 / 2), rel=0.02)  # another may be lost, 2 below this one


def test_other_examples_are_independent_blocks_that_add() -> None:
    a, b = (stats.crossed_mean([x], [1.0], ["x"]) for x in (SCORES, OTHER))
    both = stats.crossed_mean([SCORES, OTHER], [1.0, -1.0], ["x", "y"])
    assert both.se**2 == pytest.approx(a.se**2 + b.se**2)


def test_cells_with_other_trial_counts_share_examples_only() -> None:
    """Sharing examples shrinks the variance of a difference; a third trial count must not be paired by trial."""
    together = stats.crossed_mean([SCORES, SCORES[:3]], [1.0, -1.0], ["x", "x"])
    apart = stats.crossed_mean([SCORES, SCORES[:3]], [1.0, -1.0], ["x", "y"])
    assert together.se < apart.se
    assert together.trials == pytest.approx(apart.trials)


def test_welch() -> None:
    a, b = RNG.normal(0, 1, 5), RNG.normal(0.5, 3, 7)
    joint = stats.printed([a.mean(), b.mean()], [a.std(ddof=1) / 5**0.5, b.std(ddof=1) / 7**0.5], [4, 6])
    found = joint.contrasts([[1.0, -1.0]])[0]
    reference = scipy_stats.ttest_ind(a, b, equal_var=False, alternative="greater")
    assert found.p_above() == pytest.approx(reference.pvalue)
    assert found.df == pytest.approx(reference.df)


def test_known_error_has_normal_tails() -> None:
    found = stats.printed([1.0], [0.5], [math.inf]).contrasts([[1.0]])[0]
    assert found.p_above() == pytest.approx(scipy_stats.norm.sf(2.0), rel=1e-4)


@pytest.mark.parametrize("n", [100, 500, 5000])
def test_identical_cells_may_still_differ_by_three_in_n(n: int) -> None:
    x = np.repeat(SCORES, 20, axis=1)[:, :n]
    found = stats.crossed_mean([x, x.copy()], [1.0, -1.0], ["x", "x"])
    assert found.value == 0
    low, high = found.bound(0.05), found.bound(0.95)
    assert (low, high) == pytest.approx((-3 / n, 3 / n), rel=0.012)


def test_a_total_win_is_certain_but_not_infinitely() -> None:
    found = stats.crossed_mean([np.ones((5, 10)), np.zeros((5, 10))], [1.0, -1.0], ["x", "x"])
    assert found.value == 1
    assert not found.exact
    assert 0 < found.p_above() < 0.01


def test_one_unseen_example_hardly_touches_ordinary_scores() -> None:
    found = stats.crossed_mean([SCORES, OTHER], [1.0, -1.0], ["x", "x"])
    assert max(found.down, found.up) ** 2 < found.examples / 40


@pytest.mark.parametrize("times", [1.0, 1.5, 2.0, 3.0])
def test_the_tail_of_what_was_not_seen_is_the_exact_one(times: float) -> None:
    """No discordant example among n when a share ``m`` is discordant: exp(-n m)."""
    n = 1000
    found = stats.crossed_mean([np.zeros((1, n))], [-1.0], ["x"], constant=times * 3 / n)
    assert 0.96 * math.exp(-3 * times) < found.p_above() < 2 * math.exp(-3 * times)


@given(st.floats(0.1, 100), st.floats(-5, 5))
def test_p_values_ignore_the_unit(scale: float, shift: float) -> None:
    one = crossed([SCORES, OTHER], [1.0, 1.0], ["x", "x"]).contrasts([[1.0, -1.0]], shift)[0]
    two = crossed([SCORES, OTHER], [scale, scale], ["x", "x"]).contrasts([[1.0, -1.0]], shift * scale)[0]
    assert two.p_above() == pytest.approx(one.p_above(), rel=1e-6, abs=1e-300)
    assert 1.0 <= one.p_above() + one.p_below() < 1.2  # each counts what could be unseen on its other side


def test_many_contrasts_at_once_are_the_same_as_one_by_one() -> None:
    joint = crossed([SCORES, OTHER, SCORES[:3]], [1.0, 1.0, 100.0], ["x", "y", "x"])
    rows = RNG.normal(size=(20, 3))
    together = joint.contrasts(rows, np.arange(20.0))
    for i, row in enumerate(rows):
        alone = joint.contrasts(row[None], float(i))[0]
        # some processors add a row of many up in another order than a row on its own
        assert dataclasses.astuple(together[i]) == pytest.approx(dataclasses.astuple(alone), rel=1e-12)


@given(
    companies=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True), min_size=2, max_size=5),
    grouped=st.booleans(),
)
def test_what_is_kept_from_other_companies_changes_no_number(companies: list[list[int]], grouped: bool) -> None:
    """Cells asked for again, beside others and in another order, have the uncertainty that they have alone."""
    rng = np.random.default_rng(11)
    groups = rng.integers(0, 9, 30) if grouped else None
    trials = [4, 4, 4, 2, 2, 1]
    cells = [stats.Sample(rng.random((t, 30)), 1.0 + i, "x", groups=groups) for i, t in enumerate(trials)]
    kept = stats.Residuals()
    for company in companies:
        asked = [cells[i] for i in company]
        again, alone = stats.crossed(asked, kept), stats.crossed(asked)
        np.testing.assert_allclose(again.covariance, alone.covariance, rtol=1e-12, atol=1e-15)
        rows = np.vstack([np.eye(len(company)), np.ones(len(company))])
        for name in ("se", "df", "shared"):
            found, expected = (getattr(joint.contrasts(rows), name) for joint in (again, alone))
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


def test_noise_and_covariance_are_those_of_the_contrasts() -> None:
    joint = crossed([SCORES, OTHER, SCORES[:, ::-1]], [1.0, 1.0, 100.0], ["x", "x", "y"])
    noise, covariance = joint.noise(40_000, np.random.default_rng(0)), joint.covariance
    assert noise.mean(axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=0.3)
    assert covariance[:2, 2] == pytest.approx([0.0, 0.0])  # blocks are independent
    for weights in ([1.0, 0.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 1.0]):
        half = np.quantile(noise @ weights, [0.25, 0.75]) @ [-0.5, 0.5]
        expected = joint.contrasts([weights])[0]
        assert half == pytest.approx(expected.se * scipy_stats.t.ppf(0.75, expected.df), rel=0.25)
        assert np.sqrt(weights @ covariance @ weights) == pytest.approx(expected.se, rel=0.25)


def test_noise_does_not_depend_on_the_eigenvectors_that_a_library_picks() -> None:
    """Any orthonormal pair of a plane are eigenvectors of these; one seed must draw the same noise with each."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    cov = (turn * [4.0, 4.0, 1.0, 0.0, -1e-17]) @ turn.T
    root = blocks.symmetric_root(cov)
    np.testing.assert_allclose(root, (turn * [2.0, 2.0, 1.0, 0.0, 0.0]) @ turn.T, atol=1e-7)
    np.testing.assert_allclose(blocks.symmetric_root(4.0 * np.eye(3)), 2.0 * np.eye(3))


def test_quorum_by_hand() -> None:
    p = [0.04, 0.001, 0.2, 0.01]
    assert stats.quorum_p(p, 4) == pytest.approx(0.2)  # all: the worst part decides
    assert stats.quorum_p(p, 1) == pytest.approx(4 * 0.001)  # any: Bonferroni
    assert stats.quorum_p(p, 2) == pytest.approx(3 * 0.01)
    assert stats.quorum_p([*p, 1.0], 5) == 1.0  # a missing part


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.data())
def test_a_quorum_grows_with_what_it_asks(p: list[float], data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(p)))
    better = [x * data.draw(st.floats(0, 1)) for x in p]
    assert stats.quorum_p(better, n) <= stats.quorum_p(p, n) + 1e-12


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=10))
def test_holm_against_the_definition(p: list[float]) -> None:
    adjusted = stats.holm(p)
    order = sorted(range(len(p)), key=lambda i: p[i])
    for place, i in enumerate(order):
        expected = min(1.0, max((len(p) - k) * p[order[k]] for k in range(place + 1)))
        assert adjusted[i] == pytest.approx(expected)


def test_needed_settles_what_it_says() -> None:
    wide = stats.crossed_mean([SCORES, OTHER], [1.0, -1.0], ["x", "x"])
    weak = stats.Estimate(1.2 * wide.se, *[getattr(wide, f) for f in list(wide.__dataclass_fields__)[1:]])
    assert weak.p_above() > 0.05
    need = stats.needed(weak)
    factors = [f for f in (need.trials, need.examples) if f is not None]
    assert factors
    assert min(factors) > 1.0
    none = stats.needed(stats.Estimate(0.0, 1.0, 10.0))
    assert none == stats.Needed(None, None)


@pytest.mark.parametrize(("trials", "pseudo"), [(2, False), (3, False), (2, True)])
def test_what_is_open_is_not_settled_by_what_is_there(trials: int, pseudo: bool) -> None:
    """What few trials allow counts in both: 1 % more trials or examples once "settled" a third of what was open."""
    rng = np.random.default_rng(trials)
    opened = 0
    for _ in range(200):
        x = 0.02 * rng.standard_normal((trials, 1)) + 0.3 * rng.standard_normal((trials, 60)) + rng.standard_normal(60)
        e = crossed([x / 4], [1.0], ["x"], [stats.Range(-1, 1, pseudo)]).contrasts([[1.0]], -0.1)[0]
        for level in (0.05, 0.5 * min(e.p_above(), e.p_below())):
            need = stats.needed(e, level)
            found = [factor for factor in (need.trials, need.examples) if factor is not None]
            if min(e.p_above(), e.p_below()) > 1.2 * level and found:
                opened += 1
                assert min(found) > 1.01
    assert opened > 50


def test_needed_counts_skewness_and_what_was_not_seen() -> None:
    """5 wrong of 100 against 90 %: t alone would be settled at once."""
    few = np.ones((1, 100))
    few[0, :5] = 0
    found = stats.crossed_mean([few], [1.0], ["x"], constant=-0.9)
    assert scipy_stats.t.sf(found.value / found.se, found.df) < 0.02
    assert found.p_above() > 0.05
    need = stats.needed(found).examples
    assert need is not None
    assert 1.05 < need < 2
    more = np.ones((1, round(100 * need)))
    more[0, : round(5 * need)] = 0
    assert stats.crossed_mean([more], [1.0], ["x"], constant=-0.9).p_above() == pytest.approx(0.05, abs=0.02)


def test_nothing_seen_needs_more_examples_too() -> None:
    """No error among 20 against 90 %: 30 would do (the rule of three)."""
    need = stats.needed(stats.crossed_mean([np.ones((1, 20))], [1.0], ["x"], constant=-0.9))
    assert need.trials is None
    assert need.examples == pytest.approx(1.5, rel=0.02)


def test_more_examples_cannot_shrink_what_trials_vary() -> None:
    e = stats.Estimate(1.0, 1.0, 4.0, trials=0.99, examples=0.01, df_trials=4.0, df_examples=99.0)
    need = stats.needed(e)
    assert need.examples is None
    assert need.trials is not None
    assert 1 < need.trials < 6


# Pseudo-values

PSEUDO = stats.Range(pseudo=True)


def test_pseudo_values_have_no_floor_where_they_vary() -> None:
    """One of 400 differs: far below the rule of three, and known as it is."""
    x = np.full((1, 400), 0.5, np.float32)
    x[0, 0] = 0.6
    own = crossed([x], [1.0], ["x"], [PSEUDO]).contrasts([[1.0]])[0]
    assert own.se == pytest.approx(scipy_stats.sem(x[0]), rel=1e-4)
    assert own.down == 0.0
    assert crossed([x], [1.0], ["x"]).contrasts([[1.0]])[0].down > 4 * own.se


@pytest.mark.parametrize("width", [1.0, 2.0])
def test_pseudo_values_that_do_not_vary_prove_nothing(width: float) -> None:
    x = np.full((1, 100), 0.5, np.float32)
    joint = crossed([x, x], [1.0, 1.0], ["x", "x"], [stats.Range(1 - width, 1.0, pseudo=True)] * 2)
    found = joint.contrasts([[1.0, -1.0]])[0]
    assert found.bound(0.95) == pytest.approx(3 * width / 100, rel=0.012)
    assert joint.covariance[0, 0] == pytest.approx((blocks.RULE_OF_THREE * width / 100) ** 2)


def test_one_pseudo_value_alone_says_nothing_of_others() -> None:
    found = crossed([np.array([[0.5]])], [1.0], ["x"], [PSEUDO]).contrasts([[1.0]])[0]
    assert found.interval() == (0.0, 1.0)


def test_the_floor_is_as_wide_as_the_range() -> None:
    """Outcomes from -1 to 1 can turn over by 2, outcomes at the end of their range only to its other end."""
    x = np.ones((1, 100))
    narrow, wide = (
        crossed([x], [1.0], ["x"], [r]).contrasts([[1.0]])[0] for r in (stats.Range(), stats.Range(-1.0, 1.0))
    )
    assert (narrow.down, narrow.up) == (0.01, 0.0)
    assert wide.down == pytest.approx(2 * narrow.down)


def test_only_a_single_statistic_has_a_range() -> None:
    x = np.random.default_rng(0).random((2, 3, 50))
    joint = crossed(list(x), [1.0, 100.0], ["x", "x"], [stats.Range(-1.0, 1.0, pseudo=True), stats.Range()])
    found = joint.contrasts([[1.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [1.0, -1.0]], [-0.5, 1.0, 0.0, 0.0])
    assert found.least.tolist() == [-1.5, -1.0, -math.inf, -math.inf]
    assert found.most.tolist() == [0.5, 3.0, math.inf, math.inf]
    for i in range(4):
        assert found[i].p_above() == pytest.approx(found.p_above()[i])
        assert found[i].p_below() == pytest.approx(found.p_below()[i])


def test_a_correlation_is_tested_on_fisher_s_scale() -> None:
    x = np.random.default_rng(1).normal(0.9, 0.3, (1, 20))
    joint = crossed([x], [1.0], ["x"], [stats.Range(-1.0, 1.0, pseudo=True)])
    found = joint.contrasts([[1.0]], [-0.7])[0]
    r, se = x.mean(), scipy_stats.sem(x[0])
    t = (np.arctanh(r) - np.arctanh(0.7)) / (se / (1 - r * r))
    assert found.p_above() == pytest.approx(scipy_stats.t.sf(t, 19))


def test_a_statistic_at_an_end_of_its_range_does_not_skew_a_contrast_with_another() -> None:
    """Pseudo-values of about 1e-8 around 0, beside those of a statistic well inside its range."""
    rng = np.random.default_rng(0)
    inside = (0.2 + 0.2 * rng.standard_normal((3, 150))).astype(np.float32)
    at_end = (3e-8 + 1e-7 * rng.standard_normal((3, 150))).clip(0).astype(np.float32)
    jackknifed = stats.Range(0.0, 1.0, True)
    joint = crossed([inside, at_end], [1.0, 1.0], ["x", "x"], [jackknifed] * 2)
    (difference,) = joint.contrasts([[1.0, -3.0]])
    low, high = difference.interval()
    assert low == pytest.approx(difference.value - 0.04, abs=0.04)
    assert low < difference.value < high < 0.4
