"""mmbench report, expect, compare and records convert."""

from pathlib import Path

import pytest

import mmbench
from mmbench.cli.main import main
from mmbench.records.files import read_record, save_record

from ..made_records import measured

GATE = Path(mmbench.__file__).parents[1] / "reports" / "gate"
CLAIM = "bielawski2022-mvsa-vision-clip-best"


def test_report_renders_the_newest_and_compares(root, capsys):
    old = next((root / "reports").rglob("0001_*.json"))
    out = root / "pages"
    assert main(["report", "--root", str(root), "--out", str(out), "--against", str(old), "--latex"]) == 0
    said = capsys.readouterr().out
    assert f"{CLAIM} (measured): supported (+1.5) -> refuted (+1.5)" in said
    assert {path.name for path in out.iterdir()} == {"mine.md", "mine.html", "mine.tex"}


def test_report_without_a_record_says_how_to_make_one(tmp_path, capsys):
    assert main(["report", "--root", str(tmp_path)]) == 1
    assert "run: pytest benchmarks" in capsys.readouterr().err


def test_expect_writes_outcomes_and_asks_for_reasons(root, capsys):
    newest = next((root / "reports").rglob("0002_*.json"))
    assert main(["expect", str(newest), "--out", str(root / "expected")]) == 0
    assert f"1 refuted without a reason:\n  {CLAIM}" in capsys.readouterr().out
    path = root / "expected" / "mine.toml"
    path.write_text(path.read_text().replace('reason = ""', 'reason = "small"'))
    assert main(["expect", str(newest), "--out", str(root / "expected")]) == 0
    assert 'reason = "small"' in path.read_text()


def test_a_record_is_the_same_as_itself_in_an_older_schema(tmp_path, capsys):
    new = tmp_path / "0001_base.json"
    assert main(["records", "convert", str(GATE / "base.json"), str(new)]) == 0
    assert capsys.readouterr().out.count("written: ") == 2
    assert main(["compare", str(GATE / "base.json"), str(new)]) == 0
    record = read_record(new)
    assert capsys.readouterr().out.splitlines() == [
        f"claims: {len(record.verdicts)} in both records, no differences",
        f"cells: {len(record.cells)} in both records, no differences",
        "the records say the same",
    ]
    assert main(["gate", str(GATE / "base.json"), str(new)]) == 0  # all outcomes came along
    assert main(["records", "convert", str(GATE / "base.json"), str(new)]) == 1
    assert f"{new} exists and no record is written over" in capsys.readouterr().err


def test_compare_names_what_differs_and_exits_1(root, capsys):
    old, new = sorted((root / "reports").rglob("*.json"))
    assert main(["compare", str(old), str(new)]) == 1
    out = capsys.readouterr().out
    assert f"claims: 1 in both records, 1 difference\n  {CLAIM} (measured): outcome supported and refuted\n" in out
    assert out.endswith("the records differ\n")


def test_compare_shows_some_of_many_differences_and_all_when_asked(make_run, tmp_path, capsys):
    runs = [make_run([measured(f"m{n}", "cub", mean) for n in range(40)]) for mean in (0.5, 0.6)]
    paths = [str(save_record(run, tmp_path)) for run in runs]
    assert main(["compare", *paths]) == 1
    assert "  and 10 more; --all shows them\n" in capsys.readouterr().out
    assert main(["compare", *paths, "--all"]) == 1
    assert capsys.readouterr().out.count("outcomes by trial and example") == 40
    assert main(["compare", *paths, "--tolerance", "100"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.json", "none.json"], "could not compare: there is no record at none.json"),
        (
            ["{record}", "{record}", "--tolerance", "nan"],
            "could not compare: the tolerance is nan; give a number",
        ),
    ],
)
def test_what_cannot_be_compared_exits_2(make_record, tmp_path, capsys, arguments, said):
    record = save_record(make_record(), tmp_path)
    assert main(["compare", *(text.format(record=record) for text in arguments)]) == 2
    assert said in capsys.readouterr().err


def test_what_is_no_record_is_not_converted(tmp_path, capsys):
    (tmp_path / "old.json").write_text("[1]")
    assert main(["records", "convert", str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 1
    assert "is not a record: it has no 'schema'" in capsys.readouterr().err
