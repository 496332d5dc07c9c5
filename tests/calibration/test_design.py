"""Rates are counted from p-values, and the check that says what is out of bounds can fail."""

import numpy as np
import pytest

from mmbench.calibration.design import DESIGNS, HIGH, KINDS, LOW, faults, noise, row


def test_rates_are_counted_from_p_values() -> None:
    found = row("x", np.array([0.01, 0.03, 0.5, 0.99]), np.array([0.99, 0.97, 0.5, 0.01]))
    assert found == {
        "asked": "x",
        "runs": 4,
        "coverage": 0.5,
        "supported": 0.5,
        "refuted": 0.25,
        "false": ["supported", "refuted"],
    }


def test_what_was_not_tested_decides_nothing() -> None:
    found = row("x", [None, 0.01], [None, 0.99], interval=False)
    assert (found["coverage"], found["supported"], found["refuted"]) == (None, 0.5, 0.0)


ROW = {"asked": "v", "runs": 5000, "coverage": 0.95, "supported": 0.05, "refuted": 0.05, "false": ["supported"]}


def test_false_verdicts_are_flagged_only_where_they_are_false_and_beyond_the_noise() -> None:
    assert faults("d", [ROW | {"supported": 0.09}]) == ["d, v: 9.0 % falsely supported"]
    assert faults("d", [ROW | {"refuted": 0.5}]) == []
    assert faults("d", [ROW | {"supported": 0.09, "runs": 50}]) == []


@pytest.mark.parametrize(("coverage", "fault"), [(0.91, "cover 91.0 %"), (0.99, "cover 99.0 %, wider")])
def test_coverage_is_flagged_on_both_sides(coverage: float, fault: str) -> None:
    assert fault in faults("d", [ROW | {"coverage": coverage}])[0]
    assert faults("d", [ROW | {"coverage": None}]) == []


def test_a_design_may_have_a_lower_bound_of_its_own() -> None:
    at = ROW | {"coverage": 0.915}
    assert faults("d", [at])
    assert faults("d", [at], 0.92) == []


def test_the_bounds_leave_room_for_the_error_of_the_simulation() -> None:
    assert noise(LOW, 1000) == pytest.approx(3 * np.sqrt(LOW * (1 - LOW) / 1000))
    assert faults("d", [ROW | {"coverage": LOW - 0.9 * noise(LOW, 5000)}]) == []
    assert faults("d", [ROW | {"coverage": HIGH + 1.1 * noise(HIGH, 5000)}]) != []


def test_designs_of_every_kind_are_registered_and_find_the_issues_cases() -> None:
    names = DESIGNS.names()
    assert {design.kind for design in DESIGNS} == set(KINDS)
    for part in ("clustering", "fresh pools of 12", "views", "dyads", "near the ceiling", "one side", "F1 of", "rdm_"):
        assert any(part in name for name in names), part
    for trials in (2, 3, 5, 10):
        assert f"prototypes, 5 shots, {trials} draws" in names
