"""The plan of a gate: which cells, what is promised, and words for it."""

import pytest

from mmbench.calibration import gate_plan, gate_simulation
from mmbench.calibration.gate_plan import Plan, Promise, matching, plan, plan_lines
from mmbench.errors import BadSpec
from mmbench.records.files import read_record

RECORD = read_record(gate_simulation.latest_record())


@pytest.mark.parametrize(
    ("text", "name", "chosen"),
    [
        ("", "few_shot_5[bit_m, cub]", True),
        ("cub", "few_shot_5[bit_m, cub]", True),
        ("cub and few_shot", "few_shot_5[bit_m, cub]", True),
        ("cub and not few_shot", "few_shot_5[bit_m, cub]", False),
        ("mnist or cub", "few_shot_5[bit_m, cub]", True),
        ("mnist or linear and cub", "few_shot_5[bit_m, cub]", False),
    ],
)
def test_cells_are_chosen_as_by_pytests_k(text, name, chosen) -> None:
    assert matching(text)(name) is chosen


@pytest.mark.parametrize("text", ["a b", "a and", "not", "(a or b) and c", "a or or b"])
def test_what_is_not_read_is_refused(text) -> None:
    with pytest.raises(BadSpec, match="-k "):
        matching(text)


def test_the_plan_of_a_few_cells() -> None:
    found = plan(RECORD, "bit_m and cub and few_shot", runs=30)
    assert {size.dataset for size in found.sizes} == {"cub"}
    assert found.promises[0].seeds == (1, 1)
    assert found.promises[0].caught.keys() == {"cub"}
    assert found.promises[0].false_fail <= 0.1
    narrow = next(p for p in found.promises if p.margin == 0.5)
    assert narrow.caught["cub"] <= found.promises[0].caught["cub"]
    lines = list(plan_lines(found))
    assert lines[0].startswith(
        f"{len(found.sizes)} cells on 1 datasets; 30 simulated gates a number, so that one of 2 %"
    )
    assert lines[0].endswith("is known to 2.6 points (standard error)")  # sqrt(0.02 * 0.98 / 30)


def test_nothing_chosen_and_no_table_are_refused() -> None:
    with pytest.raises(BadSpec, match="has no cells to take sizes from"):
        plan(RECORD, "nothing_like_this")
    other = RECORD.model_copy(update={"lineup": RECORD.lineup.model_copy(update={"name": "paper"})})
    with pytest.raises(BadSpec, match="lineup 'paper' has no table of seed scores; measure it: mmbench seeds paper"):
        plan(other)


def promise(seeds=(1, 1), margin=1.0, false_fail=0.0, caught=1.0) -> Promise:
    return Promise(seeds, margin, false_fail, {"cub": caught})


@pytest.mark.parametrize(
    ("promises", "said"),
    [
        ((promise(),), "the default margins keep both with one seed a side"),
        (
            (promise(false_fail=0.05), promise(margin=1.5), promise(margin=2.0)),
            "with one seed a side, 1.5 times the default",
        ),
        (
            (promise(caught=0.5), promise(seeds=(1, 3))),
            "with the default margins, 1 seeds of the base and 3 of the cand",
        ),
        ((promise(caught=0.5),), "nothing that was tried keeps both"),
    ],
)
def test_the_last_line_says_what_to_do(promises, said) -> None:
    sizes = gate_simulation.sizes_of(RECORD, gate_simulation.table_of(RECORD), matching("bit_m and cub"))
    assert list(plan_lines(Plan(sizes, promises, 10)))[-1].startswith(said)


def test_the_command(capsys) -> None:
    from mmbench.cli.main import main

    record = str(gate_simulation.latest_record())
    assert main(["gate", record, "--plan", "-k", "bit_m and cub and few_shot_5", "--runs", "3"]) == 0
    assert "3 simulated gates a number" in capsys.readouterr().out
    assert main(["gate", record, "--plan", "-k", "nothing_like_this"]) == 3
    assert "has no cells to take sizes from" in capsys.readouterr().err


def test_a_dataset_that_cannot_lose_so_much_is_left_out() -> None:
    sizes = gate_simulation.sizes_of(RECORD, gate_simulation.table_of(RECORD), matching("bit_m and svhn"))
    assert not any(gate_plan._can_lose(size, 20.0, (1, 1)) for size in sizes)


def test_a_base_without_seeds_on_record_is_planned_with_the_margins_that_the_gate_gives_it() -> None:
    """It has 5 % in every cell: an unchanged recipe fails there, and was promised not to."""
    bare = tuple(cell.model_copy(update={"seed_sd": None}) for cell in RECORD.cells)
    found = plan(RECORD.model_copy(update={"cells": bare}), "clustering and bit_m", runs=60)
    assert {size.margin() for size in found.sizes} == {5.0}
    assert found.promises[0].false_fail > 0.1
    assert plan(RECORD, "clustering and bit_m", runs=60).promises[0].false_fail < 0.05
    said = "cells have no seeds on record in this base"
    assert said in "\n".join(plan_lines(found))
    assert said not in "\n".join(
        plan_lines(Plan(plan(RECORD, "clustering and bit_m", runs=1).sizes, found.promises, 1))
    )
