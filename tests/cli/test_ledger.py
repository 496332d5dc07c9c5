"""``mmbench ledger``: the list, one entry, JSON, and codes that it does not have."""

import json

import pytest

from mmbench.claims import CLAIMS
from mmbench.claims.ledger import LEDGER
from mmbench.cli.main import main


def test_the_list_has_a_line_for_each_entry(capsys):
    assert main(["ledger"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == LEDGER.names()
    assert all(line.endswith(entry.topic) and entry.study in line for line, entry in zip(lines, LEDGER, strict=True))
    assert last == f"{len(LEDGER)} entries; mmbench ledger CODE explains one"


def test_a_difference_from_the_code_with_its_setting_and_claims(capsys):
    assert main(["ledger", "D-11"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "D-11  mean of F1 (bielawski2022)"
    assert lines[:5] == [
        "  where       section 5.2; code: stats.py, stats_loop_feat_classif.py",
        "  paper       F1 is averaged over the films of the test set",
        "  code        the code averages over full batches of 50 films and leaves out the rest",
        "  mmbench     All films count in the reading paper; only full batches in the reading code.",
        "  setting     full_batches_only: paper False, code True (probe mlp)",
    ]
    asking = [claim.id for claim in CLAIMS if any(protocol.probe == "mlp" for protocol in claim.protocols)]
    assert [line.split()[-1] for line in lines[5:]] == asking


def test_a_difference_between_texts_names_claims_that_are_not_registered(capsys):
    assert main(["ledger", "T-26"]) == 0
    out = capsys.readouterr().out
    assert "\n  one place   WiC is said to agree with phrase clustering\n" in out
    assert "\n  claims      hu2022-wic-bert-large-margin\n" in out
    assert out.endswith("\n              hu2022-phrase-clip-above-bert-except-last (not registered)\n")


def test_all_parts_of_a_code(capsys):
    assert main(["ledger", "D-09"]) == 0
    heads = [block.split()[0] for block in capsys.readouterr().out.split("\n\n")]
    assert heads == [f"D-09{letter}" for letter in "abcdef"]


def test_json(capsys):
    assert main(["ledger", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["code"] for row in rows] == LEDGER.names()
    row = next(row for row in rows if row["code"] == "D-03")
    assert row["settings"] == {"renormalise": {"paper": True, "code": False}}
    assert row["probe"] == "prototypes"
    assert "devillers2021-fewshot-bitm-best-natural" in row["claims"]
    assert {"study", "topic", "where", "says", "other", "ours"} < row.keys()


def test_one_study(capsys):
    assert main(["ledger", "--study", "hu2022", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["study"] for row in rows} == {"hu2022"}
    assert len(rows) == sum(entry.study == "hu2022" for entry in LEDGER) > 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["D-1O"],
            "no entry of the ledger named 'D-1O'. Did you mean 'D-21' or 'D-19' or 'D-17'? mmbench ledger lists all.",
        ),
        (["--study", "hu"], "no study in the ledger named 'hu'. Did you mean 'hu2022'?"),
    ],
)
def test_a_name_that_is_not_there(arguments, message, capsys):
    assert main(["ledger", *arguments]) == 1
    assert capsys.readouterr().err == f"mmbench: {message}\n"


def test_a_code_and_a_study_are_too_much(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["ledger", "D-03", "--study", "hu2022"])
    assert stopped.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err
