"""A dataset's chance level as a quantity: a number that is known with the cell's scores, and no sample."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from mmbench.claims import CLAIMS
from mmbench.claims.claim import as_code
from mmbench.conditions import cell, cells_of, chance, constant, largest, mean, measured_cells_of, with_cells
from mmbench.forms import POOLED, Above, All, AtMost, Correlates, Curve, OnPar
from mmbench.probes.neighbours import NEIGHBOURS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell, ChanceCell
from mmbench.verdict import Published, compare_readings, judge

from .made_claims import at, claim, measured, on_set, right, scored

A, B = cell(FEW_SHOT, "a", "set"), cell(FEW_SHOT, "b", "set")
CHANCE_A, CHANCE_B = chance(FEW_SHOT, "a", "set"), chance(FEW_SHOT, "b", "set")
NOT_ABOVE, IS_ABOVE = AtMost(A, CHANCE_A, slack=2.0, each=POOLED), Above(A, CHANCE_A, by=2.0, each=POOLED)


def verdict(form, **scores):
    return judge(claim(form), measured(on_set(scores.items())))


@pytest.mark.parametrize(
    ("share", "level", "not_above", "above"),
    [
        (0.30, 1 / 3, "supported", "refuted"),
        (0.34, 1 / 3, "inconclusive", "inconclusive"),
        (0.45, 1 / 3, "refuted", "supported"),
        (0.45, 0.5, "supported", "refuted"),  # the same score, where one label is more frequent
    ],
)
def test_a_score_is_held_against_its_own_chance_level(share, level, not_above, above):
    scores = {"a": scored(right(share), chance=level)}
    assert verdict(NOT_ABOVE, **scores).outcome == not_above
    assert verdict(IS_ABOVE, **scores).outcome == above


def test_it_is_judged_as_the_number_itself_would_be():
    scores = {"a": scored(right(0.41), chance=0.375)}
    named, written = (verdict(AtMost(A, other, slack=2.0), **scores) for other in (CHANCE_A, constant(37.5)))
    for field in ("outcome", "estimate", "low", "high", "p_support", "p_refute", "binding", "rows", "truth"):
        assert getattr(named, field) == getattr(written, field), field
    assert "a <= 39.5" in named.binding


def test_of_several_labels_it_is_in_the_unit_of_their_metric():
    scores = scored(np.full(400, 0.5) + 0.1 * right(0.5, 400), chance=0.5, metric="f1_samples")
    found = judge(claim(Above(A, CHANCE_A)), measured({at("a"): scores}))
    assert found.estimate == pytest.approx(0.05, abs=1e-6)
    assert found.outcome == "supported"


def test_each_cell_has_its_own():
    two = {"a": scored(right(0.6), 0.5), "b": scored(right(0.6), 0.7, examples="other")}
    both = All((Above(A, CHANCE_A, each=POOLED), Above(CHANCE_B, B, each=POOLED)))
    assert verdict(both, **two).outcome == "supported"
    over_mean = Above(mean((A, B)), mean((CHANCE_A, CHANCE_B)))
    assert verdict(over_mean, **two).estimate == pytest.approx(0.0, abs=1e-6)
    assert verdict(Above(largest(CHANCE_A, CHANCE_B), constant(69.0)), **two).outcome == "supported"
    assert verdict(OnPar(CHANCE_B - CHANCE_A, constant(20.0), within=0.001), **two).outcome == "supported"


def test_a_comparison_with_chance_says_something():
    """A score at chance is what the comparison is about; two scores at chance say nothing of each other."""
    scores = {"a": scored(right(0.1), 0.1), "b": scored(right(0.1, shift=40), 0.1)}
    assert not verdict(NOT_ABOVE, **scores).uninformative
    assert verdict(Above(A, B), **scores).uninformative


def test_without_scores_it_is_unmeasured():
    found = verdict(Above(A, CHANCE_B), a=scored(right(0.5)))
    assert (found.outcome, found.missing) == ("unmeasured", (f"{at('b')} is not there",))
    printed = judge(claim(NOT_ABOVE), Published({}))
    assert printed.outcome == "unmeasured"
    assert printed.missing == (f"the paper prints no number for chance of {at('a')}, {at('a')}",)


def test_in_a_correlation_and_in_a_curve():
    models = ("a", "b", "c", "d", "e")
    scores = {name: scored(right(0.9 - place / 10), 0.5 - place / 10) for place, name in enumerate(models)}
    correlated = Correlates(
        tuple(cell(FEW_SHOT, name, "set") for name in models),
        tuple(chance(FEW_SHOT, name, "set") for name in models),
        0.5,
    )
    assert verdict(correlated, **scores).estimate == pytest.approx(0.5)  # r = 1, less the threshold
    curve = Curve(lambda x: float(x[0] / x[1]), (A, CHANCE_A), 1.5)
    assert verdict(curve, **scores).estimate == pytest.approx(0.9 / 0.5 - 1.5, abs=1e-3)


def test_the_cells_that_are_measured():
    form = AtMost(A, CHANCE_B, each=POOLED)
    asked = claim(form)
    node = asked.condition("measured")
    assert cells_of(node) == (ChanceCell(FEW_SHOT, "b", "set"), at("a"))
    assert measured_cells_of(node) == asked.cells["measured"] == (at("b"), at("a"))
    assert asked.measurable
    assert str(CHANCE_B) == f"chance of {at('b')}"


def test_a_chance_level_is_not_its_cell():
    level = ChanceCell(FEW_SHOT, "a", "set")
    assert level != at("a")
    assert at("a") != level
    assert level == ChanceCell(FEW_SHOT, "a", "set")
    assert type(level.measured) is Cell
    assert {level: 1, at("a"): 2} == {at("a"): 2, level: 1}
    for again in (copy.deepcopy(level), pickle.loads(pickle.dumps(level)), replace(level)):
        assert again == level
    assert as_code(ChanceCell(NEIGHBOURS, "a", "set")) == ChanceCell(NEIGHBOURS.code, "a", "set")


def test_a_number_in_the_place_of_a_cell_joins_the_constant():
    term = (A * 2.0 - CHANCE_A) + 5.0
    moved = term.with_cells(lambda each: 40.0 if isinstance(each, ChanceCell) else each)
    assert moved == A * 2.0 - 35.0
    node = with_cells(NOT_ABOVE.compile(claim(NOT_ABOVE).scope), lambda each: 10.0)
    assert (node.truth({}), node.term.weights) == (True, ())


def test_two_readings_are_compared_with_the_same_level():
    form = AtMost(cell(NEIGHBOURS, "a", "set"), chance(NEIGHBOURS, "a", "set"))
    asked = claim(form, protocols=(NEIGHBOURS,))
    scores = {at("a", NEIGHBOURS): scored(right(0.3), 0.4), at("a", NEIGHBOURS.code): scored(right(0.34, shift=9), 0.4)}
    evidence = measured(scores)
    paper, code = judge(asked, evidence), judge(asked, evidence, "code")
    assert compare_readings(asked, evidence, paper, code).difference == pytest.approx(-4.0, abs=1e-4)


def test_the_claim_on_tweets_asks_for_it():
    asked = CLAIMS.get("bielawski2022-fewshot-mvsa-needs-more-shots")
    assert asked.measurable
    levels = [each for each in cells_of(asked.condition("measured")) if isinstance(each, ChanceCell)]
    assert {(each.protocol.settings.shots, each.models[0]) for each in levels} == {
        (shots, name) for shots in (10, 100) for name in ("rn50", "bit_m", "clip")
    }
