"""The gate is right as often as the page says, wrong gates are flagged, and what is planted is what was meant."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmbench import stats
from mmbench.calibration import gate_page, gate_simulation, page
from mmbench.calibration.gate_simulation import (
    EDGE,
    NEAR,
    Size,
    Variant,
    among,
    cells_with_room,
    datasets_with_room,
    faults,
    judged,
    latest_record,
    on_one,
    planted,
    rates,
    sizes_of,
    table_of,
)
from mmbench.calibration.real_seeds import leave_one_out
from mmbench.errors import BadSpec
from mmbench.gate.decision import LEVEL, Margins, decide, gains, settle
from mmbench.gate.seed_margins import FACTOR
from mmbench.records.files import read_record

REPORTS = gate_simulation.RUNS.parent
RECORD = read_record(gate_simulation.latest_record())
TABLE = table_of(RECORD)
SIZES = sizes_of(RECORD, TABLE)
FEW = SIZES[::4]  # a quarter of the cells, for time
SMALL = (Variant(), Variant(loss=2.0), EDGE, NEAR[0])
RUNS = 40


def unadjusted(p_worse, p_not_worse):
    """Wrong on purpose: every cell fails at the full level, however many there are."""
    return [
        "fail" if worse <= LEVEL else "pass" if not_worse <= LEVEL else "inconclusive"
        for worse, not_worse in zip(p_worse, p_not_worse, strict=True)
    ]


def unpaired(base, candidates):
    """Wrong on purpose: base and candidate as if each had its own examples and draws."""
    everyone = enumerate([*base, *(scores for (scores,) in candidates)])
    joint = stats.crossed([stats.Sample(each.outcomes, base[0].scale, examples=i) for i, each in everyone])
    size = len(candidates)
    return joint.contrasts(np.hstack([np.full((size, 1), -1.0), np.eye(size)]))


@pytest.fixture(scope="module")
def found() -> np.ndarray:
    return judged(FEW, SMALL, RUNS, seed=7)


def part(found: np.ndarray, **how) -> dict:
    """What ``faults`` reads of a record, from the four small variants."""
    unchanged, twice, edge, near = (rates(at, **how) for at in found)
    every = [{"loss": 0.0, **unchanged}, {"loss": 2.0, **twice}]
    local = [{"loss": 2.0, **rates(on_one(datasets_with_room(FEW), found[0], found[1]), **how)}]
    return {"runs": RUNS, "every": every, "dataset": local, "edge": edge, "near": [near]}


# The gate and gates that are wrong


def test_the_gate_keeps_its_bounds(found: np.ndarray) -> None:
    assert faults(part(found)) == []


def test_without_holm_the_edge_is_flagged(found: np.ndarray) -> None:
    assert any(f.startswith("a loss of just the margin") for f in faults(part(found, rule=unadjusted)))


def test_without_pairs_a_small_change_does_not_pass() -> None:
    """On all cells: of a quarter of them the wide margins of some leave room even for the unpaired."""
    near = (NEAR[0],)
    paired, apart = (rates(judged(SIZES, near, 10, 7, method=method)[0])["pass"] for method in (gains, unpaired))
    assert apart < gate_simulation.CAUGHT <= paired


def test_a_margin_below_the_noise_of_seeds_fails_the_unchanged(found: np.ndarray) -> None:
    assert any(f.startswith("an unchanged model") for f in faults(part(found, margin=0.1)))


def test_a_gate_that_never_fails_is_flagged(found: np.ndarray) -> None:
    def meek(worse, not_worse):
        return ["pass" if outcome == "fail" else outcome for outcome in settle(worse, not_worse)]

    assert faults(part(found, rule=meek)) == [
        "a loss of twice the margin is caught only in 0.0 %",
        "such a loss on one dataset only is caught only in 0.0 %",
    ]


def test_a_gate_that_looks_at_the_mean_of_all_cells_is_flagged(found: np.ndarray) -> None:
    """Wrong on purpose: sees a loss on every cell and none on a part of them."""

    def at_large(worse, not_worse):
        return [settle([np.quantile(worse, 0.75)], [1.0])[0]] * len(worse)

    assert "such a loss on one dataset only is caught only in 0.0 %" in faults(part(found, rule=at_large))


# What is simulated is the gate


def test_rates_are_those_of_decide() -> None:
    variant = (Variant(loss=1.25),)
    outcomes = []
    margins = Margins(by_cell={str(i): size.margin() for i, size in enumerate(FEW[:6])})
    for run in range(12):
        pairs = list(planted(FEW[:6], variant, np.random.default_rng([3, run])))
        base = {str(i): b for i, (b, _) in enumerate(pairs)}
        outcomes.append(decide(base, {str(i): c for i, (_, (c,)) in enumerate(pairs)}, margins).decided)
    found = rates(judged(FEW[:6], variant, 12, seed=3)[0])
    assert found == {outcome: outcomes.count(outcome) / 12 for outcome in found}
    assert 0 < found["fail"] < 1


def test_another_margin_is_another_margin() -> None:
    pairs = list(planted(FEW[:6], (Variant(loss=2.0),), np.random.default_rng([3, 0])))
    half = Margins(by_cell={str(i): size.margin() / 2 for i, size in enumerate(FEW[:6])})
    base = {str(i): b for i, (b, _) in enumerate(pairs)}
    decision = decide(base, {str(i): c for i, (_, (c,)) in enumerate(pairs)}, half)
    assert rates(judged(FEW[:6], (Variant(loss=2.0),), 1, seed=3)[0], margin=0.5)[decision.decided] == 1.0


# What is planted is what was meant

CELL = Size("prototypes", "x", "accuracy", trials=10, examples=800, mean=0.6, chance=0.1, spread=0.03)


def means(variant: Variant, size: Size = CELL, runs: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Means of base and candidate in points, by run."""
    pairs = [next(planted([size], (variant,), np.random.default_rng([1, run]))) for run in range(runs)]
    return np.array([b.mean for (b, *_), _ in pairs]), np.array([c.mean for _, ((c, *_),) in pairs])


