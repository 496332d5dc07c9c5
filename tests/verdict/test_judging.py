"""Verdicts on measured, printed and missing evidence; each outcome has a case that must give it."""

import json
import math

import numpy as np
import pytest
from scipy.stats import norm

from mmbench.calibration.planted_evidence import planted_scores
from mmbench.claims import Claim, Place, Printed, Table
from mmbench.claims import planted as house
from mmbench.conditions import cell
from mmbench.errors import BadScores, Unmeasured
from mmbench.forms import Above, All, Any, AtLeast, Best, Correlates, Form, Not, OnPar
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.spectral import CLUSTERING
from mmbench.protocol import Cell
from mmbench.records.schema import is_test
from mmbench.scores import Scores
from mmbench.verdict import Measured, Published, Verdict, judge


def claim(expect: Form | None, **rest) -> Claim:
    rest = {"protocols": (FEW_SHOT,), "datasets": ("set",), "models": ("a", "b", "c")} | rest
    return Claim("study-claim", "A sentence.", Place("study", "1"), expect, **rest)


def at(**means: float) -> dict[Cell, float]:
    return {Cell(FEW_SHOT, model, "set"): mean for model, mean in means.items()}


def measured(scores: dict[Cell, Scores]) -> Measured:
    def scores_of(wanted: Cell) -> Scores:
        if wanted not in scores:
            raise Unmeasured(f"{wanted.models} has no weights; bind the role with --mmbench-model {wanted.models}=SPEC")
        return scores[wanted]

    return Measured(scores_of)


def plain(**means: float) -> Measured:
    return measured(planted_scores(at(**means), seed=2, trials=5, examples=500))


def printed(**numbers: Printed) -> tuple[Table, ...]:
    return (Table("T", Place("study"), {Cell(FEW_SHOT, model, "set"): number for model, number in numbers.items()}),)


@pytest.mark.parametrize(
    ("means", "outcome"),
    [((80, 60), "supported"), ((60, 80), "refuted"), ((70, 70), "inconclusive")],
)
def test_above(means, outcome) -> None:
    verdict = judge(claim(Above("a", "b")), plain(a=means[0], b=means[1]))
    assert verdict.outcome == outcome, verdict.explain()
    assert verdict.supported is (outcome == "supported")


@pytest.mark.parametrize(
    "form", [Above("a", "b"), OnPar("a", "b", within=3), Best("a"), Any((Above("a", "b"), Above("a", "c")))]
)
@pytest.mark.parametrize("means", [(80, 60, 50), (60, 60, 60), (50, 70, 90), (61, 60, 59)])
def test_the_bounds_decide(form: Form, means) -> None:
    verdict = judge(claim(form), plain(a=means[0], b=means[1], c=means[2]))
    assert verdict.low is not None
    assert verdict.high is not None
    assert (verdict.low > 0) is (verdict.outcome == "supported")
    assert (verdict.high < 0) is (verdict.outcome == "refuted")


def test_identical_models() -> None:
    scores = planted_scores(at(a=70.0), examples=500)
    same = measured({Cell(FEW_SHOT, m, "set"): next(iter(scores.values())) for m in "ab"})
    assert judge(claim(OnPar("a", "b", within=2)), same).outcome == "supported"
    assert judge(claim(Above("a", "b")), same).outcome == "inconclusive"


def test_ceilings() -> None:
    assert judge(claim(Above("a", "b")), plain(a=100, b=100)).outcome == "inconclusive"
    assert judge(claim(Above("a", "b")), plain(a=100, b=0)).outcome == "supported"
    assert judge(claim(Above("a", "b")), plain(a=0, b=100)).outcome == "refuted"


def test_a_tie_at_the_top_does_not_refute_best_and_a_better_rival_does() -> None:
    assert judge(claim(Best("a")), plain(a=80, b=80, c=50)).outcome == "inconclusive"
    assert judge(claim(Best("a")), plain(a=80, b=90, c=50)).outcome == "refuted"
    assert judge(claim(Best("a")), plain(a=80, b=70, c=50)).outcome == "supported"


def test_what_is_as_sure_as_can_be_is_still_a_test() -> None:
    """A p-value below the smallest number counts as a test, as exact numbers do not: Holm's family holds it."""
    scores = planted_scores(at(a=95.0, b=40.0), seed=2, trials=1, examples=40_000)
    verdict = judge(claim(Above("a", "b")), measured(scores))
    assert verdict.supported
    assert 0 < verdict.p_support < 1e-200
    assert is_test(verdict.outcome, verdict.p_support, verdict.p_refute)


def test_what_is_missing_is_told_and_does_not_stop_the_rest() -> None:
    verdict = judge(claim(Best("a")), plain(a=80, b=60))
    assert verdict.outcome == "unmeasured"
    assert verdict.missing == ("c has no weights; bind the role with --mmbench-model c=SPEC",)
    assert [str(row.cell.models) for row in verdict.rows] == ["a", "b"]
    assert verdict.truth is None


