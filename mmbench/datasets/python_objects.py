"""``python:MODULE:NAME`` and ``python:FILE.py:NAME``: a dataset from a user's Python code.

NAME is a DatasetEntry, or a function of no arguments that returns one. MODULE is imported from the installed packages,
or else run from the current folder. FILE.py is run in place, and again only after it has changed. Both run its code.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from mmbench.datasets.entry import DatasetEntry
from mmbench.datasets.source import SOURCES, DatasetSource, Spec, as_path
from mmbench.errors import BadSpec, MMBenchError


def load_object(place: str, owner: str) -> Any:
    """What ``MODULE:NAME`` or ``FILE.py:NAME`` names; raises BadSpec, which begins with ``owner``."""
    module, colon, name = place.rpartition(":")
    if not (module and colon and name):
        raise BadSpec(f"{owner}: {place!r} is not MODULE:NAME or FILE.py:NAME")
    try:
        found: Any = _module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # the user's code may raise anything
        raise BadSpec(f"{owner}: {place!r} cannot be imported ({type(error).__name__}: {error})") from error
    return found


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
    spec = importlib.util.spec_from_file_location(f"mmbench_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _entry(spec: Spec) -> DatasetEntry:
    found = load_object(spec.name, spec.owner)
    if callable(found) and not isinstance(found, DatasetEntry):
        try:
            found = found()
        except MMBenchError:
            raise
        except Exception as error:  # the user's code may raise anything
            raise BadSpec(f"{spec.owner}: {spec.name!r} raised {type(error).__name__}: {error}") from error
    if not isinstance(found, DatasetEntry):
        raise BadSpec(
            f"{spec.owner} gives a {type(found).__name__}, expected a DatasetEntry or a function that returns one"
        )
    return found


SOURCES.add(DatasetSource("python", "python:MODULE:NAME", _entry, sizes=()))
