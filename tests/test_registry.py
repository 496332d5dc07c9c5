"""The registry refuses a second entry under a name and suggests the nearest on a miss."""

import sys
from dataclasses import dataclass

import pytest

from mmbench.errors import DuplicateName, UnknownName
from mmbench.registry import Registry


@dataclass(frozen=True)
class Thing:
    name: str


def test_entries_keep_the_order_in_which_they_were_added():
    things: Registry[Thing] = Registry("thing")
    for name in ("b", "a", "c"):
        things.add(Thing(name))
    assert things.names() == ["b", "a", "c"]
    assert [thing.name for thing in things] == ["b", "a", "c"]
    assert len(things) == 3
    assert "a" in things
    assert "z" not in things


def test_a_second_entry_under_a_name_is_refused_and_the_first_stays():
    things: Registry[Thing] = Registry("thing")
    first = things.add(Thing("clip"))
    with pytest.raises(DuplicateName, match=r"thing 'clip' is already registered"):
        things.add(Thing("clip"))
    assert things.get("clip") is first


def test_a_miss_names_the_nearest():
    things: Registry[Thing] = Registry("model")
    things.add(Thing("clip_rn50"))
    with pytest.raises(UnknownName) as caught:
        things.get("clip_r50")
    assert str(caught.value) == "no model named 'clip_r50'. Did you mean 'clip_rn50'?"


def test_a_miss_with_nothing_near_lists_what_there_is():
    things: Registry[Thing] = Registry("model")
    things.add(Thing("bit_m"))
    with pytest.raises(UnknownName, match=r"no model named 'zzz'\. Known: bit_m\."):
        things.get("zzz")


def test_a_package_is_imported_on_first_look_up_only(tmp_path, monkeypatch):
    package = tmp_path / "lazy_things"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("import lazy_hub\nlazy_hub.HUB.add(lazy_hub.Thing('one'))\n")
    (package / "_private.py").write_text("raise RuntimeError('private modules are not entries')\n")
    (tmp_path / "lazy_hub.py").write_text(
        "from dataclasses import dataclass\n"
        "from mmbench.registry import Registry\n"
        "@dataclass(frozen=True)\nclass Thing:\n    name: str\n"
        "HUB = Registry('thing', package='lazy_things')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import lazy_hub  # type: ignore[import-not-found]

    assert "lazy_things" not in sys.modules
    assert lazy_hub.HUB.names() == ["one"]
