"""The zoo's own seeds, one recipe left out: intervals between them, and the gate on them."""

import pytest

from mmbench.calibration import real_seeds
from mmbench.calibration.real_seeds import intervals_without_zero, leave_one_out
from mmbench.gate import seed_margins
from mmbench.lineups import load_lineup
from mmbench.lineups.seed_table import SeedTable, read_seeds


@pytest.fixture(scope="module")
def table() -> SeedTable:
    return read_seeds(load_lineup("embedded").seeds)


def test_intervals_between_two_seeds_of_a_recipe_exclude_0_about_as_often_as_they_say(table) -> None:
    """Nominal 5 %; 14 % without the level. S comes from the two other recipes, four degrees of freedom."""
    found = intervals_without_zero(table)
    assert found["pairs"] >= 9 * 50
    assert found["before"] > 0.1
    assert found["after"] <= 0.08


def test_the_gate_leaves_an_unchanged_recipe_alone_and_sees_a_loss_on_one_dataset(table) -> None:
    found = leave_one_out(table)
    assert found["pairs"] == 26
    assert found["failed"] == 0
    assert found["caught"] / found["losses"] >= 0.8
    assert found["before"]["failed"] >= 2  # 5 % of the range for every cell


def test_margins_without_seeds_are_seen_to_fail(table, monkeypatch) -> None:
    monkeypatch.setattr(seed_margins, "FACTOR", 0.0)
    found = leave_one_out(table)
    assert found["failed"] == found["before"]["failed"] > 0


def test_a_gate_that_never_fails_is_seen(table, monkeypatch) -> None:
    monkeypatch.setattr(real_seeds, "_fails", lambda *parts: False)
    assert leave_one_out(table)["caught"] == 0
