"""The registry refuses a second entry under a name and suggests the nearest on a miss."""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmbench.errors import BrokenEntryPoint, DuplicateName, UnknownName
from mmbench.registry import Registry

sys.path.insert(0, str(Path(__file__).parent))
from distributions import write_distribution


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


def test_a_miss_among_many_with_nothing_near_names_the_nearest_all_the_same():
    things: Registry[Thing] = Registry("claim")
    for number in range(40):
        things.add(Thing(f"study2022-number-{number}"))
    things.add(Thing("a_nap"))
    with pytest.raises(UnknownName) as caught:
        things.get("nope")
    assert str(caught.value).startswith("no claim named 'nope'. There are 41; the nearest are 'a_nap', ")
    assert len(str(caught.value)) < 150


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


OFFERED = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Thing:
    name: str

ONE = Thing("one")
CLIP = Thing("clip")
NAMELESS = 7
CALLS = []

def two():
    CALLS.append(1)
    return Thing("two")

def fails():
    raise ZeroDivisionError("no division")
"""
GROUP = "mmbench_test.things"
OPEN = {
    "mmbench.metrics": "mmbench.metrics.entry:METRICS",
    "mmbench.masks": "mmbench.datasets.masks:MASKS",
    "mmbench.model_roles": "mmbench.lineups.roles:MODEL_ROLES",
    "mmbench.dataset_roles": "mmbench.lineups.roles:DATASET_ROLES",
}


@pytest.mark.parametrize("group", OPEN)
def test_a_distribution_adds_an_entry_of_its_own(group, tmp_path, monkeypatch):
    write_distribution(tmp_path, "thing-shop", {group: {"one": "offered_things:ONE"}}, {"offered_things": OFFERED})
    monkeypatch.syspath_prepend(tmp_path)
    module, _, name = OPEN[group].partition(":")
    registry = getattr(importlib.import_module(module), name)
    try:
        assert "one" in registry
        assert type(registry.get("one")).__module__ == "offered_things"
    finally:
        registry._offered.clear()
        sys.modules.pop("offered_things", None)


class TestEntryPoints:
    """Things that a distribution on ``sys.path`` offers, some of them broken."""

    @pytest.fixture
    def things(self, tmp_path, monkeypatch):
        points = {"one": "ONE", "two": "two", "other": "ONE", "nameless": "NAMELESS", "fails": "fails", "gone": "GONE"}
        points = {name: f"offered_things:{value}" for name, value in points.items()} | {"lost": "lost_things:ONE"}
        write_distribution(tmp_path, "thing-shop", {GROUP: points}, {"offered_things": OFFERED})
        monkeypatch.syspath_prepend(tmp_path)
        things: Registry[Thing] = Registry("thing", group=GROUP)
        things.add(Thing("clip"))
        yield things
        sys.modules.pop("offered_things", None)

    def test_names_come_without_importing_anything(self, things):
        assert things.names() == ["clip", "fails", "gone", "lost", "nameless", "one", "other", "two"]
        assert len(things) == 8
        assert "lost" in things
        assert "three" not in things
        assert "offered_things" not in sys.modules

    def test_an_entry_and_a_function_that_makes_one(self, things):
        assert things.get("one").name == "one"
        assert things.get("two") is things.get("two")
        assert sys.modules["offered_things"].CALLS == [1]
        assert things.get("clip") == Thing("clip")

    @pytest.mark.parametrize(("name", "why"), [
        ("lost", "(entry point lost_things:ONE) cannot be loaded (ModuleNotFoundError: No module named 'lost_things'); "
                 "update or uninstall it"),
        ("gone", "(entry point offered_things:GONE) cannot be loaded (AttributeError: module 'offered_things' has no "
                 "attribute 'GONE'); update or uninstall it"),
        ("fails", "(entry point offered_things:fails) gives no thing (ZeroDivisionError: no division); "
                  "update or uninstall it"),
        ("nameless", "(entry point offered_things:NAMELESS) gives a int; expected a thing entry with a name"),
        ("other", "(entry point offered_things:ONE) gives the thing 'one'; the two names must be the same"),
    ])  # fmt: skip
    def test_a_broken_one_names_its_distribution(self, things, name, why):
        with pytest.raises(BrokenEntryPoint) as caught:
            things.get(name)
        assert str(caught.value) == f"thing {name!r} of the distribution thing-shop 1.0 {why}"

    def test_all_of_them_are_those_that_load_and_each_other_is_warned_of_once(self, things):
        with pytest.warns(UserWarning, match="of the distribution thing-shop 1.0") as caught:
            assert [thing.name for thing in things] == ["clip", "one", "two"]
        assert len(caught) == 5
        assert len(list(things)) == 3  # a second warning would be an error here

    def test_a_miss_suggests_them(self, things):
        with pytest.raises(UnknownName, match=r"no thing named 'twoo'. Did you mean 'two'\?"):
            things.get("twoo")

    def test_a_name_that_is_taken_stays_with_its_entry(self, tmp_path, monkeypatch):
        write_distribution(tmp_path, "rival", {GROUP: {"clip": "offered_things:CLIP"}}, {"offered_things": OFFERED})
        monkeypatch.syspath_prepend(tmp_path)
        things: Registry[Thing] = Registry("thing", group=GROUP)
        mine = things.add(Thing("clip"))
        assert things.get("clip") is mine
        words = (
            r"^thing 'clip' of the distribution rival 1.0 \(entry point offered_things:CLIP\) is left out: "
            "the name is taken$"
        )
        with pytest.warns(UserWarning, match=words):
            assert things.names() == ["clip"]
        assert list(things) == [mine]

    def test_two_distributions_with_one_name_are_both_named(self, tmp_path, monkeypatch):
        for shop in ("left", "right"):
            modules = {"offered_things": OFFERED}
            write_distribution(tmp_path / shop, shop, {GROUP: {"one": "offered_things:ONE"}}, modules)
            monkeypatch.syspath_prepend(tmp_path / shop)
        things: Registry[Thing] = Registry("thing", group=GROUP)
        with pytest.raises(DuplicateName) as caught:
            things.get("one")
        assert str(caught.value) == (
            "thing 'one' is offered by the distribution right 1.0 (entry point offered_things:ONE) and the "
            "distribution left 1.0 (entry point offered_things:ONE); uninstall one, names are unique"
        )

    def test_what_is_installed_later_is_found(self, things, tmp_path, monkeypatch):
        write_distribution(tmp_path / "late", "late", {GROUP: {"late": "late_things:LATE"}}, {
            "late_things": OFFERED + 'LATE = Thing("late")',
        })  # fmt: skip
        assert "late" not in things
        monkeypatch.syspath_prepend(tmp_path / "late")
        assert things.get("late").name == "late"


class TestModules:
    """Modules that distributions offer for all that they add."""

    @pytest.fixture
    def shelf(self, tmp_path, monkeypatch):
        """A module with the registry ``THINGS``, which takes the modules of the group ``GROUP``."""
        (tmp_path / "module_shelf.py").write_text(
            "from mmbench.registry import Registry\nfrom offered_things import Thing\n"
            f"THINGS = Registry('thing', modules={GROUP!r})\nOTHERS = Registry('other', modules={GROUP!r})\n"
        )
        (tmp_path / "offered_things.py").write_text(OFFERED)
        monkeypatch.syspath_prepend(tmp_path)
        import module_shelf  # type: ignore[import-not-found]

        yield module_shelf
        for name in ("module_shelf", "offered_things", "offered_shelf"):
            sys.modules.pop(name, None)

    def offer(self, folder, monkeypatch, name, source):
        write_distribution(folder, "shelves", {GROUP: {name: "offered_shelf"}}, {"offered_shelf": source})
        monkeypatch.syspath_prepend(folder)

    def test_one_is_imported_once_before_the_first_look_up_of_either_registry(self, shelf, tmp_path, monkeypatch):
        source = (
            "from module_shelf import OTHERS, THINGS, Thing\n"
            "THINGS.add(Thing('one'))\nassert 'one' in THINGS\nOTHERS.add(Thing('two'))\n"
        )
        self.offer(tmp_path / "new", monkeypatch, "good", source)
        assert "offered_shelf" not in sys.modules
        assert "two" in shelf.OTHERS
        assert shelf.THINGS.names() == ["one"]

    def test_a_broken_one_is_named_and_leaves_the_rest(self, shelf, tmp_path, monkeypatch):
        shelf.THINGS.add(shelf.Thing("mine"))
        self.offer(tmp_path / "new", monkeypatch, "bad", "1 / 0")
        with pytest.warns(UserWarning, match="cannot be imported") as caught:
            assert shelf.THINGS.names() == ["mine"]
        assert [str(each.message) for each in caught] == [
            f"{GROUP} 'bad' of the distribution shelves 1.0 (entry point offered_shelf) cannot be imported "
            "(ZeroDivisionError: division by zero); update or uninstall it"
        ]
        assert shelf.THINGS.names() == ["mine"]  # a second warning would be an error here
