"""Quantities, Kleene truth and rewriting of conditions."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.conditions import (
    Correlation,
    Linear,
    Margin,
    MeanCorrelation,
    Quorum,
    all_of,
    any_of,
    cell,
    cells_of,
    constant,
    largest,
    mean,
    positive,
    printed,
    smallest,
    with_cells,
)
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell

ROLES = "abcd"
CELLS = {role: Cell(FEW_SHOT, role, "set") for role in ROLES}
TERMS = {role: cell(FEW_SHOT, role, "set") for role in ROLES}
values = st.fixed_dictionaries({CELLS[role]: st.floats(0, 100) for role in ROLES})


@given(values, st.floats(-3, 3), st.floats(-10, 10))
def test_quantities_do_arithmetic(table, factor, shift) -> None:
    a, b = TERMS["a"], TERMS["b"]
    combined = (a - b) * factor + shift
    assert combined.value(table) == pytest.approx((table[CELLS["a"]] - table[CELLS["b"]]) * factor + shift, abs=1e-9)
    assert (-combined).value(table) == pytest.approx(-combined.value(table), abs=1e-9)


def test_cells_that_cancel_are_dropped() -> None:
    gone = TERMS["a"] - TERMS["a"]
    assert isinstance(gone, Linear)
    assert gone.cells == ()
    assert gone.value({}) == 0


@given(values, st.floats(-3, 3))
def test_extremes_turn_round_with_the_sign(table, factor) -> None:
    top = largest(*(TERMS[role] for role in ROLES))
    assert (top * factor).value(table) == pytest.approx(max(table.values()) * factor, abs=1e-9)
    assert (-top).value(table) == -max(table.values())
    assert smallest(TERMS["a"], TERMS["b"]).value(table) == min(table[CELLS["a"]], table[CELLS["b"]])


@given(values, st.floats(0, 100))
def test_a_condition_on_an_extreme_needs_no_leaf_of_its_own(table, limit) -> None:
    top, bottom = (pick(*(TERMS[role] for role in ROLES)) for pick in (largest, smallest))
    assert positive(top - limit, strict=False).truth(table) is (max(table.values()) - limit >= -1e-9)
    assert positive(bottom - limit, strict=False).truth(table) is (min(table.values()) - limit >= -1e-9)


@given(values)
def test_the_mean(table) -> None:
    assert mean(TERMS.values()).value(table) == pytest.approx(sum(table.values()) / 4)


def test_missing_cells_have_no_value() -> None:
    assert TERMS["a"].value({}) is None
    assert largest(TERMS["a"], TERMS["b"]).value({CELLS["a"]: 1.0}) is None
    assert Margin(TERMS["a"]).truth({}) is None
    assert Correlation((TERMS["a"],), (TERMS["b"],), 0.0).truth({}) is None


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("states", list(itertools.product([True, False, None], repeat=3)))
def test_quorums_are_kleene(n, states) -> None:
    """What every way of filling in the unknown agrees on is known; the rest is not."""
    table = {
        CELLS[role]: 1.0 if state else -1.0 for role, state in zip(ROLES, states, strict=False) if state is not None
    }
    node = Quorum(n, tuple(Margin(TERMS[role]) for role in ROLES[:3]))
    filled = [
        sum(full) >= n
        for full in itertools.product([True, False], repeat=3)
        if all(s is None or s == f for s, f in zip(states, full, strict=True))
    ]
    assert node.truth(table) is (filled[0] if len(set(filled)) == 1 else None)


def test_strictness_decides_at_zero() -> None:
    table = {CELLS["a"]: 0.1 + 0.2, CELLS["b"]: 0.3}
    assert Margin(TERMS["a"] - TERMS["b"]).truth(table) is False
    assert Margin(TERMS["a"] - TERMS["b"], strict=False).truth(table) is True


def test_single_parts_need_no_quorum() -> None:
    leaf = Margin(TERMS["a"])
    assert all_of([leaf]) is leaf
    assert any_of([leaf]) is leaf
    assert all_of([leaf, leaf]) == Quorum(2, (leaf, leaf))


def test_correlation_without_variation_is_unknown() -> None:
    flat = Correlation((TERMS["a"], TERMS["b"]), (TERMS["c"], TERMS["d"]), 0.0)
    assert flat.truth(dict.fromkeys(CELLS.values(), 5.0)) is None


def test_a_coefficient_is_held_to_its_threshold_from_either_side() -> None:
    a, b, c, d = TERMS.values()
    table = dict(zip(CELLS.values(), (1.0, 2.0, 5.0, 4.0), strict=True))  # r = -1
    pair, turned = Correlation((a, b), (c, d), -1.0), Correlation((a, b), (d, c), 0.5, -1)
    both = MeanCorrelation((pair, turned), 0.25, -1)
    assert (pair.coefficient(table), turned.coefficient(table)) == pytest.approx((-1.0, 1.0))
    assert [leaf.margin(table) for leaf in (pair, turned, both)] == pytest.approx([0.0, -0.5, 0.25])
    assert [leaf.truth(table) for leaf in (pair, turned, both)] == [True, False, True]
    assert both.margin({}) is None
    assert list(both.leaves()) == [both]


def test_cells_are_found_and_replaced_everywhere() -> None:
    a, b, c, d = TERMS.values()
    pair = Correlation((a, b), (c, d), 0.5)
    node = Quorum(2, (Margin(a - b), pair, MeanCorrelation((pair,), 0.5)))
    assert set(cells_of(node)) == set(CELLS.values())
    moved = with_cells(node, lambda old: Cell(old.protocol, old.models, "elsewhere"))
    assert {found.dataset for found in cells_of(moved)} == {"elsewhere"}
    assert len(cells_of(moved)) == 4


def test_printed_numbers_and_constants_say_themselves() -> None:
    assert str(printed("r")) == "printed[r, ]"
    assert str(constant(2.0) - TERMS["a"]) == "- few_shot[a, set] + 2"
