"""Lineup files that are none, and roles that were mistyped."""

import os

import pytest

from mmbench.errors import BadSpec
from mmbench.lineups import load_lineup
from mmbench.lineups.named import likely_role


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("~nobody-has-this-name/x.toml", "there is no lineup file '~nobody.*home directory"),
        ("a\0.toml", r"there is no lineup file .*embedded null"),
        ("x" * 5000 + ".toml", "File name too long"),
    ],
)
def test_what_no_path_can_be_is_no_lineup(name, said):
    with pytest.raises(BadSpec, match=said):
        load_lineup(name)


def written(folder, text):
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    return folder / "mine.toml"


@pytest.mark.parametrize("value", ["[" * 100_000 + "]" * 100_000, "1" * 5000])
def test_a_lineup_that_toml_cannot_read_is_refused_in_one_line(tmp_path, value):
    path = written(tmp_path, f'[lineup]\nname = "a"\nx = {value}\n')
    with pytest.raises(BadSpec, match=r"mine\.toml is not TOML: "):
        load_lineup(path)


def test_a_byte_order_mark_is_no_part_of_a_lineup(tmp_path):
    assert load_lineup(written(tmp_path, '\ufeff[lineup]\nname = "marked"\n')).name == "marked"


def test_a_pipe_is_no_lineup(tmp_path):
    """It would be waited for without end."""
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(BadSpec, match="a pipe stands there"):
        load_lineup(tmp_path / "pipe.toml")


@pytest.mark.parametrize(
    ("role", "meant"),
    [
        ("clop", "clip"),
        ("cilp", "clip"),
        ("vut", "vit"),
        ("rn51", None),
        ("clip2", "clip"),
        ("mine", None),
        ("clip", None),
    ],
)
def test_one_slip_in_a_short_role_is_a_typing_mistake(role, meant):
    assert likely_role(role, ["clip", "rn50", "vit"]) == meant
