"""Every registered claim is judged on a table planted to satisfy it and on one planted to violate it."""

import dataclasses

import numpy as np
import pytest

from mmbench.calibration.planted_evidence import plant, planted_scores
from mmbench.claims import CLAIMS, Claim, Printed
from mmbench.conditions import Correlation, Margin, MeanCorrelation, Quorum, cell, cells_of
from mmbench.errors import BadSpec
from mmbench.forms import Above, All, AtLeast, BestRank, Not, Scope, Top
from mmbench.metrics import METRICS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.verdict import Measured, Published, judge

# Datasets whose cells are F1 between 0 and 1 when the protocol has a metric for several labels.
SEVERAL_LABELS = ("plotster", "mangolin")


def metric_of(cell: Cell) -> str:
    several = cell.dataset.startswith(SEVERAL_LABELS)
    return (several and cell.protocol.multilabel_metric) or cell.protocol.metric


def scale_of(cell: Cell) -> float:
    return METRICS.get(metric_of(cell)).scale


def measured_bounds(cell: Cell) -> tuple[float, float]:
    """Away from floor and ceiling, so that outcomes vary; nearer to the floor where there are hundreds of classes.

    Correlations are planted above 0 too, but for the one of which a claim asks whether it is negative. Where a claim
    asks for 95 % at least, or for 5 % at most, there must be room beyond it.
    """
    low = {"visual_words": 0.002, "semantic_attack": -0.95, "translation_cost": 0.001}.get(cell.protocol.probe, 0.05)
    high = {"told_apart": 0.999}.get(cell.protocol.probe, 0.95)
    return low * scale_of(cell), high * scale_of(cell)


def printed_bounds(printed: dict[Cell, Printed]):
    def bounds(cell: Cell) -> tuple[float, float]:
        if not cell.protocol.printed_only:
            return 0.0, scale_of(cell)
        value = printed[cell].value
        return min(0.0, 2 * value), max(2 * abs(value), 1.0)

    return bounds


def judgeable(evidence: str) -> list[Claim]:
    """Claims whose form can be asked of this evidence, cell by cell."""
    out = []
    for claim in CLAIMS:
        node = claim.condition(evidence)
        if node is None or (evidence == "measured" and not claim.measurable):
            continue
        if evidence == "published" and not set(cells_of(node)) <= set(claim.printed()):
            continue
        out.append(claim)
    return out


@pytest.mark.parametrize("satisfied", [True, False], ids=["satisfied", "violated"])
@pytest.mark.parametrize("claim", judgeable("measured"), ids=lambda claim: claim.id)
def test_measured_claim_follows_the_planted_scores(claim: Claim, satisfied: bool) -> None:
    node = claim.condition("measured")
    assert node is not None
    means = plant(node, satisfied, bounds=measured_bounds)
    assert node.truth(means) is satisfied
    examples = 2500 if len(means) < 100 else 800  # claims over many cells are planted with wide margins
    scores = planted_scores(means, trials=5, examples=examples, trial_share=0.005, metric=metric_of)
    verdict = judge(claim, Measured(scores.__getitem__))
    assert verdict.outcome == ("supported" if satisfied else "refuted"), verdict.explain()


@pytest.mark.parametrize("satisfied", [True, False], ids=["satisfied", "violated"])
@pytest.mark.parametrize("claim", judgeable("published"), ids=lambda claim: claim.id)
def test_published_claim_follows_the_planted_numbers(claim: Claim, satisfied: bool) -> None:
    node = claim.condition("published")
    assert node is not None
    printed = claim.printed()
    bounds = printed_bounds(printed)
    means = plant(node, satisfied, bounds=bounds)
    assert node.truth(means) is satisfied
    # No number with a spread shows an exact tie: a form that needs one could never be supported.
    assert not asks_for_a_tie(node, means) or all(printed[c].exact for c in means)
    bare = any(printed[c].std is None and printed[c].se is None for c in means)
    spread = (lambda c: {}) if bare else (lambda c: {"std": 1e-3 * bounds(c)[1], "n": 5})
    numbers = {c: Printed(mean, **spread(c)) for c, mean in means.items()}
    verdict = judge(claim, Published(numbers))
    assert verdict.outcome == ("supported" if satisfied else "refuted"), verdict.explain()
    assert verdict.point is bare


