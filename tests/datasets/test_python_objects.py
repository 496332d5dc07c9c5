"""A dataset from a user's file: its code is in every key, and what it raises is one line."""

from __future__ import annotations

import pytest

from mmbench.bench.code import dataset_code
from mmbench.datasets.one_run import once_a_run
from mmbench.datasets.specs import resolve
from mmbench.errors import BadSpec

CODE = """
import sys
from functools import partial
from mmbench.datasets.entry import DatasetEntry
def load(): return VALUE
def made(): return DatasetEntry(name="mine", load=load, identity=lambda: "v1", classes=2)
def held(): return DatasetEntry(name="mine", load=partial(dict, a=VALUE), identity=lambda: "v1", classes=2)
def boom(): return DatasetEntry(name="mine", load=lambda: 1 / 0, identity=lambda: {}["x"], classes=2)
def leaving(): return DatasetEntry(name="mine", load=lambda: sys.exit(0), identity=lambda: "v1", classes=2)
"""


def entry(folder, value="1", name="made"):
    folder.mkdir(exist_ok=True)
    (folder / "ds.py").write_text(CODE.replace("VALUE", value))
    return resolve(f"python:{folder / 'ds.py'}:{name}")


@pytest.mark.parametrize("name", ["made", "held"])  # a function of the file, and one of a library that it was given
def test_the_file_is_in_the_key(tmp_path, name):
    codes = [
        dataset_code("mine", once_a_run(entry(tmp_path / place, value, name)).entry.load)
        for place, value in (("a", "1"), ("b", "2"), ("c", "1"), ("a", "2"))
    ]
    assert codes[0] == codes[2] != codes[1] == codes[3]


@pytest.mark.parametrize(("name", "asked", "words"), [
    ("boom", "load", "ZeroDivisionError: division by zero at"),
    ("boom", "identity", "KeyError: 'x' at"),
    ("leaving", "load", "SystemExit: 0 at"),
])  # fmt: skip
def test_what_its_functions_raise_is_one_line(tmp_path, name, asked, words):
    with pytest.raises(BadSpec, match=rf"^dataset spec 'python:.*': its code ended in {words}") as caught:
        getattr(entry(tmp_path, name=name), asked)()
    assert "\n" not in str(caught.value)


def test_a_file_that_exits_is_one_line(tmp_path):
    (tmp_path / "ds.py").write_text("import sys; sys.exit(0)")
    with pytest.raises(BadSpec, match=r"cannot be imported \(SystemExit: 0\)$"):
        resolve(f"python:{tmp_path / 'ds.py'}:made")
