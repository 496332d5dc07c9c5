"""The mmbench command: what it prints, for people and for programs, and how it fails."""

import json
import subprocess
import sys

import pytest

from mmbench.claims import CLAIMS
from mmbench.cli.main import main
from mmbench.records.files import save_record
from mmbench.records.schema import LineupPart, Record, VerdictPart

MACHINE = {"cpu": "a processor", "cores": 2, "os": "Linux 6", "architecture": "x86_64", "python": "3.11.7"}
CLAIM = "bielawski2022-mvsa-vision-clip-best"


@pytest.fixture
def root(tmp_path):
    """A folder with two records of one claim, the later one refuting it."""
    for second, outcome in ((1, "supported"), (2, "refuted")):
        verdict = VerdictPart(claim=CLAIM, study="bielawski2022", evidence="measured", outcome=outcome, estimate=1.5)
        record = Record(
            label="mine", machine=MACHINE, versions={}, lineup=LineupPart(name="mine"),
            started=f"2026-01-01T00:00:0{second}Z", seconds=1.0, verdicts=(verdict,),
        )  # fmt: skip
        save_record(record, tmp_path / "reports" / "runs" / "box")
    return tmp_path


def test_help_is_fast_and_loads_nothing_heavy():
    code = "import sys; from mmbench.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'numpy', 'torch', 'pydantic', 'pytest'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "pytest benchmarks" in done.stdout


def test_claims_as_json(root, capsys):
    assert main(["claims", "--json", "--root", str(root)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [claim.id for claim in CLAIMS if claim.study != "planted"]
    for row in rows:
        assert {"id", "study", "place", "section", "protocol", "expects", "last"} <= row.keys()
        assert isinstance(row["published"], bool)
        assert isinstance(row["measurable"], bool)
    (last,) = next(row["last"] for row in rows if row["id"] == CLAIM)
    assert (last["evidence"], last["lineup"], last["outcome"]) == ("measured", "mine", "refuted")


def test_claims_for_people(root, capsys):
    assert main(["claims", "--study", "bielawski2022", "--root", str(root)]) == 0
    out = capsys.readouterr().out
    assert f"\n    {CLAIMS.get(CLAIM).where}; mlp_head; refuted (measured on mine +1.5)" in out
    assert "devillers2021-" not in out


def test_one_claim_explained(root, capsys):
    assert main(["claims", CLAIM, "--root", str(root)]) == 0
    out = capsys.readouterr().out
    assert CLAIMS.get(CLAIM).says in out
    assert f"pytest benchmarks -k {CLAIM}" in out
    assert "Table 5.1" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["claims", CLAIM[:-1]], f"no claim named '{CLAIM[:-1]}'. Did you mean '{CLAIM}'"),
        (["claims", "--study", "devilers2021"], "Did you mean 'devillers2021'"),
        (["lineup", "embeded"], "no lineup named 'embeded'. Did you mean 'embedded'?"),
        (["report", "none.json"], "there is no record at none.json"),
        (["expect", "none.json"], "there is no record at none.json"),
        (["zoo", "train", "rn51"], "Did you mean"),
    ],
)
def test_errors_are_one_line_and_exit_1(arguments, message, capsys):
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mmbench: ")
    assert message in line


@pytest.mark.parametrize("arguments", [[], ["clams"], ["zoo", "feed"]])
def test_a_wrong_command_line_exits_2(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_lineup_names_and_rows(capsys):
    assert main(["lineup", "--json"]) == 0
    assert {"embedded", "paper"} <= set(json.loads(capsys.readouterr().out))
    assert main(["lineup", "embedded", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"kind", "role", "spec", "stand_in_for", "note", "here", "problem"} <= rows[0].keys()


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


def test_an_unreadable_record_is_named_and_passed_over(root, capsys):
    (root / "reports" / "runs" / "0009_x.json").write_text('{"schema": 99}')
    assert main(["claims", CLAIM, "--root", str(root)]) == 0
    assert "passed over: " in capsys.readouterr().err


def test_fetch_offline_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))
    lineup = tmp_path / "mine.toml"
    lineup.write_text('[lineup]\nname = "mine"\n[datasets.cifar10]\nspec = "categories"\n')
    assert main(["fetch", str(lineup), "--offline"]) == 1
    assert "offline" in capsys.readouterr().err
