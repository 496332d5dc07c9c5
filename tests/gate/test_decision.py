"""The gate: known answers, laws, scipy as the reference, what cannot be compared, and how often it is right."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from mmbench import stats
from mmbench.calibration.planted_evidence import planted_scores
from mmbench.errors import BadScores, BadSpec
from mmbench.gate import decision as gate
from mmbench.gate.decision import DEFAULT_MARGINS, Compared, Decision, Margins, NotComparable, decide, inject
from mmbench.metrics import METRICS, Metric
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.scores import Scores

POINTS = DEFAULT_MARGINS["accuracy"]


def scores(
    mean: float = 0.6, *, seed: int = 0, trials: int = 5, examples: int = 600, metric: str = "accuracy"
) -> Scores:
    """Outcomes that vary by example: as hard for every seed, but each seed errs in its own way."""
    hard = np.random.default_rng(99).random(examples)
    right = np.random.default_rng(seed).random((trials, examples)) * 0.4 + hard * 0.6 < mean
    return Scores(right.astype(np.float32), metric, "test set", chance=0.1)


def one(base: Scores, candidate: Scores, margin: float = POINTS) -> Compared:
    metric = base.metric
    return decide({"cell": base}, {"cell": candidate}, Margins({metric: margin})).cells[0]


# Known answers


@pytest.mark.parametrize("metric", METRICS.names())
def test_identical_scores_differ_by_nothing_and_pass(metric: str) -> None:
    base = scores(metric=metric)
    decision = decide({"a": base, "b": base}, {"a": base, "b": base}, Margins())
    assert decision.decided == "pass"
    assert [cell.difference for cell in decision.cells] == [0.0, 0.0]
    assert decision.confidence == pytest.approx(0.95)


def test_identical_outcomes_on_few_examples_show_little() -> None:
    """None of 20 examples differs, yet three in twenty might: the rule of three keeps so small a set from passing."""
    small = scores(examples=20)
    found = one(small, small)
    assert found.decided == "inconclusive"
    assert found.low < -POINTS < 0 < found.high
    assert found.needed_examples is not None
    enough = scores(examples=found.needed_examples)
    assert one(enough, enough).decided == "pass"


@pytest.mark.parametrize(("margin", "outcome"), [(20.0, "pass"), (5.0, "fail"), (10.0, "inconclusive")])
def test_a_loss_of_ten_points_against_three_margins(margin: float, outcome: str) -> None:
    base = scores()
    found = one(base, inject(base, 10.0), margin)
    assert found.decided == outcome
    assert found.difference == pytest.approx(-10.0, abs=0.02)
    assert found.low < -10 < found.high


def test_a_better_candidate_passes_and_never_fails() -> None:
    found = one(scores(0.55), scores(0.75))
    assert found.difference > 10
    assert found.decided == "pass"
    assert found.p_worse > 0.999


def sixty(seed: int) -> dict[str, Scores]:
    return {f"cell {i}": scores(0.4 + i / 200, seed=seed + i) for i in range(60)}


def test_a_loss_on_one_of_sixty_cells_fails_that_cell_only() -> None:
    base, candidate = sixty(0), sixty(1000)
    assert decide(base, candidate, Margins()).decided == "pass"
    candidate["cell 17"] = inject(candidate["cell 17"], 3 * POINTS)
    decision = decide(base, candidate, Margins())
    assert decision.decided == "fail"
    assert [cell.cell for cell in decision.cells if cell.decided == "fail"] == ["cell 17"]


def test_a_fail_pays_for_the_number_of_cells_and_a_pass_does_not() -> None:
    """A loss that fails one cell by itself does not fail it among sixty others, which pass at the full level."""
    base, candidate = scores(), inject(scores(seed=1), 9.0)
    alone = one(base, candidate)
    assert alone.decided == "fail"
    among = decide(sixty(0) | {"x": base}, sixty(1000) | {"x": candidate}, Margins())
    found = among.cells[-1]
    assert found.p_worse == alone.p_worse
    assert found.holm_worse == pytest.approx(61 * alone.p_worse)
    assert (found.decided, among.decided) == ("inconclusive", "inconclusive")
    assert found.needed_examples is not None
    assert found.needed_examples > 1.2 * 600  # where alone it needs no more than it has
    assert max(cell.p_not_worse for cell in among.cells[:60]) <= 0.05 < max(c.holm_not_worse for c in among.cells)


@pytest.mark.parametrize(
    ("outcomes", "missing", "outcome"),
    [
        (["pass", "pass"], [], "pass"),
        (["pass", "inconclusive"], [], "inconclusive"),
        (["pass", "inconclusive", "fail"], [], "fail"),
        (["pass"], ["gone"], "inconclusive"),
        (["fail"], ["gone"], "fail"),
    ],
)
def test_the_whole_from_the_parts(outcomes, missing, outcome) -> None:
    assert gate.overall(outcomes, missing) == outcome


def test_a_cell_that_the_candidate_lacks_keeps_it_from_passing() -> None:
    base = scores()
    decision = decide({"a": base, "b": base}, {"a": base, "c": base}, Margins())
    assert decision.missing == ("b",)
    assert [cell.cell for cell in decision.cells] == ["a"]
    assert decision.decided == "inconclusive"


def test_where_lower_is_better_a_rise_is_the_loss(monkeypatch) -> None:
    error = Metric("error", METRICS.get("accuracy").outcome, scale=100.0, unit="%", higher_is_better=False)
    monkeypatch.setitem(METRICS._entries, "error", error)
    base = scores(metric="error")
    worse = inject(base, 10.0)
    assert worse.mean == pytest.approx(base.mean + 10.0, abs=0.02)
    found = one(base, worse)
    assert found.decided == "fail"
    assert found.difference == pytest.approx(10.0, abs=0.02)
    assert found.low < 10 < found.high
    assert one(worse, base).decided == "pass"


# What it would take


@pytest.mark.parametrize("loss", [0.0, 22.0])
def test_as_many_examples_as_needed_decide_and_fewer_do_not(loss: float) -> None:
    """The same examples over and over are what "if the difference stayed as it is" means; each side is tried."""
    base, candidate = scores(trials=1, examples=40), inject(scores(trials=1, examples=40, seed=1), loss)
    found = one(base, candidate)
    assert found.decided == "inconclusive"
    assert found.needed_trials is None  # one trial tells nothing about trials
    assert found.needed_examples is not None

    def over_and_over(s: Scores, times: int) -> Scores:
        return replace(s, outcomes=np.tile(s.outcomes, times))

    times = math.ceil(found.needed_examples / 40)
    assert times > 1
    assert one(over_and_over(base, times), over_and_over(candidate, times)).decided == ("fail" if loss else "pass")
    assert one(over_and_over(base, times - 1), over_and_over(candidate, times - 1)).decided == "inconclusive"


def test_a_decided_cell_needs_nothing() -> None:
    for candidate in (scores(), inject(scores(), 20.0)):
        found = one(scores(), candidate)
        assert (found.needed_examples, found.needed_trials) == (None, None)


# The reference


@pytest.mark.parametrize("margin", [0.0, 1.0, 5.0])
def test_one_trial_is_the_paired_t_test_shifted_by_the_margin(margin: float) -> None:
    """Within what skewness and one unseen example change: tests/stats/test_tails.py."""
    base, candidate = scores(trials=1), scores(0.58, trials=1, seed=1)
    found = one(base, candidate, margin)
    shifted = 100.0 * candidate.outcomes[0] + margin, 100.0 * base.outcomes[0]
    worse = scipy_stats.ttest_rel(*shifted, alternative="less")
    assert found.p_worse == pytest.approx(worse.pvalue, rel=0.05)
    assert found.p_not_worse == pytest.approx(scipy_stats.ttest_rel(*shifted, alternative="greater").pvalue, rel=0.05)
    interval = scipy_stats.ttest_rel(100.0 * candidate.outcomes[0], 100.0 * base.outcomes[0]).confidence_interval(0.95)
    low, high = float(interval.low), float(interval.high)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_the_interval_does_not_know_the_margin() -> None:
    base, candidate = scores(), scores(seed=1)
    narrow, wide = (one(base, candidate, margin) for margin in (1.0, 9.0))
    assert (narrow.low, narrow.high, narrow.difference) == pytest.approx((wide.low, wide.high, wide.difference))


# Laws


def planted(seed: int, loss: float = 0.0) -> tuple[dict[str, Scores], dict[str, Scores]]:
    """Base and candidate on three datasets by the latent model, the candidate worse by ``loss`` points."""
    base = {Cell(FEW_SHOT, "base", d): 50.0 + 10 * i for i, d in enumerate("xyz")}
    candidate = {replace(cell, models="candidate"): mean - loss for cell, mean in base.items()}
    found = planted_scores(base | candidate, seed=seed, trials=4, examples=150, own=0.5)
    return tuple({c.dataset: s for c, s in found.items() if str(c.models) == role} for role in ("base", "candidate"))


def numbers(decision: Decision) -> dict[str, tuple[object, ...]]:
    return {
        c.cell: (c.decided, *(round(x, 6) for x in (c.difference, c.low, c.high, c.holm_worse, c.holm_not_worse)))
        for c in decision.cells
    }


def mapped(table: Mapping[str, Scores], change) -> dict[str, Scores]:
    return {cell: replace(s, outcomes=change(s.outcomes)) for cell, s in table.items()}


@given(st.integers(0, 10_000), st.permutations("xyz"), st.floats(0, 15))
def test_the_order_of_cells_trials_and_examples_does_not_matter(seed: int, order: list[str], loss: float) -> None:
    base, candidate = planted(seed % 7, loss)
    rng = np.random.default_rng(seed)
    trials, examples = rng.permutation(4), rng.permutation(150)
    expected = decide(base, candidate, Margins())
    shuffled = [mapped(t, lambda x: x[np.ix_(trials, examples)]) for t in (base, candidate)]
    found = decide({cell: shuffled[0][cell] for cell in order}, shuffled[1], Margins())
    assert numbers(found) == numbers(expected)
    assert found.decided == expected.decided
    assert [cell.cell for cell in found.cells] == list(order)


@given(st.integers(0, 10_000), st.floats(0, 10), st.floats(0, 20))
def test_exchanged_roles_change_the_sign_of_the_difference(seed: int, loss: float, margin: float) -> None:
    base, candidate = planted(seed, loss)
    margins = Margins({"accuracy": margin})
    forth, back = decide(base, candidate, margins), decide(candidate, base, margins)
    for a, b in zip(forth.cells, back.cells, strict=True):
        assert (b.difference, b.low, b.high) == pytest.approx((-a.difference, -a.high, -a.low))
        assert {a.decided, b.decided} != {"fail"}
    if margin == 0:
        assert [c.p_worse for c in forth.cells] == pytest.approx([c.p_not_worse for c in back.cells])


@given(st.integers(0, 10_000), st.floats(0, 10), st.floats(0, 10))
def test_a_wider_margin_never_turns_a_pass_away(seed: int, narrow: float, more: float) -> None:
    base, candidate = planted(seed, 3.0)
    order = ["fail", "inconclusive", "pass"]
    tight, loose = (decide(base, candidate, Margins({"accuracy": m})) for m in (narrow, narrow + more))
    for a, b in zip(tight.cells, loose.cells, strict=True):
        assert order.index(a.decided) <= order.index(b.decided)
    assert order.index(tight.decided) <= order.index(loose.decided)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_no_cell_both_passes_and_fails(p_values: list[tuple[float, float]]) -> None:
    worse, not_worse = np.array([(p, max(q, 1 - p)) for p, q in p_values]).T
    outcomes = gate.settle(worse, not_worse)
    for outcome, p, q, adjusted in zip(outcomes, worse, not_worse, stats.holm(worse), strict=True):
        assert (outcome == "fail") == (adjusted <= 0.05)
        assert (outcome == "pass") == (q <= 0.05 < adjusted)
        assert not (p <= 0.05 and q <= 0.05)


# Injected losses


@given(st.floats(0, 30), st.integers(0, 100), st.sampled_from(METRICS.names()))
def test_an_injected_loss_is_the_loss(loss: float, seed: int, metric: str) -> None:
    base = scores(metric=metric)
    loss *= base.scale / 100
    worse = inject(base, loss, seed)
    sign = 1 if METRICS.get(metric).higher_is_better else -1
    assert sign * (base.mean - worse.mean) == pytest.approx(loss, abs=base.scale / base.outcomes.size)
    assert (sign * worse.outcomes <= sign * base.outcomes).all()
    assert np.array_equal(worse.outcomes, inject(base, loss, seed).outcomes)
    assert (worse.metric, worse.examples, worse.chance) == (base.metric, base.examples, base.chance)


def test_graded_outcomes_lose_as_much() -> None:
    graded = Scores(np.random.default_rng(0).random((5, 200)).astype(np.float32), "f1_samples", "x", 0.1)
    assert graded.mean - inject(graded, 0.1).mean == pytest.approx(0.1, abs=1 / 1000)


def test_an_injected_loss_leaves_the_base_alone_and_depends_on_the_seed() -> None:
    base = scores()
    before = base.outcomes.copy()
    assert not np.array_equal(inject(base, 10.0, 0).outcomes, inject(base, 10.0, 1).outcomes)
    assert np.array_equal(base.outcomes, before)
    assert np.array_equal(inject(base, 0.0).outcomes, before)
    assert inject(base, base.mean).mean == 0.0


@pytest.mark.parametrize("loss", [-1.0, 99.0, math.nan, math.inf])
def test_a_loss_that_cannot_be_is_refused(loss: float) -> None:
    with pytest.raises(BadSpec, match=r"cannot lose .*%: accuracy has 6\d\.?\d*% to lose"):
        inject(scores(), loss)


def test_a_metric_without_a_margin_is_refused() -> None:
    with pytest.raises(BadSpec, match="no margin for accuracy; give one in its printed unit: accuracy=NUMBER"):
        decide({"a": scores()}, {"a": scores()}, Margins({"f1_samples": 0.03}))


@pytest.mark.parametrize("level", [0.0, 0.5, -0.1, 95.0, math.nan])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(BadSpec, match=r"level is .*between 0 and 0\.5"):
        decide({"a": scores()}, {"a": scores()}, Margins(), level)


# What cannot be compared


def from_run(**provenance: str) -> Scores:
    return replace(scores(), provenance=provenance)


@pytest.mark.parametrize(
    ("base", "candidate", "message"),
    [
        (scores(), replace(scores(), metric="f1_samples"), "few: metric differs, base 'accuracy' and candidate 'f1_"),
        (scores(), scores(trials=4), "few: number of trials differs, base 5 and candidate 4; they are paired by draw"),
        (scores(), scores(examples=599), "few: number of examples differs, base 600 and candidate 599"),
        (scores(), replace(scores(), examples="other"), "few: digest of the examples differs, base 'test set' and"),
        (scores(), replace(scores(), chance=0.2), "few: chance level differs, base 0.1 and candidate 0.2; the labels"),
        (from_run(fingerprint="a"), from_run(fingerprint="b"), "few: protocol differs, base 'a' and candidate 'b'"),
        (from_run(reading="paper"), from_run(reading="code"), "few: reading differs, base 'paper' and candidate 'code"),
        (from_run(dataset="x@1"), from_run(dataset="x@2"), "few: dataset differs, base 'x@1' and candidate 'x@2'"),
    ],
)
def test_cells_that_differ_are_not_compared(base: Scores, candidate: Scores, message: str) -> None:
    same = scores()
    with pytest.raises(NotComparable) as caught:
        decide({"same": same, "few": base}, {"same": same, "few": candidate}, Margins())
    assert message in str(caught.value)


def test_what_one_run_does_not_say_is_not_held_against_it() -> None:
    assert one(from_run(fingerprint="a"), from_run(dataset="x")).decided == "pass"
    assert one(from_run(models="a", seconds="1"), from_run(models="b", seconds="2")).decided == "pass"


@pytest.mark.parametrize(
    ("base", "candidate", "message"),
    [
        ({"a": scores()}, {"b": scores()}, "no cell in common: a against b"),
        ({}, {"b": scores()}, "no cell in common: none against b"),
        ({}, {}, "no cell in common: none against none"),
        (dict.fromkeys("abcde", scores()), {}, "no cell in common: a, b, c and 2 more against none"),
    ],
)
def test_nothing_in_common_is_no_pass(base, candidate, message: str) -> None:
    with pytest.raises(NotComparable, match=message):
        decide(base, candidate, Margins())


def test_nan_never_reaches_the_gate() -> None:
    outcomes = scores().outcomes.copy()
    outcomes[0, 0] = np.nan
    with pytest.raises(BadScores, match="1 of 3000 outcomes are not finite"):
        decide({"a": scores()}, {"a": replace(scores(), outcomes=outcomes)}, Margins())