@pytest.mark.parametrize(("loss", "chance", "expected"), [(0.0, 0.1, 60.0), (2.0, 0.1, 50.0), (3.0, 0.55, 55.0)])
def test_a_loss_is_in_margins_and_stops_at_chance(loss: float, chance: float, expected: float) -> None:
    size = Size("prototypes", "x", "accuracy", 10, 800, 0.6, chance, 0.03)
    base, candidate = means(Variant(0.0, loss), size)
    assert base.mean() == pytest.approx(60.0, abs=0.6)
    assert candidate.mean() == pytest.approx(expected, abs=0.6)


def test_two_trainings_differ_by_the_noise_of_both() -> None:
    size = replace(CELL, sd=0.04)
    quiet, noisy = ((candidate - base).var() for base, candidate in (means(Variant(n), size) for n in (0.0, 1.0)))
    assert noisy - quiet == pytest.approx(2 * 4.0**2, rel=0.35)


def test_cells_move_together_as_the_seeds_did() -> None:
    """Two cells with the same ways move alike, a third that the table lacks by itself."""
    sizes = [replace(CELL, dataset=str(n), sd=0.08, ways=ways) for n, ways in enumerate([(0.6, 0.8), (0.6, 0.8), ()])]
    rows = [list(planted(sizes, (Variant(),), np.random.default_rng([4, run]))) for run in range(80)]
    moved = np.array([[c.mean - b.mean for (b, *_), ((c,),) in row] for row in rows])
    r = np.corrcoef(moved, rowvar=False)
    assert r[0, 1] > 0.9
    assert abs(r[0, 2]) < 0.4


def test_the_mean_of_several_seeds_moves_less() -> None:
    size = replace(CELL, sd=0.06)

    def spread(seeds: tuple[int, int]) -> float:
        found = judged([size], (Variant(seeds=seeds),), 150, seed=2)[0, 0, :, 0] * size.margin(seeds)
        return float(found.std())

    assert spread((3, 3)) < 0.75 * spread((1, 1))


