"""``python:MODULE:NAME`` and ``python:FILE.py:NAME``: a dataset from a user's Python code.

NAME is a DatasetEntry, or a function of no arguments that returns one. MODULE is imported from the installed packages,
or else run from the current folder. FILE.py is run in place, and again only after it has changed. Both run its code.
What the file does, and the user's files that it imports, is part of every key of the dataset, beside its identity.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from mmbench.datasets.entry import Dataset, DatasetEntry
from mmbench.datasets.source import SOURCES, DatasetSource, Spec, as_path
from mmbench.errors import BadSpec
from mmbench.imports import Noting
from mmbench.registry import running_code_of


def load_object(place: str, owner: str) -> Any:
    """What ``MODULE:NAME`` or ``FILE.py:NAME`` names; raises BadSpec, which begins with ``owner``."""
    return _module_and_object(place, owner)[1]


def _module_and_object(place: str, owner: str) -> tuple[ModuleType, Any]:
    module, colon, name = place.rpartition(":")
    if not (module and colon and name):
        raise BadSpec(f"{owner}: {place!r} is not MODULE:NAME or FILE.py:NAME")
    try:
        code = _module(module)
        found: Any = code
        for part in name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # the user's code may raise anything, and end with sys.exit()
        why = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise BadSpec(f"{owner}: {place!r} cannot be imported ({why})") from error
    return code, found


def _module(name: str) -> ModuleType:
    if name.endswith(".py"):
        return _run_file(as_path(name).resolve())
    file = Path(f"{name.replace('.', '/')}.py").resolve()
    if file.is_file() and importlib.util.find_spec(name.partition(".")[0]) is None:
        return _run_file(file)
    return importlib.import_module(name)


def _run_file(file: Path) -> ModuleType:
    return _run(file, file.stat().st_mtime_ns)


@functools.cache
def _run(file: Path, mtime_ns: int) -> ModuleType:  # a file that has changed is run again
    # One name for each text of each file: the digest of a program is found by the name of its module, and two files
    # of one name in two folders are two programs.
    name = f"mmbench_user_{file.stem}_{hashlib.sha256(f'{file} {mtime_ns}'.encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    Noting.find_spec(name)
    sys.modules[name] = module
    try:  # from the text itself: Python's cache cannot tell two texts of one size within one second
        exec(compile(file.read_bytes(), str(file), "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _entry(spec: Spec) -> DatasetEntry:
    code, found = _module_and_object(spec.name, spec.owner)
    if callable(found) and not isinstance(found, DatasetEntry):
        with running_code_of(spec.owner):
            found = found()
    if not isinstance(found, DatasetEntry):
        raise BadSpec(
            f"{spec.owner} gives a {type(found).__name__}, expected a DatasetEntry or a function that returns one"
        )
    return _of_code(found, code, spec.owner)


def _of_code(entry: DatasetEntry, code: ModuleType, owner: str) -> DatasetEntry:
    """``entry``, whose loader says that it is made by ``code``; what its functions raise is an error of ``owner``."""

    def identity() -> str:
        with running_code_of(owner):
            return entry.identity()

    return dataclasses.replace(entry, load=functools.partial(_loaded, entry, code, owner), identity=identity)


def _loaded(entry: DatasetEntry, code: ModuleType, owner: str) -> Dataset:
    """``code`` is here for ``mmbench.program.behind``, which follows what a loader was given."""
    del code
    with running_code_of(owner):
        return entry.load()


SOURCES.add(DatasetSource("python", "python:MODULE:NAME", _entry, sizes=()))
