"""The judge is calibrated by simulation, the check that says so can fail, and the page is the record's."""

import json
from pathlib import Path

import pytest

from mmbench.calibration import page as calibration
from mmbench.calibration.simulation import SHARES, correlation_power, coverage, false_verdicts, faults, nulls, power
from mmbench.errors import UnknownName

RUNS = 150  # the bounds below allow three standard errors of this many; reports/calibration.json has more
REPORTS = Path(calibration.__file__).parents[2] / "reports"


@pytest.mark.parametrize("trials", [3, 10])
@pytest.mark.parametrize("shares", SHARES)
def test_intervals_cover(shares: str, trials: int) -> None:
    assert faults({"coverage": [coverage("crossed components", shares, trials, RUNS, seed=5_000)]}) == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["examples only (wrong)", "percentile bootstrap (wrong)"])
def test_the_check_flags_wrong_methods(method: str) -> None:
    """With 3 trials that are all that varies, resampling or ignoring trials gives intervals that are far too narrow."""
    found = faults({"coverage": [coverage(method, "trials only", 3, 100, examples=1500)]})
    assert len(found) == 1
    assert method in found[0]


NULLS = {null.name: null for null in nulls()}
RANKED = [name for name in NULLS if name.startswith(("Spearman", "BestRank"))]  # seconds each


@pytest.mark.parametrize("name", [name for name in NULLS if name not in RANKED])
def test_false_verdicts_stay_within_five_percent(name: str) -> None:
    assert faults({"nulls": [false_verdicts(NULLS[name], RUNS, seed=5_000)]}) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", RANKED)
def test_ranks_stay_within_five_percent(name: str) -> None:
    assert faults({"nulls": [false_verdicts(NULLS[name], 40, seed=5_000)]}) == []


@pytest.mark.parametrize(("r", "outcome"), [(0.95, "supported"), (0.2, "refuted")])
def test_clear_correlations_are_settled(r: float, outcome: str) -> None:
    assert correlation_power("pearson", r, 20)[outcome] >= 0.9


def test_the_check_flags_false_verdicts() -> None:
    row = {"null": "x", "runs": 500, "false": ["supported"], "supported": 0.09, "refuted": 0.5}
    assert faults({"nulls": [row]}) == ["x: 9.0 % falsely supported"]
    assert faults({"nulls": [row | {"supported": 0.05}]}) == []
    assert faults({"nulls": [row | {"runs": 50}]}) == []


def test_the_check_flags_intervals_too_wide() -> None:
    row = {"method": "m", "shares": "s", "trials": 5, "runs": 5000, "coverage": 0.995}
    assert "wider than they need be" in faults({"coverage": [row]})[0]


def test_power_grows_with_the_effect() -> None:
    rates = [power(effect, 5, 40)["power"] for effect in (0.0, 6.0, 20.0)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] > 0.95


def test_the_page_is_rendered_from_the_record() -> None:
    record = json.loads((REPORTS / "calibration.json").read_text())
    assert (REPORTS / "calibration.md").read_text() == calibration.render(record)
    assert record["command"] in calibration.render(record)
    for fault in faults({"nulls": record["nulls"]}):
        assert fault in calibration.render(record)


def test_the_wrong_method_stands_flagged_in_the_record() -> None:
    record = json.loads((REPORTS / "calibration.json").read_text())
    wrong = [row for row in record["coverage"] if row["method"] == "examples only (wrong)"]
    assert len(wrong) == len(SHARES)
    assert all(faults({"coverage": [row]}) for row in wrong)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calibration.json").write_text((REPORTS / "calibration.json").read_text())
    return tmp_path


def test_some_rows_are_made_again_and_the_rest_is_kept(folder: Path) -> None:
    before = json.loads((folder / "calibration.json").read_text())
    name = "AtMost at its slack"
    assert calibration.main(["--only", name, "--runs", "3", "--folder", str(folder)]) == 0
    after = json.loads((folder / "calibration.json").read_text())
    assert [row["null"] for row in after["nulls"]] == [row["null"] for row in before["nulls"]]
    changed = [row for row, old in zip(after["nulls"], before["nulls"], strict=True) if row != old]
    assert [(row["null"], row["runs"]) for row in changed] == [(name, 3)]
    assert {key for key in after if after[key] != before.get(key)} == {"nulls", "again"}
    page = (folder / "calibration.md").read_text()
    assert page == calibration.render(after)
    assert "python -m mmbench.calibration --only 'AtMost at its slack' --runs 3 --seed 0" in page


def test_a_row_that_is_new_is_added_and_made_again_only_once(folder: Path) -> None:
    record = json.loads((folder / "calibration.json").read_text())
    record["statistics"] = []
    for runs in (2, 3):
        record = calibration.simulate_again(record, ["micro-averaged F1, 100"], runs)
    assert [(row["statistic"], row["runs"]) for row in record["statistics"]] == [
        ("micro-averaged F1, 100 rows, 1 trial: value", 3),
        ("micro-averaged F1, 100 rows, 1 trial: difference of two models", 3),
    ]
    assert "| micro-averaged F1, 100 rows, 1 trial: value |" in calibration.render(record)


def test_a_name_that_begins_no_row_is_refused_before_anything_is_simulated(folder: Path) -> None:
    with pytest.raises(UnknownName, match=r"no section or row of the calibration named 'nuls'\. Did you mean 'nulls'"):
        calibration.main(["--only", "nuls", "--folder", str(folder)])


def test_every_row_of_the_record_has_a_name_of_its_own() -> None:
    record = json.loads((REPORTS / "calibration.json").read_text())
    for section in ("coverage", "nulls", "statistics", "power", "correlation_power"):
        names = [calibration.name_of(row) for row in record[section]]
        assert len(set(names)) == len(names)


def test_the_record_holds_what_is_simulated_now() -> None:
    record = json.loads((REPORTS / "calibration.json").read_text())
    tasks = list(calibration.tasks(1))
    assert len(record["nulls"]) == sum(task.section == "nulls" for task in tasks)
    shown = {row["statistic"].split(":")[0] for row in record["statistics"]}
    assert shown == {task.name for task in tasks if task.section == "statistics"}


def test_the_command_writes_record_page_and_figure(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(calibration, "TRIALS", (3,))
    monkeypatch.setattr(calibration, "EFFECTS", (5.0,))
    monkeypatch.setattr(calibration.simulation, "nulls", lambda: iter([next(iter(nulls()))]))
    monkeypatch.setattr(calibration.statistic_simulation, "designs", lambda: iter([]))
    assert calibration.main(["--runs", "2", "--folder", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "calibration.json",
        "calibration.md",
        "calibration.svg",
        "calibration_gate.svg",
    }
    assert "--runs 2" in (tmp_path / "calibration.md").read_text()