def test_sizes_have_the_seeds_of_the_table() -> None:
    known = [size for size in SIZES if size.ways]
    assert len(known) > len(SIZES) / 2
    assert {len(size.ways) for size in known} == {14}
    assert all(np.linalg.norm(size.ways) == pytest.approx(1.0) for size in known)
    clustering = next(size for size in SIZES if (size.family, size.dataset) == ("spectral", "mnist"))
    assert clustering.margin() == pytest.approx(3 * 100 * clustering.sd, rel=0.01)
    assert clustering.margin() > 10 > 5 == min(size.margin() for size in SIZES if size.metric == "accuracy")


def test_a_small_change_moves_little() -> None:
    base, candidate = means(NEAR[0])
    other, retrained = means(Variant(0.0))
    assert (candidate - base).std() < (retrained - other).std() / 3
    assert (candidate - base).mean() == pytest.approx(0.0, abs=0.1)


def test_trials_spread_as_the_record_says() -> None:
    pairs = (next(planted([CELL], (), np.random.default_rng([2, run]))) for run in range(60))
    spread = np.mean([base.by_trial.var(ddof=1) for (base,), _ in pairs]) ** 0.5
    assert spread == pytest.approx(3.0, rel=0.15)


def test_planted_differences_are_as_uncertain_as_real_ones() -> None:
    """Standard errors of real pairs of zoo models on these cells: quartiles 0.9 to 1.6 points of accuracy."""
    accurate = [size for size in FEW if size.metric == "accuracy"]
    found = judged(accurate, (Variant(),), 3)[0, 1] * [size.margin() for size in accurate]
    low, high = np.quantile(found, [0.25, 0.75])
    assert 0.8 < low < high < 2.0


def test_one_cell_is_damaged_and_it_has_as_much_to_lose() -> None:
    unchanged, damaged = np.zeros((3, 500, len(SIZES))), np.ones((3, 500, len(SIZES)))
    changed = on_one(cells_with_room(SIZES), unchanged, damaged)[0].astype(bool)
    assert (changed.sum(axis=1) == 1).all()
    assert not unchanged.any()
    for cell in np.flatnonzero(changed.any(axis=0)):
        assert SIZES[cell].mean - SIZES[cell].chance >= 0.1


def test_one_dataset_is_damaged_and_all_of_it() -> None:
    unchanged, damaged = np.zeros((3, 200, len(SIZES))), np.ones((3, 200, len(SIZES)))
    changed = on_one(datasets_with_room(SIZES), unchanged, damaged)[0].astype(bool)
    drawn = set()
    for row in changed:
        (name,) = {SIZES[cell].dataset for cell in np.flatnonzero(row)}
        assert row.sum() == sum(size.dataset == name for size in SIZES)
        drawn.add(name)
    assert len(drawn) == len(datasets_with_room(SIZES)) > 2


@pytest.mark.parametrize("count", [1, 7, len(SIZES)])
def test_a_smaller_gate_has_its_damaged_cell_and_others(count: int) -> None:
    numbered = np.broadcast_to(np.arange(float(len(SIZES))), (3, 50, len(SIZES)))
    after, before = among(count, cells_with_room(SIZES), numbered, numbered + 1000)
    assert after.shape == before.shape == (3, 50, count)
    assert (after[..., 0] == before[..., 0] + 1000).all()
    assert (after[..., 1:] == before[..., 1:]).all()
    assert all(len(set(row)) == count for row in before[0])
    assert {int(cell) for cell in before[0, :, 0]} <= {cell for (cell,) in cells_with_room(SIZES)}


def test_fewer_cells_show_a_loss_of_one_more_often() -> None:
    unchanged, twice = judged(FEW, (Variant(), Variant(loss=2.0)), RUNS, seed=7)
    caught = [rates(among(n, cells_with_room(FEW), unchanged, twice)[0])["fail"] for n in (1, len(FEW))]
    assert caught[0] > caught[1] + 0.1


# Sizes


