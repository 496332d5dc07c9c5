"""The unit of a margin: percentage points, a metric's name, r, places, or that of the paper's table."""

from dataclasses import replace

import pytest

from mmbench.claims import CLAIMS, Place, Printed, Table
from mmbench.conditions import Curved, MeanCorrelation, RankLead, cell, positive
from mmbench.forms import Above, Correlates
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.verdict import Published, judge
from mmbench.verdict.unit import unit_of

from .made_claims import at, claim, measured, on_set, print_of, right, scored

SHARES = {"a": 0.8, "b": 0.5, "c": 0.3}
TERMS = tuple(cell(FEW_SHOT, name, "set") for name in SHARES)


@pytest.mark.parametrize(("metric", "unit"), [("accuracy", "points"), ("f1_samples", "f1_samples"), ("nmi", "nmi")])
def test_a_measured_difference_is_in_points_or_named_by_its_metric(metric, unit) -> None:
    scores = {name: scored(right(share), metric=metric) for name, share in SHARES.items()}
    found = judge(claim(Above("a", "b")), measured(on_set(scores.items())))
    assert found.unit == unit
    assert f" {unit}, one-sided" in found.explain()


@pytest.mark.parametrize(("method", "unit"), [("pearson", "r"), ("spearman", "rho")])
def test_a_correlation_is_in_r_or_rho(method, unit) -> None:
    form = Correlates(TERMS, (*TERMS[1:], TERMS[0]), 0.1, method=method)
    scores = {name: scored(right(share)) for name, share in SHARES.items()}
    assert judge(claim(form), measured(on_set(scores.items()))).unit == unit
    assert unit_of(MeanCorrelation((form.leaf(), form.leaf()), 0.1), {}) == unit


def test_other_functions_and_ranks_have_units_of_their_own() -> None:
    assert unit_of(Curved(sum, TERMS, 0.5, label="log-odds"), {}) == "of log-odds"
    assert unit_of(RankLead((TERMS,), 0, 1), {}) == "places"


@pytest.mark.parametrize(("unit", "said"), [("%", "points"), ("F1", "F1"), ("", "as printed")])
def test_a_printed_difference_is_in_the_unit_that_its_table_states(unit, said) -> None:
    (table,) = print_of(a=Printed(80.0, std=0.5, n=5), b=Printed(50.0, std=0.5, n=5))["published"]
    assert judge(claim(Above("a", "b"), published=(replace(table, unit=unit),)), Published()).unit == said


def test_a_printed_correlation_is_in_r_and_mixed_units_are_all_named() -> None:
    tables = (
        Table("T", Place("study"), {at("a"): Printed(0.9, pairs=12)}),
        Table("U", Place("study"), {at("b"): Printed(0.1, std=0.01, n=5)}, unit="F1"),
    )
    assert judge(claim(Above("a", 0.5), published=tables), Published()).unit == "r"
    assert judge(claim(Above("a", "b"), published=tables), Published()).unit == "r and F1"


def test_units_that_a_claim_scales_are_said_to_be_weighed() -> None:
    a, b = (cell(FEW_SHOT, name, "set") for name in "ab")
    units = {c: unit for term, unit in ((a, "points"), (b, "r")) for c in term.cells}
    assert unit_of(positive(a * 0.01 - b), units) == "points and r, weighed by the claim"
    assert unit_of(positive(a * 0.01), units) == "points"
    assert unit_of(positive(a - b), units) == "points and r"


def test_what_is_not_judged_has_no_unit() -> None:
    assert judge(claim(Above("a", "b")), Published()).unit == ""


def test_printed_tables_of_one_unit_state_it() -> None:
    said = {}
    for each in CLAIMS:
        for table in each.published:
            said[each.study, table.name] = table.unit
    assert said["bielawski2022", "Table 5.1"] == said["bielawski2022", "Table 5.2"] == "%"
    assert said["bielawski2022", "Table 5.3"] == "F1"
    assert said["clip2021", "Table 1"] == said["hu2022", "Table 1"] == "%"
