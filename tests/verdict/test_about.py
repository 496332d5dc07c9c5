"""What a verdict's interval speaks of: networks, independent examples, training rows; what print leaves out."""

from dataclasses import replace

import numpy as np
import pytest

from mmbench.claims import Printed
from mmbench.conditions import cell
from mmbench.forms import POOLED, Above
from mmbench.metrics import METRICS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.spectral import CLUSTERING
from mmbench.verdict import About, Published, judge
from mmbench.verdict.about import about_scores

from .made_claims import at, claim, measured, on_set, print_of, right, scored

DRAWN = np.arange(500) // 10


def about_of(**scores):
    return judge(claim(Above("a", "b")), measured(on_set(scores.items()))).about


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({}, "these networks, 500 examples, this training pool"),
        ({"groups": DRAWN, "grouped_by": "drawings"}, "these networks, 50 drawings, this training pool"),
        (
            {"groups": np.stack([DRAWN, DRAWN // 5], axis=1), "grouped_by": "persons"},
            "these networks, 50 persons, this training pool",
        ),
        (
            {"groups": np.where(DRAWN < 40, DRAWN, -1), "grouped_by": "drawings"},
            "these networks, 140 drawings, this training pool",
        ),
        ({"pool": 0.5}, "these networks, 500 examples, this training pool"),  # a single draw
    ],
)
def test_a_measured_interval_names_networks_units_and_pool(extra, said) -> None:
    assert str(about_of(a=scored(right(0.8), **extra), b=scored(right(0.5), **extra))) == said


def test_several_draws_tell_of_fresh_pools() -> None:
    a, b = (np.stack([right(share), right(share, shift=100)]) for share in (0.8, 0.5))
    found = about_of(a=scored(a, pool=0.5), b=scored(b, pool=0.5))
    assert str(found) == "these networks, 500 examples, fresh training pools"


def test_one_cell_of_this_pool_makes_the_verdict_one_on_this_pool() -> None:
    a, b = (np.stack([right(share), right(share, shift=100)]) for share in (0.8, 0.5))
    found = about_of(a=scored(a, pool=0.5), b=scored(b))
    assert found.training == "this training pool"


def test_nothing_is_said_of_a_pool_where_nothing_is_trained() -> None:
    scores = {at(m, CLUSTERING): scored(right(x)) for m, x in (("a", 0.8), ("b", 0.5))}
    found = judge(claim(Above("a", "b"), protocols=(CLUSTERING,)), measured(scores)).about
    assert found == About("these networks", "500 examples", "")


def test_it_is_about_the_cells_that_decide_and_not_about_all_of_the_claims() -> None:
    scores = {
        at(m, dataset=d): scored(right(x, n), examples=d)
        for d, n, x in (("near", 300, 0.5), ("far", 900, 0.8))
        for m in "a"
    }
    scores |= {at("b", dataset=d): scored(right(0.45, n), examples=d) for d, n in (("near", 300), ("far", 900))}
    found = judge(claim(Above("a", "b", each=("dataset",)), datasets=("near", "far")), measured(scores))
    assert "near" in found.binding
    assert found.about.examples == "300 examples"


def test_several_datasets_are_counted_and_one_that_two_roles_play_is_one() -> None:
    cells = [scored(right(0.5, n), examples=name) for n, name in ((300, "x"), (900, "y"), (900, "y"))]
    assert about_scores(cells, ["linear"] * 3, "these networks").examples == "300 to 900 examples of each of 2 datasets"
    drawn = scored(right(0.5), groups=DRAWN, grouped_by="drawings", examples="z")
    both = about_scores([cells[0], drawn], ["linear"] * 2, "the training recipes")
    assert str(both) == "the training recipes, 300 examples and 50 drawings, this training pool"


def test_a_statistic_over_classes_counts_classes() -> None:
    matrices = np.abs(np.random.default_rng(0).normal(size=(1, 2, 12, 12)))
    outcomes = METRICS.get("rdm_pearson").outcome(matrices, np.arange(12))
    found = about_scores([scored(outcomes, 0.0, "rdm_pearson")], ["rdm"], "these networks")
    assert str(found) == "these networks, 12 classes"


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (
            Printed(66.0, 0.2, 5),
            Printed(60.0, 0.2, 5),
            "the paper's seeds (n = 5); its test examples are not in the interval",
        ),
        (
            Printed(66.0, 0.2, 5),
            Printed(60.0, 0.2, 3),
            "the paper's seeds (n = 3 to 5); its test examples are not in the interval",
        ),
        (Printed(0.8, se=0.1), Printed(0.1, exact=True), "standard errors that follow from print"),
        (Printed(66, exact=True), Printed(60, exact=True), "exact numbers"),
        (Printed(66.0), Printed(60.0, 0.2, 5), "numbers without spread: the sign only"),
    ],
)
def test_a_printed_interval_says_what_print_gives(a, b, said) -> None:
    assert str(judge(claim(Above("a", "b"), **print_of(a=a, b=b)), Published()).about) == said


def test_print_and_measurement_differ_where_the_interval_is_shown() -> None:
    """Two intervals of the same width are not the same thing (F9): each line says its own."""
    printed = judge(claim(Above("a", "b"), **print_of(a=Printed(66.0, 0.2, 5), b=Printed(60.0, 0.2, 5))), Published())
    on_examples = judge(
        claim(Above("a", "b")), measured(on_set({"a": scored(right(0.66)), "b": scored(right(0.6))}.items()))
    )
    (line,) = [line for line in printed.explain().splitlines() if line.startswith("  found")]
    assert "] about the paper's seeds (n = 5); its test examples are not in the interval: a − b > 0" in line
    (line,) = [line for line in on_examples.explain().splitlines() if line.startswith("  found")]
    assert "] about these networks, 500 examples, this training pool: a − b > 0" in line


def test_an_unmeasured_verdict_is_about_nothing() -> None:
    found = judge(claim(Above("a", "b")), measured(on_set([("a", scored(right(0.8)))])))
    assert (found.outcome, found.about, str(found.about)) == ("unmeasured", About(), "")


def test_it_goes_into_plain_values() -> None:
    found = judge(
        claim(Above(cell(FEW_SHOT, "a", "set"), cell(FEW_SHOT, "b", "set"), each=POOLED)),
        measured(on_set({"a": scored(right(0.8)), "b": scored(right(0.5))}.items())),
    )
    assert found.as_dict()["about"]["examples"] == "500 examples"
    assert "deciding" not in found.as_dict()
    assert replace(found, deciding=None) == found
