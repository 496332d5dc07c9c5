"""A module's digest follows its imports: what it uses counts wherever it lies, what it does not use never."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import time

import pytest

from mmbench import imports
from mmbench.errors import MissingAsset, UnknownCode
from mmbench.program import canonical, code_of, modules_of, program_digest
from mmbench.program.digest import Source, digest_of, is_installed, is_own_code, programs
from mmbench.registry import imported_object
from mmbench.words import listed

ROOMS = {"probes", "stats"}
FILES = {
    "mmbench.probes.near": "from mmbench.probes.draws import draw\nfrom mmbench.scores import Scores\n"
    "def run(x):\n    from mmbench.stats import means\n    return means.mean(draw(x))",
    "mmbench.probes.draws": "import numpy as np\nfrom mmbench.probes import near\ndef draw(x): return x",
    "mmbench.probes.other": "def run(x): return 0",
    "mmbench.stats.means": "from . import tails\ndef mean(x): return sum(x)",
    "mmbench.stats.tails": "def tail(x): return x",
    "mmbench.stats": "",
    "mmbench.probes": "",
    "mmbench.scores": "class Scores: pass",
}


def digest(files, *modules, rooms=ROOMS):
    packages = {name.rpartition(".")[0] for name in files}

    def read(name):
        return Source(files[name], name in packages) if name in files else None

    return digest_of(modules or ("mmbench.probes.near",), rooms, read)


def edited(name, text):
    return {**FILES, name: FILES[name] + "\n" + text}


@pytest.mark.parametrize("name", FILES)
def test_a_comment_changes_nothing(name):
    assert digest(edited(name, "# a comment")) == digest(FILES)


USED = ["mmbench.probes.near", "mmbench.probes.draws", "mmbench.stats.means", "mmbench.stats.tails"]


@pytest.mark.parametrize("name", FILES)
def test_a_change_counts_in_what_is_imported_and_nowhere_else(name):
    assert (digest(edited(name, "CHANGED = 1")) != digest(FILES)) == (name in USED)


def test_rooms_decide_how_far_imports_are_followed():
    assert digest(edited("mmbench.stats.tails", "CHANGED = 1"), rooms={"probes"}) == digest(FILES, rooms={"probes"})
    everything = ROOMS | {"scores"}
    assert digest(edited("mmbench.scores", "CHANGED = 1"), rooms=everything) != digest(FILES, rooms=everything)
    narrow = {"probes.draws"}
    assert digest(edited("mmbench.probes.draws", "CHANGED = 1"), rooms=narrow) != digest(FILES, rooms=narrow)
    assert digest(edited("mmbench.stats.means", "CHANGED = 1"), rooms=narrow) == digest(FILES, rooms=narrow)


def test_a_room_is_a_whole_name():
    files = {"mmbench.probes.a": "from mmbench.probes_old import f", "mmbench.probes_old": "f = 1"}
    changed = {**files, "mmbench.probes_old": "f = 2"}
    assert digest(files, "mmbench.probes.a") == digest(changed, "mmbench.probes.a")


def test_a_moved_module_changes_nothing():
    moved = {name.replace("stats.means", "probes.sums"): text for name, text in FILES.items()}
    moved["mmbench.probes.near"] = moved["mmbench.probes.near"].replace(
        "from mmbench.stats import means", "from mmbench.probes import sums as means"
    )
    moved["mmbench.probes.sums"] = "from mmbench.stats import tails\ndef mean(x): return sum(x)"
    assert digest(moved) == digest(FILES)


def test_exchanged_modules_are_noticed():
    """The same names from the same modules, but each from the other one."""
    files = {
        "mmbench.probes.a": "def f(x): return x\ndef g(x): return x",
        "mmbench.probes.b": "def f(x): return -x\ndef g(x): return -x",
        "mmbench.probes.p": "from mmbench.probes.a import f\nfrom mmbench.probes.b import g",
    }
    swapped = {**files, "mmbench.probes.p": "from mmbench.probes.b import f\nfrom mmbench.probes.a import g"}
    assert digest(files, "mmbench.probes.p") != digest(swapped, "mmbench.probes.p")


def test_a_module_and_a_name_in_a_module_are_not_one():
    files = {"mmbench.probes.p": "from mmbench.stats import means", "mmbench.stats": "means = 1"}
    module = {**files, "mmbench.stats.means": "means = 1"}
    assert digest(files, "mmbench.probes.p") != digest(module, "mmbench.probes.p")


def test_a_name_of_a_package_counts_beside_a_module_of_that_name():
    files = {
        "mmbench.probes.p": "from mmbench.stats import means",
        "mmbench.stats": "means = 1",
        "mmbench.stats.means": "x = 1",
    }
    before = digest(files, "mmbench.probes.p")
    for name, text in (("mmbench.stats", "means = 2"), ("mmbench.stats.means", "x = 2")):
        assert digest({**files, name: text}, "mmbench.probes.p") != before


def test_several_modules_have_one_digest():
    both = digest(FILES, "mmbench.probes.near", "mmbench.probes.other")
    assert both != digest(FILES)
    assert digest(edited("mmbench.probes.other", "CHANGED = 1"), "mmbench.probes.near", "mmbench.probes.other") != both


def test_a_users_own_package_is_followed():
    files = {
        **FILES,
        "mine": "",
        "mine.probe": "from .parts import f\nfrom mmbench.stats.means import mean\nimport numpy",
        "mine.parts": "from mine import more\ndef f(x): return x",
        "mine.more": "",
        "mine.unused": "",
    }
    before = digest(files, "mine.probe")
    for name, counts in (
        ("mine.parts", True),
        ("mine.more", True),
        ("mmbench.stats.tails", True),
        ("mine.unused", False),
    ):
        changed = {**files, name: files[name] + "\nCHANGED = 1"}
        assert (digest(changed, "mine.probe") != before) == counts, name


def test_a_users_loaded_file_is_read(tmp_path, monkeypatch):
    import importlib.util

    def of(text):
        path = tmp_path / "my_probe.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("my_probe", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "my_probe", module)
        monkeypatch.setitem(imports.ASKED, "my_probe", time.time())  # as a statement of import would
        spec.loader.exec_module(module)
        return [text for _, text in programs(["my_probe"], ROOMS)]

    assert of("x = 1  # one") == of("x = 1") != of("x = 2")


def test_files_beside_a_users_file_are_followed_and_installed_packages_are_not(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages"
    (tmp_path / "lab_parts").mkdir()
    installed.mkdir()
    texts = {
        "lab_probe.py": "import lab_near\nfrom lab_parts.deep import far\nimport lab_installed\nimport numpy",
        "lab_near.py": "x = 1",
        "lab_parts/deep.py": "far = 1",
        "lab_unused.py": "x = 1",
        "site-packages/lab_installed.py": "x = 1",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(installed)
    before = digest_of(["lab_probe"], ROOMS)
    assert set(modules_of("lab_probe", ROOMS)) == {"lab_probe", "lab_near", "lab_parts.deep"}
    assert not [name for name in sys.modules if name.startswith("lab_")]  # read, and not run
    for name, text in texts.items():
        (tmp_path / name).write_text(f"{text}\nCHANGED = 1")
        counts = name not in ("lab_unused.py", "site-packages/lab_installed.py")
        assert (digest_of(["lab_probe"], ROOMS) != before) == counts, name
        (tmp_path / name).write_text(f"{text}  # as before")
        assert digest_of(["lab_probe"], ROOMS) == before, name


def test_the_real_modules():
    logistic, rooms = "mmbench.probes.logistic", {"probes"}
    found = modules_of(logistic, rooms)
    assert found[0] == logistic
    assert all(name.startswith("mmbench.probes") for name in found)
    assert "mmbench.probes.spectral" not in found
    assert program_digest("mmbench.probes.logistic", {"probes"}) == program_digest(
        "mmbench.probes.logistic", {"probes"}
    )
    assert program_digest("mmbench.probes.logistic", {"probes"}) != program_digest(
        "mmbench.probes.spectral", {"probes"}
    )


@pytest.mark.parametrize("name", ["mmbench.probes.nowhere", "nowhere_at_all", "nowhere_at_all.x", "math"])
def test_a_module_without_source_is_an_error(name):
    with pytest.raises(MissingAsset, match=f"module '{name}' has no Python source that can be read"):
        program_digest(name, ROOMS)


def test_a_partial_function_counts_with_its_module_and_what_it_is_given():
    here = program_digest(__name__, ROOMS)
    given = [code_of([functools.partial(digest, module=name)], ROOMS) for name in ("a", "b", "b")]
    assert given[0] != given[1] == given[2]
    assert not {here, code_of([digest], ROOMS)} & set(given)
    assert code_of([functools.partial(digest)], ROOMS) != code_of([functools.partial(edited)], ROOMS)


def test_further_functions_count_where_they_are_not_reached():
    first, reached, further = program_digest, canonical, listed
    rooms = {"program", "words"}
    assert code_of([first], rooms, [reached]) == code_of([first], rooms)
    assert code_of([first], rooms, [further]) == program_digest((first.__module__, further.__module__), rooms)


def test_what_a_function_keeps_from_an_enclosing_one_counts():
    """Else a metric ``of_sums(parts, combine)``, with ``parts`` of mmbench, would be known by that file alone."""

    def scaled(function, by):
        def outcome(x):
            return function(x) * by

        outcome.__module__ = canonical.__module__
        return outcome

    rooms = {"program"}
    one, same, other = (code_of([scaled(canonical, by)], rooms) for by in (1.0, 1.0, 2.0))
    assert one == same != other
    assert code_of([scaled(digest, 1.0)], rooms) != one  # a function of this file


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of a user's modules, which are forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def changed_later(path, text):
    """Write, with a date in the future: a test is faster than the clock of a file system."""
    path.write_text(text)
    os.utime(path, (later := time.time() + 10, later))


def test_a_file_that_is_changed_after_its_import_identifies_no_code(folder):
    for name in ("edited_near", "edited_probe"):
        (folder / f"{name}.py").write_text("import edited_near\nSCALE = 1" if name == "edited_probe" else "SCALE = 1")
    importlib.import_module("edited_probe")
    changed_later(folder / "edited_near.py", "SCALE = 2")
    with pytest.raises(UnknownCode) as told:
        program_digest("edited_probe", ROOMS)
    assert str(told.value) == (
        f"{folder / 'edited_near.py'} was changed while this process runs, so module 'edited_near' may do something "
        "else than it says; start the run again"
    )


def test_a_change_after_the_digest_was_made_is_a_change_of_what_runs_next(folder):
    """The module was imported before: what runs is what was read."""
    path = folder / "edited_known.py"
    path.write_text("SCALE = 1")
    importlib.import_module("edited_known")
    before = program_digest("edited_known", ROOMS)
    changed_later(path, "SCALE = 2")
    assert program_digest("edited_known", ROOMS) == before


def test_a_file_that_is_changed_between_its_reading_and_its_import_identifies_no_code(folder):
    (folder / "edited_early.py").write_text("def run():\n    import edited_late\n    return edited_late.SCALE")
    (folder / "edited_late.py").write_text("SCALE = 1")
    importlib.import_module("edited_early")
    program_digest("edited_early", ROOMS)
    changed_later(folder / "edited_late.py", "SCALE = 2")
    with pytest.raises(UnknownCode, match=r"edited_late\.py was changed after this process read it to identify code"):
        program_digest("edited_early", ROOMS)


def test_a_module_that_is_loaded_again_is_the_one_that_runs(folder):
    path = folder / "edited_again.py"
    path.write_text("SCALE = 1")
    module = importlib.import_module("edited_again")
    path.write_text("SCALE = 2  # two")
    importlib.invalidate_caches()
    importlib.reload(module)
    assert [text for _, text in programs(["edited_again"], ROOMS)] == [canonical("SCALE = 2")]


def test_modules_of_one_installed_distribution_are_followed(folder, monkeypatch):
    """A helper module beside the probe's in site-packages is the user's own where one distribution brings both."""
    place = folder / "site-packages"
    for owner, modules in (("lab", ("ours_probe", "ours_helper")), ("other", ("ours_not",))):
        about = place / f"{owner}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {owner}\nVersion: 1.0\n")
        (about / "RECORD").write_text("".join(f"{name}.py,,\n" for name in modules))
        for name in modules:
            (place / f"{name}.py").write_text("SCALE = 1")
    (place / "ours_probe.py").write_text("from ours_helper import SCALE\nimport ours_not")
    monkeypatch.syspath_prepend(place)
    assert set(modules_of("ours_probe", ROOMS)) == {"ours_probe", "ours_helper"}
    before = digest_of(["ours_probe"], ROOMS)
    (place / "ours_not.py").write_text("SCALE = 2")
    assert digest_of(["ours_probe"], ROOMS) == before
    (place / "ours_helper.py").write_text("SCALE = 2")
    assert digest_of(["ours_probe"], ROOMS) != before


def test_a_file_in_site_packages_that_a_user_names_is_the_users_own(folder, monkeypatch):
    """And so are the files beside it that no distribution brought."""
    place = folder / "site-packages"
    about = place / "other-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (about / "RECORD").write_text("loose_not.py,,\n")
    for name in ("loose_not", "loose_helper"):
        (place / f"{name}.py").write_text("SCALE = 1")
    (place / "loose_model.py").write_text("from loose_helper import SCALE\nimport loose_not\nMINE = 2")
    monkeypatch.syspath_prepend(place)
    assert (is_own_code("loose_model"), is_installed("loose_model")) == (False, True)
    monkeypatch.setattr("mmbench.program.digest.named", mine := set())
    monkeypatch.setattr("mmbench.registry.named", mine)
    assert imported_object("a model", "loose_model", "MINE") == 2
    assert (is_own_code("loose_model"), is_installed("loose_model")) == (True, False)
    assert is_installed("loose_helper")
    assert set(modules_of("loose_model", ROOMS)) == {"loose_model", "loose_helper"}


def test_a_library_that_a_user_names_stays_a_library(monkeypatch):
    monkeypatch.setattr("mmbench.program.digest.named", {"numpy"})
    assert (is_own_code("numpy"), is_installed("numpy")) == (False, True)