def test_sizes_are_those_of_the_role_with_most_cells() -> None:
    cells = [c for c in RECORD.cells if "rn50" in c.models and gate_simulation._plain(c)]
    assert len(SIZES) == len(cells) == 192
    assert {(s.dataset, s.trials, s.examples) for s in SIZES} == {(c.dataset, len(c.trials), c.examples) for c in cells}
    for share in ("mean", "chance", "spread"):
        assert 0 <= min(getattr(s, share) for s in SIZES) < max(getattr(s, share) for s in SIZES) <= 1


def test_a_record_without_cells_and_a_folder_without_records_are_refused(tmp_path: Path) -> None:
    empty = RECORD.model_copy(update={"cells": ()})
    with pytest.raises(BadSpec, match="record 'embedded' has no cells to take sizes from"):
        sizes_of(empty, TABLE)
    with pytest.raises(BadSpec, match="no record of the embedded lineup below"):
        latest_record(tmp_path)


def test_the_latest_record_has_the_highest_number(tmp_path: Path) -> None:
    for name in ("b/0002_embedded.json", "a/0010_embedded.json", "a/0011_other.json", "c/0003_embedded.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert latest_record(tmp_path).name == "0010_embedded.json"


# The record and its page


def test_the_stored_record_keeps_the_bounds_at_todays_margins() -> None:
    gate = json.loads((REPORTS / "calibration.json").read_text())["gate"]
    assert faults(gate) == []
    assert gate["runs"] >= 500
    assert gate["margins"] == gate_simulation.margins_of(SIZES), "the margins or the table changed; simulate again"
    assert gate["factor"] == FACTOR
    assert gate["real"] == leave_one_out(TABLE)
    for key in ("every", "dataset", "single"):
        assert [row["loss"] for row in gate[key]] == list(gate_simulation.LOSSES)


def test_the_page_says_what_a_single_cell_may_hide() -> None:
    gate = json.loads((REPORTS / "calibration.json").read_text())["gate"]
    page = "\n".join(gate_page.render(gate))
    caught = {row["loss"]: row["fail"] for row in gate["single"]}[2.0]
    assert caught < gate_simulation.CAUGHT
    assert f"a loss of twice the margin on one cell of 192 is caught in {100 * caught:.3g} %" in page
    for row in gate["among"]:
        assert f"| {row['cells']} | {100 * row['caught']:.3g} % | {100 * row['unchanged']:.3g} % |" in page


def test_faults_are_printed_on_the_page() -> None:
    gate = json.loads((REPORTS / "calibration.json").read_text())["gate"]
    assert "All five are kept." in gate_page.render(gate)
    gate["edge"]["fail"] = 0.2
    assert "**Broken:** a loss of just the margin, without seed noise, fails in 20.0 %." in gate_page.render(gate)


def test_the_command_lays_its_part_into_the_record(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(gate_simulation, "sizes_of", lambda record, table: FEW)
    shutil.copy(REPORTS / "calibration.json", tmp_path)
    before = json.loads((tmp_path / "calibration.json").read_text())
    assert page.main(["--gate-only", "--runs", "1", "--seed", "5", "--folder", str(tmp_path)]) == 0
    after = json.loads((tmp_path / "calibration.json").read_text())
    command = after.pop("gate")["command"]
    assert " --runs 1 --seed 5 --sizes reports/runs/" in command
    assert (gate_simulation.HOUSE / command.split()[-1]).is_file()
    before.pop("gate")
    assert after == before
    assert command in (tmp_path / "calibration.md").read_text()
    assert (tmp_path / "calibration_gate.svg").read_text().rstrip().endswith("</svg>")


def test_the_batch_of_candidates_is_each_by_itself() -> None:
    for (base,), candidates in planted(FEW[:4], SMALL, np.random.default_rng(0)):
        together = gains(base, candidates)
        for i, (candidate,) in enumerate(candidates):
            assert together[i].value == pytest.approx(gains(base, [candidate])[0].value)
            assert together[i].se == pytest.approx(gains(base, [candidate])[0].se)
