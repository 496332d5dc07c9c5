"""The page is the record's, the record holds every design, and the command makes some of them again."""

import json
import re
from pathlib import Path

import pytest

from mmbench.calibration import page, rendering
from mmbench.calibration.design import DESIGNS, Design, row
from mmbench.errors import UnknownName

REPORTS = Path(page.__file__).parents[2] / "reports"
RECORD = json.loads((REPORTS / "calibration.json").read_text())
QUICK = "printed correlation of 12 pairs"


def test_the_page_is_rendered_from_the_record() -> None:
    shown = rendering.render(RECORD)
    assert (REPORTS / "calibration.md").read_text() == shown
    assert RECORD["command"] in shown
    for fault in rendering.found_faults(RECORD["designs"]):
        assert f"- {fault}\n" in shown


def test_the_record_holds_every_design_once_and_in_order() -> None:
    assert [made["name"] for made in RECORD["designs"]] == DESIGNS.names()
    for made in RECORD["designs"]:
        rows = [(each["asked"], each.get("wrong")) for each in made["rows"]]
        assert len(set(rows)) == len(rows) > 0


def test_the_help_says_what_a_run_takes_and_how_to_run_a_part(capsys) -> None:
    with pytest.raises(SystemExit):
        page.main(["--help"])
    said = capsys.readouterr().out
    minutes = int(re.search(r"it needs about (\d+) minutes of a core", said)[1])
    assert "--runs 400" in said
    assert "--runs 400" in RECORD["command"]
    assert minutes == pytest.approx(RECORD["seconds"] / 60, rel=0.3)
    for command in re.findall(r"python -m mmbench.calibration (--.*)", said):
        page._parser().parse_args(command.split())
    assert not re.search(r"--\w+ [A-Z]+\n  -", said)  # no option without words


def test_every_row_stands_in_the_table_once() -> None:
    shown = rendering.render(RECORD)
    table = shown.split("## Coverage and false verdicts")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith(("| **", "| design"))]
    designs = [made for made in RECORD["designs"] if made["kind"] != "power"]
    assert len(rows) == sum(len(rendering.right(made)) for made in designs)


def test_methods_that_are_wrong_stand_flagged() -> None:
    """Outcomes taken as independent where trials vary; a bootstrap of 3 trials; whatever else is left out is shown."""
    table = rendering.render(RECORD).split("## Methods that are wrong on purpose")[1].split("\n## ")[0]
    for method in ("examples only", "percentile bootstrap"):
        assert re.search(rf"\| {method} \| difference of two, 3 trials, trials only, 1,500 .* \| yes \|", table)
    for left_out in ("groups", "halves", "pool"):
        assert f"| without {left_out} |" in table


def test_what_exceeds_is_bold_and_what_is_no_error_stands_in_brackets() -> None:
    found = row("value", [0.01] * 100, [0.5] * 100, false=["refuted"])
    made = {"name": "x", "kind": "real", "about": "y", "low": 0.93, "rows": [found]}
    shown = rendering.render({"command": "c", "seconds": 1, "processes": 1, "designs": [made]})
    assert "| x: y | value | **0.0 ± 0.0 %** | (100.0 ± 0.0 %) | 0.0 ± 0.0 % | 100 |" in shown
    assert "- x, value: 95 % intervals cover 0.0 %\n" in shown


def test_what_may_be_chance_is_listed_apart() -> None:
    """8 of 100 false where 6 are allowed: 0.8 standard errors, not listed; 9: 1.3, listed, and not bold."""
    for false, listed in ((8, False), (9, True)):
        found = row("value", [0.5] * 100, [0.01] * false + [0.5] * (100 - false), interval=False)
        made = {"name": "x", "kind": "real", "about": "y", "low": 0.93, "rows": [found]}
        shown = rendering.render({"command": "c", "seconds": 1, "processes": 1, "designs": [made]})
        sure, _, doubtful = shown.partition("Out of bounds by one to 3 standard errors")
        assert "Nothing exceeds them." in sure
        assert (f"- x, value: {false}.0 % falsely refuted\n" in doubtful) == listed
        assert f"**{false}.0" not in shown


def test_a_clean_record_says_so() -> None:
    made = {
        "name": "x",
        "kind": "real",
        "about": "",
        "low": 0.93,
        "rows": [row("value", [0.5] * 19 + [0.01], [0.5] * 20)],
    }
    assert "Nothing exceeds them." in rendering.render(
        {"command": "c", "seconds": 1, "processes": 1, "designs": [made]}
    )


# The command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calibration.json").write_text(json.dumps(RECORD))
    return tmp_path


def arguments(folder: Path, *more: str) -> list[str]:
    return [*more, "--folder", str(folder), "--work", str(folder / "work"), "--processes", "1"]


def test_some_designs_are_made_again_and_the_rest_is_kept(folder: Path) -> None:
    assert page.main(arguments(folder, "--only", QUICK, "--runs", "5")) == 0
    after = json.loads((folder / "calibration.json").read_text())
    assert [made["name"] for made in after["designs"]] == [made["name"] for made in RECORD["designs"]]
    changed = [made for made, old in zip(after["designs"], RECORD["designs"], strict=True) if made != old]
    assert {(made["name"].partition(",")[0], made["runs"]) for made in changed} == {(QUICK, 5)}
    assert after["command"] == RECORD["command"]
    text = (folder / "calibration.md").read_text()
    assert text == rendering.render(after)
    assert f"Made anew by `python -m mmbench.calibration --only '{QUICK}' --runs 5 --seed 0`" in text


def test_a_name_that_begins_no_design_is_refused_before_anything_is_simulated(folder: Path) -> None:
    with pytest.raises(UnknownName, match=r"no design or kind of design named 'planned'\. Did you mean 'planted'"):
        page.main(arguments(folder, "--only", "planned"))
    assert not (folder / "work").exists()


def test_the_command_writes_record_page_and_figures(tmp_path: Path, monkeypatch) -> None:
    few = [design for design in DESIGNS if design.name.startswith(QUICK)]
    monkeypatch.setattr(page, "DESIGNS", few)
    assert page.main(arguments(tmp_path, "--runs", "4", "--without-gate")) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "calibration.json",
        "calibration.md",
        "calibration.svg",
        "work",
    }
    record = json.loads((tmp_path / "calibration.json").read_text())
    assert [made["runs"] for made in record["designs"]] == [4, 4]
    assert record["command"] == "python -m mmbench.calibration --runs 4 --seed 0"


def test_a_record_of_the_first_edition_is_replaced_and_its_gate_kept(tmp_path: Path, monkeypatch) -> None:
    old = {"schema": 1, "command": "old", "again": [{"command": "older"}], "gate": RECORD["gate"]}
    (tmp_path / "calibration.json").write_text(json.dumps(old))
    monkeypatch.setattr(page, "DESIGNS", [Design("one", "real", lambda runs, seed: [row("v", [0.5], [0.5])], 1)])
    monkeypatch.setattr(page, "made", lambda jobs, *_, **__: {job.name: _result(job) for job in jobs})
    assert page.main(arguments(tmp_path, "--without-gate")) == 0
    record = json.loads((tmp_path / "calibration.json").read_text())
    assert record["gate"] == RECORD["gate"]
    assert "again" not in record
    assert (tmp_path / "calibration_gate.svg").is_file()


def _result(job) -> dict:
    rows = [row("value", [0.5], [0.5])]
    return {
        "name": job.name,
        "kind": "real",
        "about": "",
        "low": 0.93,
        "runs": 1,
        "seed": 0,
        "seconds": 0.0,
        "rows": rows,
    }
