"""A named collection of entries: refuses a second entry under a name, suggests the nearest on a miss."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from mmbench.errors import DuplicateName, UnknownName


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Entries of one kind, in the order they were added.

    With ``package``, the package's modules are imported on first look-up, so that adding an entry is one
    statement in one file and importing mmbench stays cheap.
    """

    def __init__(self, kind: str, package: str | None = None) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, T] = {}

    def add(self, entry: T) -> T:
        """Register ``entry`` under its name; raises DuplicateName when the name is taken."""
        if entry.name in self._entries:
            raise DuplicateName(f"{self.kind} {entry.name!r} is already registered; names are unique")
        self._entries[entry.name] = entry
        return entry

    def get(self, name: str) -> T:
        """The entry called ``name``; raises UnknownName with the nearest names."""
        self._discover()
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._entries) from None

    def names(self) -> list[str]:
        self._discover()
        return list(self._entries)

    def __iter__(self) -> Iterator[T]:
        self._discover()
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        self._discover()
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries

    def _discover(self) -> None:
        if self._package is None:
            return
        package, self._package = importlib.import_module(self._package), None
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                importlib.import_module(f"{package.__name__}.{module.name}")
