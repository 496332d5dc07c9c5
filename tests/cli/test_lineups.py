"""mmbench lineup and mmbench fetch."""

import json

from mmbench.cli.main import main


def test_lineup_names_and_rows(capsys):
    assert main(["lineup", "--json"]) == 0
    assert {"embedded", "paper"} <= set(json.loads(capsys.readouterr().out))
    assert main(["lineup", "embedded", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"kind", "role", "spec", "stand_in_for", "note", "here", "problem"} <= rows[0].keys()


def test_fetch_offline_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))
    lineup = tmp_path / "mine.toml"
    lineup.write_text('[lineup]\nname = "mine"\n[datasets.cifar10]\nspec = "categories"\n')
    assert main(["fetch", str(lineup), "--offline"]) == 1
    assert "offline" in capsys.readouterr().err