def asks_for_a_tie(node, means: dict[Cell, float]) -> bool:
    """Whether the table holds by margins of exactly 0 that a conjunction needs."""
    if isinstance(node, Margin):
        return not node.strict and abs(node.term.value(means) or 0.0) < 1e-9 and bool(node.term.weights)
    if isinstance(node, Quorum) and node.n == len(node.parts):
        return any(asks_for_a_tie(part, means) for part in node.parts)
    return False


def test_there_are_claims_to_test() -> None:
    assert len(judgeable("measured")) >= 60
    assert len(judgeable("published")) >= 52


ROLES = Scope((FEW_SHOT,), ("cifar10",), ("a", "b", "c"))


def test_margins_are_as_wide_as_the_units_allow() -> None:
    means = plant(Above("a", "b").compile(ROLES), True, low=10, high=90)
    a, b = (means[Cell(FEW_SHOT, role, "cifar10")] for role in "ab")
    assert a - b >= 0.25 * 80
    assert 10 <= b < a <= 90


def test_what_no_table_can_satisfy_is_refused() -> None:
    node = AtLeast("a", 120.0).compile(ROLES)
    with pytest.raises(BadSpec, match="no table of means within the cells' bounds satisfies"):
        plant(node, True)
    assert plant(node, False)


def test_contradiction_is_refused_and_its_negation_is_planted() -> None:
    node = All((Above("a", "b"), Above("b", "a"))).compile(ROLES)
    with pytest.raises(BadSpec):
        plant(node, True)
    assert node.truth(plant(node, False)) is False


def test_negation_swaps_the_two_tables() -> None:
    form = Above(Top(("a", "b")), "c", by=3)
    means = plant(Not(form).compile(ROLES), True)
    assert form.compile(ROLES).truth(means) is False


def _terms(dataset: str, count: int = 6):
    return tuple(cell(FEW_SHOT, f"m{i}", dataset) for i in range(count))


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("satisfied", [True, False])
def test_correlations_can_be_planted(method, sign, satisfied) -> None:
    node = Correlation(_terms("mnist"), _terms("svhn"), 0.5, sign, method)
    assert node.truth(plant(node, satisfied)) is satisfied


@pytest.mark.parametrize("satisfied", [True, False])
def test_no_correlation_either_way_can_be_planted(satisfied) -> None:
    xs, ys = _terms("mnist", 8), _terms("svhn", 8)
    node = Quorum(2, (Correlation(xs, ys, 0.5, -1), Correlation(xs, ys, -0.5, 1)))
    assert node.truth(plant(node, satisfied)) is satisfied


@pytest.mark.parametrize("satisfied", [True, False])
def test_mean_of_correlations_can_be_planted(satisfied) -> None:
    lists = [_terms(name, 8) for name in ("mnist", "svhn", "cub")]
    pairs = [(lists[0], lists[1]), (lists[0], lists[2]), (lists[1], lists[2])]
    node = MeanCorrelation(tuple(Correlation(x, y, 0.0) for x, y in pairs), 0.6)
    assert node.truth(plant(node, satisfied)) is satisfied


@pytest.mark.parametrize("satisfied", [True, False])
def test_mean_ranks_can_be_planted(satisfied) -> None:
    """Also where one metric is better low."""
    attack = dataclasses.replace(FEW_SHOT, name="attack", metric="attack_success")
    scope = Scope((FEW_SHOT, attack), ("mnist", "svhn"), ("a", "b", "c", "d"))
    for form in (BestRank("a", each=()), BestRank("a", by=0.5), Not(BestRank("a"))):
        node = form.compile(scope)
        assert node.truth(plant(node, satisfied)) is satisfied


def test_planted_scores_have_the_planted_means_and_are_paired() -> None:
    means = {Cell(FEW_SHOT, role, "cifar10"): mean for role, mean in (("a", 80.0), ("b", 75.0), ("c", 0.0))}
    scores = planted_scores(means, trials=10, examples=4000, trial_share=0.0)
    for each, mean in means.items():
        assert scores[each].mean == pytest.approx(mean, abs=2.0)
    a, b, _ = (s.outcomes.mean(axis=0) for s in scores.values())
    assert np.corrcoef(a, b)[0, 1] > 0.5
    assert len({s.examples for s in scores.values()}) == 1
