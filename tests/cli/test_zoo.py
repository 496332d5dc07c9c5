"""``mmbench zoo`` lists, trains and verifies, and says what it cannot do."""

from __future__ import annotations

import json

from mmbench.cli.main import main
from mmbench.zoo import weight_files


def test_the_command_lists_and_verifies(capsys):
    assert main(["zoo", "list"]) == 0
    assert "clip_t" in capsys.readouterr().out
    assert main(["zoo", "list", "--json"]) == 0
    assert {card["name"] for card in json.loads(capsys.readouterr().out)} == set(weight_files.shipped())
    assert main(["zoo", "verify", "--steps", "0"]) == 0
    assert "rn50           as its recipe says" in capsys.readouterr().out
    assert main(["zoo", "train", "rn50", "clipp"]) == 1
    assert "Did you mean 'clip'" in capsys.readouterr().err
    assert main(["zoo", "train", "clip", "--threads", "0"]) == 1
    assert "--threads must be at least 1" in capsys.readouterr().err


def test_restamp_changes_nothing_that_has_its_hash(capsys):
    before = {name: weight_files.path_of(name).read_bytes() for name in weight_files.shipped()}
    assert main(["zoo", "restamp"]) == 0
    assert capsys.readouterr().out == "every hash is that of the recipe as it stands; nothing was changed\n"
    assert {name: weight_files.path_of(name).read_bytes() for name in weight_files.shipped()} == before
    assert main(["zoo", "restamp", "clipp"]) == 1
    assert "no weights of 'clipp'" in capsys.readouterr().err
    assert main(["zoo", "restamp", "--steps", "0"]) == 1
    assert "at least 1 step of training, got 0" in capsys.readouterr().err


def test_restamp_names_what_it_changed(capsys, monkeypatch):
    from mmbench import zoo

    monkeypatch.setattr(zoo, "restamp", lambda names, steps: [*names])
    assert main(["zoo", "restamp", "rn50", "--steps", "3"]) == 0
    assert capsys.readouterr().out == "rn50           has the hash of its recipe as it stands\n"
