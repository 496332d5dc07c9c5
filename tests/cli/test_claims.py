"""mmbench claims: for people and for programs, with the last verdicts of the records below a folder."""

import json

from mmbench.claims import CLAIMS
from mmbench.cli.main import main
from mmbench.records.files import save_record
from mmbench.records.schema import LineupPart, Record, VerdictPart

from .conftest import MACHINE

CLAIM = "bielawski2022-mvsa-vision-clip-best"


def test_claims_as_json(root, capsys):
    assert main(["claims", "--json", "--root", str(root)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [claim.id for claim in CLAIMS if not claim.made_up]
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


def test_an_unknown_claim_names_the_nearest_and_how_all_are_listed(root, capsys):
    lists = "mmbench claims lists all, with --study those of a study."
    assert main(["claims", CLAIM.replace("vision", "vison"), "--root", str(root)]) != 0
    assert f"no claim named 'bielawski2022-mvsa-vison-clip-best'. Did you mean '{CLAIM}'" in (
        said := capsys.readouterr().err
    )
    assert said.endswith(f"? {lists}\n")
    assert main(["claims", "nope", "--root", str(root)]) != 0
    said = capsys.readouterr().err
    assert "the nearest are" in said
    assert "planted" not in said
    assert said.endswith(f". {lists}\n")
    assert len(said) < 300


def test_an_unknown_claim_that_is_part_of_others_names_these(root, capsys):
    assert main(["claims", "YFCC", "--root", str(root)]) != 0
    assert "the nearest are 'clip2021-yfcc-filter', 'clip2021-yfcc-rn50-matches-ngrams'. " in capsys.readouterr().err


def test_what_qualifies_the_last_verdicts_is_said(tmp_path, capsys):
    measured = VerdictPart(
        claim=CLAIM, study="bielawski2022", evidence="measured", outcome="refuted", estimate=-1.5, low=-3.0, high=-0.1,
        p_support=0.99, p_refute=0.03, holm_support=1.0, holm_refute=0.3, at_chance=2,
        uninformative="neither side is better than chance",
        parts=({"label": "x", "outcome": "refuted"}, {"label": "y", "outcome": "refuted"}),
        about={"networks": "these networks", "examples": "219 drawings", "training": "this training pool"},
        other_reading={"outcome": "inconclusive"}, readings={"difference": 2.0, "low": 1.0, "high": 3.0, "p": 0.01},
        unit="points",
    )  # fmt: skip
    printed = VerdictPart(
        claim=CLAIM, study="bielawski2022", evidence="published", outcome="supported", estimate=2.0, point=True
    )
    record = Record(
        label="mine", machine=MACHINE, versions={}, lineup=LineupPart(name="mine"), started="2026-01-01T00:00:01Z",
        seconds=1.0, verdicts=(measured, printed),
    )  # fmt: skip
    save_record(record, tmp_path / "reports" / "runs" / "box")
    assert main(["claims", CLAIM, "--root", str(tmp_path)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    start = next(i for i, line in enumerate(lines) if "refuted (measured on mine -1.5 points)" in line)
    assert lines[start + 1 : start + 6] == [
        "one-sided 95 % bounds [-3, -0.1] about these networks, 219 drawings, this training pool",
        "adjusted over its study: p 0.30 (Holm)",
        "UNINFORMATIVE, not after Holm",
        "UNINFORMATIVE: neither side is better than chance in the comparison that decides; "
        "uninformative comparisons: 2 of 2",
        "under the authors' code: inconclusive; whether the verdict is the same is open. The paper's deciding margin "
        "differs there: by +2 [+1, +3] (95 %, paired), p 0.010.",
    ]
    assert any("supported (published +2, sign only)" in line for line in lines)
    assert main(["claims", CLAIM, "--json", "--root", str(tmp_path)]) == 0
    signs, found = sorted(json.loads(capsys.readouterr().out)["last"], key=lambda last: not last["point"])
    assert (signs["point"], found["holm"], found["reading"]) == (True, 0.3, "open")
    assert (found["unit"], signs["unit"]) == ("points", "")
    assert found["about"] == "these networks, 219 drawings, this training pool"


def test_an_unreadable_record_is_named_and_left_out(root, capsys):
    (root / "reports" / "runs" / "0009_x.json").write_text('{"schema": 99}')
    assert main(["claims", CLAIM, "--root", str(root)]) == 0
    assert "left out: " in capsys.readouterr().err
