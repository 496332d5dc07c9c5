"""mmbench seeds: what it writes, and what it says of a table that does not fit."""

import json

import pytest

from mmbench.bench.bench import Bench
from mmbench.cli.main import main
from mmbench.lineups import load_lineup
from mmbench.lineups.seed_table import read_seeds, text_of
from mmbench.session import seed_scores


@pytest.fixture
def mine(tmp_path):
    """A lineup of the user's with the embedded one's roles."""
    path = tmp_path / "mine.toml"
    path.write_text('[lineup]\nname = "mine"\nextends = "embedded"\n')
    return path


def test_the_shipped_table_fits(capsys) -> None:
    assert main(["seeds", "embedded", "--check"]) == 0
    assert "seeds of clip (3), bit_m (3), rn50 (3), sin (3), slip (2); fits" in capsys.readouterr().out


def test_a_table_that_does_not_fit_is_named_and_exits_with_1(tmp_path, capsys) -> None:
    raw = json.loads(text_of(read_seeds(load_lineup("embedded").seeds)))
    raw["networks"][0]["digest"] = "0" * 64
    path = tmp_path / "old.seeds.json"
    path.write_text(json.dumps(raw))
    assert main(["seeds", "embedded", "--check", "--out", str(path)]) == 1
    found = capsys.readouterr()
    assert "does not fit" in found.out
    assert "mmbench: old.seeds.json: network clip (zoo:clip) had the digest 000000000000 and has" in found.err


def test_the_table_is_written_beside_the_lineup(mine, monkeypatch, capsys) -> None:
    table = read_seeds(load_lineup("embedded").seeds)
    opened = []
    monkeypatch.setattr(Bench, "open", lambda lineup, **options: opened.append((lineup, options)))
    monkeypatch.setattr(
        seed_scores, "measure", lambda bench, command, say, joined: table.model_copy(update={"command": command})
    )
    assert main(["seeds", str(mine), "--store", "kept"]) == 0
    written = mine.with_name("mine.seeds.json")
    assert f"written: {written}" in capsys.readouterr().out
    assert read_seeds(written).command == f"mmbench seeds {mine}"
    assert load_lineup(mine).seeds == written
    assert str(opened[0][1]["store"]) == "kept"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("paper", "--check"), "paper.seeds.json; measure it: mmbench seeds paper"),
        (("paper",), "lineup 'paper' has no recipe with two networks"),
        (("embeded",), "embeded"),
    ],
)
def test_what_cannot_be_done_is_one_line(capsys, arguments, message) -> None:
    assert main(["seeds", *arguments]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
