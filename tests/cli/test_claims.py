"""mmbench claims: for people and for programs, with the last verdicts of the records below a folder."""

import json

from mmbench.claims import CLAIMS
from mmbench.cli.main import main

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


def test_an_unreadable_record_is_named_and_left_out(root, capsys):
    (root / "reports" / "runs" / "0009_x.json").write_text('{"schema": 99}')
    assert main(["claims", CLAIM, "--root", str(root)]) == 0
    assert "left out: " in capsys.readouterr().err
