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
