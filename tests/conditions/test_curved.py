"""Curved leaves: value, tangent, bias, negation, and judged by the delta method."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.calibration.planted_evidence import plant, planted_scores
from mmbench.claims import Claim, Place, Printed, Table
from mmbench.conditions import Curved, Linear, Quorum, cell, cells_of, constant, with_cells
from mmbench.errors import BadForm, BadSpec
from mmbench.forms import BY_BOTH, Curve, Form, Not, Scope, Top
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.scores import joint
from mmbench.verdict import Measured, Published, judge

A, B, C = (cell(FEW_SHOT, role, "set") for role in "abc")
TABLE = {A.cells[0]: 70.0, B.cells[0]: 60.0, C.cells[0]: 80.0}
VALUES = st.fixed_dictionaries({term.cells[0]: st.floats(5, 95) for term in (A, B, C)})


def gap(values) -> float:
    """The share of the way from b to c that a has gone."""
    return float((values[0] - values[1]) / (values[2] - values[1]))


def product(values) -> float:
    return float(np.prod(values))


def test_value_margin_and_truth() -> None:
    leaf = Curved(gap, (A, B, C), 0.4, label="gap closed")
    assert leaf.margin(TABLE) == pytest.approx(0.1)
    assert leaf.truth(TABLE) is True
    assert Curved(gap, (A, B, C), 0.6).truth(TABLE) is False
    assert Curved(gap, (A, B, C), 0.6, sign=-1).truth(TABLE) is True
    assert str(leaf) == leaf.words() == "gap closed of 3 quantities >= 0.4"
    assert cells_of(leaf) == tuple(TABLE)


def test_what_is_missing_or_not_finite_is_unknown() -> None:
    leaf = Curved(gap, (A, B, C), 0.4)
    missing = {where: value for where, value in TABLE.items() if where != C.cells[0]}
    for table in (missing, TABLE | {C.cells[0]: np.nan}):
        assert leaf.margin(table) is None
        assert leaf.truth(table) is None
        assert leaf.tangent(table) is None


@given(VALUES)
def test_the_numerical_gradient_is_the_exact_one(table) -> None:
    numerical = Curved(product, (A, B, C), 1.0).tangent(table)
    exact = Curved(product, (A, B, C), 1.0, gradient=lambda v: np.prod(v) / v).tangent(table)
    assert numerical is not None
    assert exact is not None
    assert dict(numerical.weights) == pytest.approx(dict(exact.weights), rel=1e-4)


@given(VALUES, st.sampled_from([1, -1]))
def test_the_tangent_touches_at_the_means(table, sign) -> None:
    leaf = Curved(product, (A + B, B, C * 2), 3.0, sign)
    tangent = leaf.tangent(table)
    assert isinstance(tangent, Linear)
    assert tangent.value(table) == pytest.approx(leaf.margin(table), rel=1e-9)


def test_the_other_side_has_the_opposite_tangent() -> None:
    one, other = (Curved(product, (A, B), 3.0, sign).tangent(TABLE) for sign in (1, -1))
    assert one is not None
    assert other is not None
    assert dict(one.weights) == pytest.approx({A.cells[0]: 60.0, B.cells[0]: 70.0})
    assert dict(other.weights) == pytest.approx(dict((-one).weights))


def test_a_linear_function_is_its_own_tangent_and_has_no_bias() -> None:
    leaf = Curved(lambda v: float(2 * v[0] - v[1] + 5), (A, B), 0.0)
    tangent = leaf.tangent(TABLE)
    assert tangent is not None
    assert dict(tangent.weights) == pytest.approx({A.cells[0]: 2.0, B.cells[0]: -1.0})
    assert tangent.constant == pytest.approx(5.0, abs=1e-6)
    assert leaf.bias(TABLE, lambda terms: np.array([[4.0, 1.0], [1.0, 9.0]])) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_bias_of_a_square_is_the_variance(sign) -> None:
    """E (mean + noise)^2 is mean^2 plus the variance of the noise; with covariances between two terms, each once."""
    square = Curved(lambda v: float((v**2).sum()), (A, B), 0.0, sign)
    cov = np.array([[4.0, 1.0], [1.0, 9.0]])
    assert square.bias(TABLE, lambda terms: cov) == pytest.approx(sign * 13.0)
    mixed = Curved(lambda v: float(v[0] * v[1]), (A, B), 0.0, sign)
    assert mixed.bias(TABLE, lambda terms: cov) == pytest.approx(sign * 1.0)


def test_a_bias_that_is_not_finite_is_left_out() -> None:
    log = Curved(lambda v: float(np.log(v[0])), (A,), 0.0)
    assert log.bias({A.cells[0]: 1.0}, lambda terms: np.array([[4.0]])) == 0.0


def test_negation_and_other_cells() -> None:
    leaf = Curved(gap, (A, B, C), 0.4)
    assert leaf.negated().truth(TABLE) is False
    assert leaf.negated().negated() == leaf
    moved = with_cells(Quorum(1, (leaf,)), lambda old: Cell(old.protocol, old.models, "elsewhere"))
    assert {found.dataset for found in cells_of(moved)} == {"elsewhere"}


# The form


def claim(form, **rest) -> Claim:
    rest = {"protocols": (FEW_SHOT,), "datasets": ("set",), "models": ("a", "b", "c")} | rest
    return Claim("study-claim", "A sentence.", Place("study"), form, **rest)


def verdict(form, means=TABLE, **rest):
    scores = planted_scores(means, seed=3, trials=5, examples=2000)
    return judge(claim(form, **rest), Measured(scores.__getitem__))


@pytest.mark.parametrize(("threshold", "outcome"), [(0.3, "supported"), (0.7, "refuted"), (0.5, "inconclusive")])
def test_it_is_judged(threshold: float, outcome: str) -> None:
    form = Curve(gap, ("a", "b", "c"), threshold, label="gap closed")
    found = verdict(form)
    assert found.outcome == outcome, found.explain()
    assert found.estimate == pytest.approx(gap([row.mean for row in found.rows]) - threshold)
    assert found.low < found.estimate < found.high
    assert "gap closed of 3 quantities" in found.explain()
    opposite = {"supported": "refuted", "refuted": "supported"}.get(outcome, outcome)
    assert verdict(Not(form)).outcome == opposite


def test_the_standard_error_is_the_delta_method_s() -> None:
    scores = planted_scores(TABLE, seed=3, trials=5, examples=2000)
    found = judge(claim(Curve(product, ("a", "b"), 0.0)), Measured(scores.__getitem__))
    pair = [scores[term.cells[0]] for term in (A, B)]
    slopes = np.array([pair[1].mean, pair[0].mean])
    linear = joint(pair).contrasts([slopes])[0]
    assert found.high - found.low == pytest.approx(linear.bound(0.95) - linear.bound(0.05), rel=1e-6)


def test_a_flat_tangent_decides_nothing() -> None:
    flat = Curve(lambda v: float((v[0] - v[0]) + 1.0), ("a",), 0.5, gradient=np.zeros_like)
    found = verdict(flat)
    assert found.outcome == "inconclusive"
    assert found.estimate == pytest.approx(0.5)


def test_printed_numbers_with_and_without_spread() -> None:
    def printed(**spread):
        return (Table("T", Place("study"), {w: Printed(mean, **spread) for w, mean in TABLE.items()}),)

    form = Curve(gap, (A, B, C), 0.3)
    tested = judge(claim(form, published=printed(std=0.5, n=5)), Published())
    assert (tested.outcome, tested.point) == ("supported", False)
    wide = judge(claim(form, published=printed(std=9.0, n=3)), Published())
    assert wide.outcome == "inconclusive"
    by_sign = judge(claim(form, published=printed()), Published())
    assert (by_sign.outcome, by_sign.point) == ("supported", True)


def test_it_is_asked_at_each_point_and_says_so() -> None:
    form = Curve(gap, ("a", "b", "c"), 0.4, sign=-1, label="gap closed", each=BY_BOTH)
    node = form.compile(Scope((FEW_SHOT,), ("x", "y")))
    assert len(list(node.leaves())) == 2
    assert form.words() == "gap closed of 3 quantities at most 0.4, on each dataset"


def test_a_kinked_operand_is_refused() -> None:
    form = Curve(gap, (Top(("a", "b")), "b", "c"), 0.4, label="gap closed")
    with pytest.raises(BadForm, match="gap closed is a smooth function and the best of a, b is not"):
        form.compile(Scope((FEW_SHOT,), ("x",)))


# Planting


@pytest.mark.parametrize("satisfied", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
def test_it_can_be_planted(satisfied: bool, sign) -> None:
    leaf = Curved(gap, (A, B, C), 0.5, sign)
    table = plant(leaf, satisfied)
    assert leaf.truth(table) is satisfied
    assert all(0 <= value <= 100 for value in table.values())
    assert abs(leaf.margin(table)) > 0.1


def test_planted_margins_are_wide() -> None:
    """A quarter of what the function spans over the tables tried, not just past the threshold."""
    leaf = Curved(product, (A, B), 2500.0)
    assert min(leaf.margin(plant(leaf, True, seed=seed)) for seed in range(8)) > 1800


def test_it_is_planted_beside_margins() -> None:
    leaf = Curved(product, (A, B), 2500.0)
    node = Quorum(2, (leaf, Curved(product, (B, C), 2500.0, -1)))
    for satisfied in (True, False):
        assert node.truth(plant(node, satisfied)) is satisfied


def test_what_no_table_satisfies_is_refused() -> None:
    with pytest.raises(BadSpec, match="no table of means"):
        plant(Curved(product, (A, B), 1e6), True)


def test_constants_may_be_among_the_quantities() -> None:
    leaf = Curved(gap, (A, constant(50.0), C), 0.5)
    assert leaf.truth(plant(leaf, True)) is True


# Functions with jumps


def step(values) -> float:
    """One more than the distance where a is above b, one less where it is below: it jumps where they tie."""
    return float(values[0] - values[1] + 100 * np.sign(values[0] - values[1]))


def steps(drawn):
    return np.array([[step(row)] for row in drawn])


@pytest.mark.parametrize("breaks", [True, False])
def test_a_jump_that_noise_may_cross_is_seen_only_by_redraws(breaks) -> None:
    """Nearly a tie: the tangent is sure of a margin of a hundred, redraws are not."""
    scores = planted_scores({A.cells[0]: 60.1, B.cells[0]: 60.0}, seed=3, trials=5, examples=500)
    gap = scores[A.cells[0]].mean - scores[B.cells[0]].mean
    assert 0 < gap < 1.5
    form = _Leaf(Curved(step, (A, B), 0.0, parts=steps if breaks else None))
    found = judge(claim(form), Measured(scores.__getitem__))
    assert found.outcome == ("inconclusive" if breaks else "supported")
    assert found.estimate == pytest.approx(100 + gap, abs=0.1)
    if breaks:
        assert found.low < -90
        assert found.high > 100


def test_a_clear_case_with_jumps_is_decided_both_ways() -> None:
    scores = planted_scores({A.cells[0]: 70.0, B.cells[0]: 60.0}, seed=3, trials=5, examples=2000)
    for sign, outcome in ((1, "supported"), (-1, "refuted")):
        found = judge(claim(_Leaf(Curved(step, (A, B), 0.0, sign, parts=steps))), Measured(scores.__getitem__))
        assert found.outcome == outcome
        assert found.low < found.estimate < found.high


def test_planting_tries_the_tables_that_a_leaf_brings() -> None:
    """A narrow target that a search seldom finds."""
    terms = tuple(cell(FEW_SHOT, role, "set") for role in "abcdefgh")
    leaf = Curved(lambda v: -float(np.abs(v - 50.0).max()), terms, -0.5, planted=((50.0,) * 8, (90.0,) * 8))
    assert leaf.tables[0] == dict.fromkeys(terms, 50.0)
    for satisfied in (True, False):
        assert leaf.truth(plant(leaf, satisfied)) is satisfied
    with pytest.raises(BadSpec):
        plant(replace(leaf, planted=()), True)


@dataclass(frozen=True)
class _Leaf(Form):
    leaf: Curved

    def compile(self, scope):
        return self.leaf

    def words(self):
        return "made up"
