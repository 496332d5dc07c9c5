"""A named collection of entries: refuses a second entry under a name, suggests the nearest on a miss.

Entries come from three places: statements ``REGISTRY.add(entry)`` in a user's own code, the modules of ``package``, and
entry points of installed distributions in ``group``. A distribution offers an entry with

    [project.entry-points."mmbench.datasets"]
    my_dataset = "my_package.my_module:ENTRY"

whose name is the entry's name. Its code is imported when that name is asked for, or when all entries are.

Claims come by the dozen, so an entry point of the group ``mmbench.claims`` names a whole module (and is named as one
likes): it is imported before claims or roles are looked up, and adds them by statements.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import pkgutil
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from mmbench.errors import BadSpec, BrokenEntryPoint, DuplicateName, MMBenchError, UnknownName
from mmbench.imports import named, offering


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def by_name(entry: Named) -> str:
    """The order of a registry whose entries have no other."""
    return entry.name


# From what an entry point gives, the name asked for, and words that name the entry point, to an entry.
Convert = Callable[[Any, str, str], T]


class Registry(Generic[T]):
    """Entries of one kind, in the order they were added; those of entry points behind them, by name.

    With ``package``, the package's modules are imported on first look-up, so that adding an entry is one
    statement in one file and importing mmbench stays cheap. With ``group``, the entry points of that group are
    entries too: ``convert`` makes an entry of what one gives, and by default it must be an entry, or a function without
    arguments that returns one, whose ``name`` is the entry point's. With ``modules``, the entry points of that group
    name modules that add entries themselves; they are imported before the first look-up, and one that cannot be
    imported is left out with a warning. Entries come in the order in which they were added, which is that in which
    modules happen to be imported; with ``order``, sorted by what that says of each, so that no page depends on it.
    """

    def __init__(
        self,
        kind: str,
        package: str | None = None,
        group: str | None = None,
        convert: Convert[T] | None = None,
        modules: str | None = None,
        order: Callable[[T], str] | None = None,
    ) -> None:
        self.kind, self._order = kind, order
        self._package, self._modules = package, modules
        self._group, self._convert = group, convert or self._as_it_is
        self._entries: dict[str, T] = {}
        self._offered: dict[EntryPoint, T] = {}
        self._warned: set[EntryPoint] = set()

    def take_from(self, group: str, convert: Convert[T]) -> None:
        """As ``group`` and ``convert`` of the constructor, for a module above the one that makes the registry."""
        self._group, self._convert = group, convert

    def add(self, entry: T) -> T:
        """Register ``entry`` under its name; raises DuplicateName when the name is taken."""
        if entry.name in self._entries:
            raise DuplicateName(f"{self.kind} {entry.name!r} is already registered; names are unique")
        self._entries[entry.name] = entry
        return entry

    def get(self, name: str) -> T:
        """The entry called ``name``.

        Raises UnknownName with the nearest names, BrokenEntryPoint when a distribution offers it and cannot be
        loaded, and DuplicateName when two distributions offer it.
        """
        self._discover()
        if name in self._entries:
            return self._entries[name]
        points = self._points()
        if name in points:
            return self._load(points[name])
        raise UnknownName(self.kind, name, self.names())

    def names(self) -> list[str]:
        """Every name; those that distributions offer are not loaded for it."""
        self._discover()
        return [*(entry.name for entry in self._own()), *self._points()]

    def __iter__(self) -> Iterator[T]:
        """Every entry; one that cannot be loaded from another distribution is left out with a warning."""
        self._discover()
        found = self._own()
        for points in self._points().values():
            try:
                found.append(self._load(points))
            except MMBenchError as error:
                self._warn(points[0], str(error))
        return iter(found)

    def __len__(self) -> int:
        return len(self.names())

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries or name in self._points()

    def _own(self) -> list[T]:
        found = list(self._entries.values())
        return sorted(found, key=self._order) if self._order else found

    def _discover(self) -> None:
        if self._package is not None:
            package, self._package = importlib.import_module(self._package), None
            for module in pkgutil.iter_modules(package.__path__):
                if not module.name.startswith("_"):
                    importlib.import_module(f"{package.__name__}.{module.name}")
        if self._modules is not None:
            _import_offered(self._modules)

    def _points(self) -> dict[str, tuple[EntryPoint, ...]]:
        """The entry points by name, without those whose name an entry of ours has, of which a warning is given."""
        if self._group is None:
            return {}
        found = _entry_points(self._group, tuple(sys.path))
        for name in found.keys() & self._entries.keys():
            self._warn(found[name][0], f"{self._words(name, found[name][0])} is left out: the name is taken")
        return {name: points for name, points in found.items() if name not in self._entries}

    def _load(self, points: tuple[EntryPoint, ...]) -> T:
        point, *others = points
        if others:
            both = " and ".join(_source(each) for each in points)
            raise DuplicateName(f"{self.kind} {point.name!r} is offered by {both}; uninstall one, names are unique")
        if point not in self._offered:
            words = self._words(point.name, point)
            offering.add(point.module.partition(".")[0])
            try:
                offered = point.load()
            except Exception as error:  # whatever another's code raises when it is imported
                why = f"{type(error).__name__}: {error}"
                raise BrokenEntryPoint(f"{words} cannot be loaded ({why}); update or uninstall it") from error
            try:
                self._offered[point] = self._convert(offered, point.name, words)
            except MMBenchError:
                raise
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                raise BrokenEntryPoint(f"{words} gives no {self.kind} ({why}); update or uninstall it") from error
        return self._offered[point]

    def _words(self, name: str, point: EntryPoint) -> str:
        return f"{self.kind} {name!r} of {_source(point)}"

    def _as_it_is(self, offered: Any, name: str, words: str) -> T:
        entry = offered() if callable(offered) and not hasattr(offered, "name") else offered
        if not isinstance(getattr(entry, "name", None), str):
            raise BrokenEntryPoint(f"{words} gives a {type(entry).__name__}; expected a {self.kind} entry with a name")
        if entry.name != name:
            raise BrokenEntryPoint(f"{words} gives the {self.kind} {entry.name!r}; the two names must be the same")
        return entry

    def _warn(self, point: EntryPoint, text: str) -> None:
        if point not in self._warned:
            self._warned.add(point)
            warnings.warn(text, stacklevel=3)


def imported_object(owner: str, module: str, name: str) -> Any:
    """The object ``name`` (dotted) of ``module``, whose code is run; raises BadSpec that begins with ``owner``.

    Inside ``searched(Path.cwd())`` it may be in a user's file in the current folder.
    """
    with running_code_of(owner):
        named.add(module.partition(".")[0])
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise BadSpec(f"{owner} cannot be imported from {Path.cwd()} or a package: {error}") from error
    return found


@contextlib.contextmanager
def running_code_of(owner: str) -> Iterator[None]:
    """Whatever a user's code raises inside is BadSpec that begins with ``owner`` and says where it happened.

    That holds for ``sys.exit()`` too: the code that a file of others ends with is no result of ours.
    """
    try:
        yield
    except MMBenchError:
        raise
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        frames = traceback.extract_tb(error.__traceback__)
        place = (
            f" at {frames[-1].filename}:{frames[-1].lineno}" if frames and not isinstance(error, SyntaxError) else ""
        )
        raise BadSpec(f"{owner}: its code ended in {why[:300]}{place}; mend it and try again") from error


@contextlib.contextmanager
def searched(folder: Path) -> Iterator[None]:
    """Modules are looked for in ``folder`` too, after all other places; ``sys.path`` is restored at the end."""
    added = str(folder)
    if added in sys.path:
        yield
        return
    sys.path.append(added)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the imported module may have removed it
            sys.path.remove(added)


@functools.lru_cache(maxsize=64)
def _entry_points(group: str, path: tuple[str, ...]) -> dict[str, tuple[EntryPoint, ...]]:
    """The entry points of ``group`` by name, sorted; ``path`` is where distributions were looked for."""
    found: dict[str, list[EntryPoint]] = {}
    for point in importlib.metadata.entry_points(group=group):
        found.setdefault(point.name, []).append(point)
    return {name: tuple(found[name]) for name in sorted(found)}


_IMPORTED: set[EntryPoint] = set()  # several registries share a group of modules


def _import_offered(group: str) -> None:
    """Import the module of each entry point of ``group``, once; one that fails is left out with a warning."""
    for points in _entry_points(group, tuple(sys.path)).values():
        for point in points:
            if point in _IMPORTED:
                continue
            _IMPORTED.add(point)  # before the import: the module may look up entries itself
            try:
                point.load()
            except Exception as error:  # whatever another's code raises when it is imported
                why = f"{type(error).__name__}: {error}"
                text = f"{group} {point.name!r} of {_source(point)} cannot be imported ({why}); update or uninstall it"
                warnings.warn(text, stacklevel=4)


def _source(point: EntryPoint) -> str:
    distribution = f"the distribution {point.dist.name} {point.dist.version}" if point.dist else "no distribution"
    return f"{distribution} (entry point {point.value})"