def test_a_part_can_refute_a_conjunction_but_not_support_it() -> None:
    verdict = judge(claim(Best("a")), plain(a=60, b=80))
    assert verdict.outcome == "refuted"
    assert "only a part was measured" in verdict.note
    assert verdict.truth is False


def test_a_part_can_support_a_disjunction() -> None:
    assert judge(claim(Any((Above("a", "b"), Above("a", "c")))), plain(a=80, b=60)).outcome == "supported"


def test_nothing_measured() -> None:
    verdict = judge(claim(Above("a", "b")), measured({}))
    assert verdict.outcome == "unmeasured"
    assert len(verdict.missing) == 2


def test_waiting_claims() -> None:
    verdict = judge(claim(Above("a", "b"), waits_for="attacks"), plain(a=80, b=60))
    assert verdict.outcome == "unmeasured"
    assert verdict.missing == ("it waits for attacks",)
    assert judge(claim(None, waits_for="attacks"), Published()).outcome == "unmeasured"


def test_nan_is_refused() -> None:
    scores = planted_scores(at(a=70.0, b=60.0), trials=2, examples=10)
    broken = scores[Cell(FEW_SHOT, "a", "set")]
    broken.outcomes[0, 0] = np.nan
    with pytest.raises(BadScores, match="not finite"):
        judge(claim(Above("a", "b")), measured(scores))
    with pytest.raises(BadScores):
        Printed(float("nan"))
    with pytest.raises(BadScores, match="not finite"):
        judge(claim(Above("a", "b"), published=printed(a=Printed(float("inf")), b=Printed(1.0))), Published())


def test_welch_on_printed_spreads() -> None:
    numbers = printed(a=Printed(66.03, 0.15, 5), b=Printed(65.58, 0.38, 5))
    verdict = judge(claim(Above("a", "b"), published=numbers), Published())
    assert verdict.outcome == "supported"
    assert not verdict.point
    close = printed(a=Printed(60.66, 0.26, 5), b=Printed(60.62, 0.27, 5))
    assert judge(claim(Above("a", "b"), published=close), Published()).outcome == "inconclusive"


def test_a_printed_spread_of_zero_is_half_of_the_last_digit() -> None:
    """0.0 and 0.0 over a table with one decimal may be 0.05 each: a lead of 0.04 isn't certain, one of 0.4 is."""
    for lead, outcome in ((0.04, "inconclusive"), (0.4, "supported")):
        numbers = printed(a=Printed(60 + lead, 0.0, 5), b=Printed(60.0, 0.0, 5), c=Printed(50.0, 0.3, 5))
        assert judge(claim(Above("a", "b"), published=numbers), Published()).outcome == outcome


def test_printed_standard_error() -> None:
    for se, outcome in ((0.1, "supported"), (1.0, "inconclusive")):
        numbers = printed(a=Printed(0.5, se=se), b=Printed(0.0, se=0.01))
        assert judge(claim(Above("a", "b"), published=numbers), Published()).outcome == outcome


def test_a_printed_correlation_is_tested_by_fisher_s_z() -> None:
    """r = 0.9 over 12 pairs against 0.7: both through arctanh, standard error 1/3."""
    verdict = judge(claim(AtLeast("a", 0.7), published=printed(a=Printed(0.9, pairs=12))), Published())
    z = (math.atanh(0.9) - math.atanh(0.7)) * 3
    assert verdict.p_support == pytest.approx(norm.sf(z), rel=1e-6)
    assert verdict.outcome == "supported"
    assert verdict.low == pytest.approx(math.tanh(math.atanh(0.9) - norm.ppf(0.95) / 3) - 0.7)


def test_a_true_correlation_is_falsely_supported_as_seldom_as_promised() -> None:
    """Pairs of normals with r = 0.7, 12 at a time; by an error that is linear in r it was 13.6 %."""
    x, own = np.random.default_rng(4).standard_normal((2, 3000, 12))
    y = 0.7 * x + math.sqrt(1 - 0.7**2) * own
    each = [float(np.corrcoef(*pair)[0, 1]) for pair in zip(x, y, strict=True)]
    numbers = {str(i): Printed(r, pairs=12) for i, r in enumerate(each)}
    every = All(tuple(AtLeast(name, 0.7) for name in numbers))
    found = judge(claim(every, published=printed(**numbers), models=tuple(numbers)), Published())
    rates = [np.mean([part.outcome == outcome for part in found.parts]) for outcome in ("supported", "refuted")]
    assert max(rates) <= 0.06 + 2 * math.sqrt(0.05 * 0.95 / len(each))
    linear = [(r - 0.7) * 3 / (1 - r * r) > norm.ppf(0.95) for r in each]
    assert np.mean(linear) > 0.12


