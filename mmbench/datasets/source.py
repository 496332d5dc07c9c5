"""Kinds of dataset specification: each registers itself with ``SOURCES.add(DatasetSource(...))`` where it is read.

A package of one's own registers a source with an entry point in the group ``mmbench.dataset_sources`` (its value is a
DatasetSource), and a dataset with one in the group ``mmbench.datasets`` (a DatasetEntry).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmbench.datasets.declared import SPLITS, Declared
from mmbench.datasets.entry import DatasetEntry
from mmbench.errors import BrokenEntryPoint
from mmbench.registry import Registry
from mmbench.spec import IN_A_PATH, Value
from mmbench.spec import as_path as as_path  # sources take it from here

SIZES = ("classes", *SPLITS)


@dataclass(frozen=True)
class Spec:
    """A parsed specification: ``SCHEME:name?options``; ``declared`` are the sizes that it gives."""

    text: str
    name: str
    options: dict[str, str]
    declared: Declared

    @property
    def owner(self) -> str:
        """How messages about this specification begin."""
        return f"dataset spec {self.text!r}"

    @property
    def path(self) -> Path:
        """``name`` as a path."""
        return as_path(self.name)

    @property
    def root(self) -> Path:
        """The option ``root`` as a path."""
        return as_path(self.options["root"])

    def flag(self, key: str) -> bool:
        """An option of the value FLAG; False where it is absent."""
        return self.options.get(key, "0") == "1"

    def number(self, key: str) -> int | None:
        """An option of the value ``whole()``; None where it is absent."""
        return int(self.options[key]) if key in self.options else None


@dataclass(frozen=True)
class DatasetSource:
    """A kind of specification, ``NAME:...``, and the function that makes an entry of one.

    ``form`` shows how it is written. ``options`` are the options that it takes, ``needs`` those that it requires, and
    ``values`` what they may be (any text where nothing is said). ``sizes`` are the options that declare sizes. With
    ``nested``, the name or an option may hold another specification in parentheses. ``note`` says how a value
    that holds an ``&`` is written. ``entry`` reads no file and raises BadSpec or UnknownName.
    """

    name: str
    form: str
    entry: Callable[[Spec], DatasetEntry]
    options: Collection[str] = ()
    needs: Collection[str] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    sizes: Collection[str] = SIZES
    nested: bool = False
    note: str = IN_A_PATH


def _offered(offered: Any, name: str, words: str) -> DatasetSource:
    if not isinstance(offered, DatasetSource) or offered.name != name:
        found = f"the source {offered.name!r}" if isinstance(offered, DatasetSource) else f"a {type(offered).__name__}"
        raise BrokenEntryPoint(f"{words} gives {found}, expected a DatasetSource of the entry point's name")
    return offered


SOURCES: Registry[DatasetSource] = Registry(
    "kind of dataset spec", package="mmbench.datasets", group="mmbench.dataset_sources", convert=_offered
)
