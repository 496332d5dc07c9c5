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


def test_a_models_own_code_is_listed_and_not_run(tmp_path, monkeypatch, capsys):
    """A listing of a lineup that came from elsewhere must not run what stands beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_models.py").write_text("from pathlib import Path\nPath('was run').touch()\nmine = 3\n")
    lineup = tmp_path / "mine.toml"
    lineup.write_text(
        '[lineup]\nname = "mine"\n[models.clip]\nspec = "python:my_models:mine"\n'
        '[datasets.cifar10]\nspec = "python:my_models:mine"\n'
    )
    assert main(["lineup", str(lineup)]) == 0
    assert "from your own code, which is not run here" in capsys.readouterr().out
    assert main(["fetch", str(lineup), "--offline"]) == 0
    assert capsys.readouterr().out.startswith("not run  clip: python:my_models:mine is your own code")
    assert not (tmp_path / "was run").exists()


def test_a_listing_shows_control_characters_as_text(tmp_path, capsys):
    """A terminal would obey them."""
    sign = "\\u001b[2J"
    lineup = tmp_path / "mine.toml"
    lineup.write_text(
        f'[lineup]\nname = "mine{sign}"\nabout = "of{sign}"\n[unbound.models]\nclip = "not{sign}"\n'
        f'[datasets.cifar10]\nspec = "categories"\nstand_in_for = "other{sign}"\n'
    )
    assert main(["lineup", str(lineup)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert [text in shown for text in (r"mine\x1b[2J", r"of\x1b[2J", r"not\x1b[2J", r"other\x1b[2J")] == [True] * 4
    main(["fetch", str(lineup), "--offline"])
    assert "\x1b" not in capsys.readouterr().out