@pytest.mark.parametrize(("r", "pairs"), [(1.0, 12), (-1.0, 12), (0.5, 3), (1.2, 12)])
def test_a_correlation_without_fisher_s_z_is_refused(r: float, pairs: int) -> None:
    with pytest.raises(BadScores, match=f"between -1 and 1 over more than 3 pairs, got {r} over {pairs}; leave pairs"):
        Printed(r, pairs=pairs)


@pytest.mark.parametrize(("a", "outcome"), [(60.1, "supported"), (60.0, "refuted"), (59.9, "refuted")])
def test_without_spread_the_sign_decides_and_says_so(a: float, outcome: str) -> None:
    verdict = judge(claim(Above("a", "b"), published=printed(a=Printed(a), b=Printed(60.0, 0.1, 5))), Published())
    assert verdict.outcome == outcome
    assert verdict.point
    assert "1 of 2 printed numbers have no spread" in verdict.note
    assert verdict.p_support is None


def test_a_number_that_is_not_printed() -> None:
    verdict = judge(claim(Above("a", "b"), published=printed(a=Printed(60.0))), Published())
    assert verdict.outcome == "unmeasured"
    assert verdict.missing == ("the paper prints no number for few_shot[b, set]",)


def test_both_readings() -> None:
    both = claim(Above("a", "b"))
    code = FEW_SHOT.code
    assert code is not None
    scores = planted_scores({Cell(code, "a", "set"): 60.0, Cell(code, "b", "set"): 80.0})
    assert judge(both, measured(scores), reading="code").outcome == "refuted"
    same = claim(Above("a", "b"), protocols=(FEW_SHOT.code,))
    assert "agree" in judge(same, plain(), reading="code").missing[0]


def test_correlation_is_judged_and_paired() -> None:
    xs = tuple(cell(FEW_SHOT, m, "set") for m in "abcdef")
    ys = tuple(cell(CLUSTERING, m, "set") for m in "abcdef")
    means = {t.cells[0]: 20.0 + 10 * i for i, t in enumerate(xs)} | {
        t.cells[0]: 15.0 + 10 * i for i, t in enumerate(ys)
    }
    form = Correlates(xs, ys, 0.7)
    assert judge(claim(form), measured(planted_scores(means))).outcome == "supported"
    assert judge(claim(Not(form)), measured(planted_scores(means))).outcome == "refuted"


def test_a_single_trial_is_told() -> None:
    scores = planted_scores(at(a=80.0, b=60.0), trials=1, examples=500)
    verdict = judge(claim(Above("a", "b")), measured(scores))
    assert verdict.outcome == "supported"
    assert "single trial" in verdict.note
    assert verdict.rows[0].spread is None


def test_inconclusive_says_what_would_settle_it() -> None:
    scores = planted_scores(at(a=61.0, b=60.0), trials=3, examples=100, own=0.5)
    verdict = judge(claim(Above("a", "b")), measured(scores))
    assert verdict.outcome == "inconclusive"
    assert "at the difference seen" in verdict.settle


def test_explain_names_claim_outcome_margin_and_rows() -> None:
    text = judge(claim(Above("a", "b"), disagreements=("text and table differ",)), plain(a=60, b=80)).explain()
    lines = text.splitlines()
    assert lines[0] == "study-claim: refuted (measured)"
    assert lines[2] == "  expected  a above b"
    assert "a − b > 0 (few_shot, set)" in text
    assert "text and table differ" in lines[-1]


def test_as_dict_is_json() -> None:
    for verdict in (judge(claim(Best("a")), plain(a=80, b=60)), judge(claim(None), Published())):
        back = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
        assert back["outcome"] == verdict.outcome
        assert len(back["rows"]) == len(verdict.rows)


@pytest.mark.parametrize(
    ("planted", "outcome"),
    [
        (house.ABOVE, "supported"),
        (house.BEST, "supported"),
        (house.ONPAR, "supported"),
        (house.TIED, "inconclusive"),
        (house.LIAR, "refuted"),
        (house.UNPRINTED, "unmeasured"),
    ],
    ids=lambda value: getattr(value, "id", value),
)
@pytest.mark.parametrize("kind", ["published", "measured"])
def test_the_planted_study(planted: Claim, outcome: str, kind: str) -> None:
    evidence = Published() if kind == "published" else measured(planted_scores(house.TRUTH))
    verdict: Verdict = judge(planted, evidence)
    assert verdict.outcome == outcome, verdict.explain()


def test_a_conjunction_of_many_parts_is_quick() -> None:
    import time

    models = tuple(f"m{i}" for i in range(100))
    scores = planted_scores(at(**dict.fromkeys(models, 60.0)), trials=10, examples=1000)
    many = claim(All(tuple(Above(m, "m0") for m in models[1:])), models=models)
    started = time.process_time()
    judge(many, measured(scores))
    assert time.process_time() - started < 2.0  # a tenth of that when nothing else runs
