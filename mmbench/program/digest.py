"""The digest of a module together with the modules that it imports.

Modules have numbers in the order in which they are met, so that a moved module changes nothing, while two names that
come from exchanged modules do. What no import statement says is not seen: modules that are imported by name at run
time, as registries do, and the ``__init__`` of a package of which only a module is imported.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, NamedTuple

from mmbench.errors import MissingAsset, UnknownCode
from mmbench.imports import last_change, named, require_as_imported
from mmbench.program.kept import Kept
from mmbench.program.text import PACKAGE, Template, parsed, template

ROOT = Path(__file__).parents[1]
_INSTALLED = frozenset({"site-packages", "dist-packages"})


class Source(NamedTuple):
    """The source text of a module, whether it is the ``__init__`` of a package, and its file."""

    text: str
    is_package: bool = False
    file: Path | None = None


Read = Callable[[str], Source | None]
Edit = Callable[[ast.Module], None]


def program_digest(module: str | Sequence[str], rooms: Collection[str]) -> str:
    """Hex SHA-256 over a module and the modules of ``rooms`` that it imports, directly or not, also inside functions.

    A room is a folder or a module of mmbench (``"probes"``, ``"zoo.frozen"``). What is imported from elsewhere counts
    by its name only. ``module`` may lie outside of mmbench, as a user's own probe does: then modules of its own
    package are followed too, and every module that stands in no folder of installed packages, as a file beside a
    ``conftest.py``; of an installed distribution, all modules that it installed. Several modules have one digest
    together. Computed once in a process.

    Raises MissingAsset when a given module has no source, and UnknownCode when the file of one that counts was changed
    while this process runs, so that other code may run than the file says (``mmbench.imports``).
    """
    found, not_imported = _remembered((module,) if isinstance(module, str) else tuple(module), frozenset(rooms))
    for file, changed in not_imported.items():
        if last_change(file) != changed:
            raise UnknownCode(f"{file} was changed after this process read it to identify code; start the run again")
    return found


def code_of(
    functions: Sequence[Callable[..., Any]], rooms: Collection[str], also: Sequence[Callable[..., Any]] = ()
) -> str:
    """``program_digest`` of the modules that define ``functions``, and those of ``also`` that these do not reach.

    What a callable brings along counts as well (``mmbench.program.kept``): what ``functools.partial`` gives to it, what
    it keeps from an enclosing function (``of_sums(parts, combine)``), the attributes of an object, and the name of a
    user's function. Raises UnknownCode where it keeps what nothing tells from another thing, and what
    ``program_digest`` raises.
    """
    starts = {_top(function) for function in (*functions, *also)}
    kept = Kept(lambda module: (top := module.partition(".")[0]) == PACKAGE or _is_followed(top, starts))
    modules, others = (tuple(dict.fromkeys(map(kept.main, each))) for each in (functions, also))
    further = dict.fromkeys([*others, *kept.modules])
    if further:
        reached = _reached(modules, frozenset(rooms))
        modules += tuple(module for module in further if module not in reached)
    digest = program_digest(modules, rooms)
    return hashlib.sha256("\0".join([digest, *kept.said]).encode()).hexdigest() if kept.said else digest


def own_code_of(thing: type) -> str:
    """``program_digest`` of the module that defines a class, where that is a user's own file; else empty."""
    module = thing.__module__
    return program_digest(module, ()) if is_own_code(module.partition(".")[0]) and source_of(module) else ""


def file_digest(module: str, text: str) -> str:
    """``program_digest`` of a user's module that was run from a file with this text, and need not be importable."""
    return digest_of((module,), (), lambda name: Source(text) if name == module else source_of(name))


def _top(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__module__", None) or "").partition(".")[0]


@functools.cache
def _reached(modules: tuple[str, ...], rooms: frozenset[str]) -> frozenset[str]:
    return frozenset(modules_of(modules, rooms))


@functools.cache
def _remembered(modules: tuple[str, ...], rooms: frozenset[str]) -> tuple[str, dict[Path, float]]:
    """The digest, and the last changes of files that nothing has imported yet: they may change before they are."""
    not_imported: dict[Path, float] = {}

    def read(module: str) -> Source | None:
        waiting = module not in sys.modules
        source = source_of(module)
        if waiting and source is not None and source.file is not None:
            not_imported[source.file] = last_change(source.file)
        return source

    return digest_of(modules, rooms, read), not_imported


def digest_of(
    modules: Sequence[str], rooms: Collection[str], read: Read | None = None, edit: Edit | None = None
) -> str:
    """``program_digest`` of the sources that ``read`` gives, each syntax tree changed by ``edit`` first."""
    hasher = hashlib.sha256()
    for _, text in programs(modules, rooms, read, edit):
        hasher.update(hashlib.sha256(text.encode()).digest())
    return hasher.hexdigest()


def modules_of(module: str | Sequence[str], rooms: Collection[str]) -> tuple[str, ...]:
    """The modules that ``program_digest`` takes in, in the order in which they are met."""
    return tuple(name for name, _ in programs((module,) if isinstance(module, str) else module, rooms))


def programs(
    modules: Sequence[str], rooms: Collection[str], read: Read | None = None, edit: Edit | None = None
) -> Iterator[tuple[str, str]]:
    """The name and the text of each module that a digest takes in."""
    found = functools.cache(read or source_of)
    tops = {module.partition(".")[0] for module in modules}
    numbers = {module: str(number) for number, module in enumerate(dict.fromkeys(modules))}

    def is_followed(module: str) -> bool:
        top, _, rest = module.partition(".")
        if top == PACKAGE:
            inside = any(f"{rest}.".startswith(f"{room}.") for room in rooms)
        else:
            inside = _is_followed(top, tops)
        return inside and found(module) is not None

    def number(module: str) -> str:
        return numbers.setdefault(module, str(len(numbers)))

    def written(module: str) -> Template:
        source = found(module)
        if source is None:
            raise MissingAsset(f"module {module!r} has no Python source that can be read, so its program has no digest")
        package = module if source.is_package else module.rpartition(".")[0]
        followed = {PACKAGE, *tops}
        if module.partition(".")[0] != PACKAGE:  # modules of mmbench import none of a user's
            followed.update(top for top in _imported(source.text) if _is_followed(top, tops))
        return template(source.text, package, frozenset(followed), edit)

    def place(module: str, name: str) -> str:
        within, from_module = f"{module}.{name}" if name else module, is_followed(module)
        if not is_followed(within):
            return f"{number(module)}:{name}" if from_module else name
        if from_module and repr(name) in written(module).text:  # then it may be a name of the package's __init__
            return f"{number(within)} or {number(module)}:{name}"
        return number(within)

    done = 0
    while done < len(numbers):
        module = list(numbers)[done]
        done += 1
        yield module, written(module).filled(place)


@functools.lru_cache(maxsize=4096)
def _imported(text: str) -> frozenset[str]:
    """The first names of the modules that a module imports, relative imports left out. Raises SyntaxError."""
    found: set[str] = set()
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return frozenset(found)


def _is_followed(top: str, starts: Collection[str]) -> bool:
    """Whether what a module outside of mmbench does counts for a program that starts in modules of ``starts``."""
    if top in starts or is_own_code(top):
        return True
    return top in _beside(frozenset(starts), tuple(sys.path)) or _is_loose(top, starts)


@functools.lru_cache(maxsize=256)
def _beside(starts: frozenset[str], path: tuple[str, ...]) -> frozenset[str]:
    """The first names of all modules of the installed distributions that ``starts`` come from.

    ``path`` is where distributions are looked for. None for mmbench's own modules: they import none of a user's.
    """
    installed = [top for top in starts if top != PACKAGE and top not in sys.stdlib_module_names]
    if not any(map(_stands_installed, installed)):
        return frozenset()
    found = importlib.metadata.packages_distributions()
    owners = {owner for top in installed for owner in found.get(top, ())}
    return frozenset(top for top, by in found.items() if owners & set(by))


def _is_loose(top: str, starts: Collection[str]) -> bool:
    """Whether a module stands among installed packages and belongs to none of them, as one of ``starts`` does."""
    if not any(start in named and _stands_installed(start) for start in starts):
        return False
    return top not in sys.stdlib_module_names and _stands_installed(top) and top not in _owned(tuple(sys.path))


@functools.lru_cache(maxsize=8)
def _owned(path: tuple[str, ...]) -> frozenset[str]:
    """The first names of the modules that some distribution installed."""
    return frozenset(importlib.metadata.packages_distributions())


def is_own_code(top: str) -> bool:
    """Whether a package or module is a user's own.

    It stands on the path and in no folder of installed packages, or is one file there that the user named as a model.
    """
    if top in sys.stdlib_module_names or top == PACKAGE:
        return False
    if _is_named_file(top):
        return True
    places = _places(top)
    return bool(places) and not any(map(_INSTALLED.intersection, places))


def is_installed(top: str) -> bool:
    """Whether a package or module stands in a folder of installed packages, and is no file that the user named."""
    return _stands_installed(top) and not _is_named_file(top)


def _is_named_file(top: str) -> bool:
    """Whether the user named the module (``python:MODULE:NAME``), and it is one file and no package."""
    places = _places(top) if top in named else []
    return bool(places) and all(place[-1].endswith(".py") for place in places)


def _stands_installed(top: str) -> bool:
    return any(map(_INSTALLED.intersection, _places(top)))


def _places(top: str) -> list[tuple[str, ...]]:
    """The parts of the folders or of the file in which a package or module stands; none where it has no file."""
    loaded = sys.modules.get(top)
    try:
        spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(top)
    except (ImportError, AttributeError, ValueError):
        return []
    if spec is None:  # a script that is run has a file and no spec
        places = [str(file)] if (file := getattr(loaded, "__file__", None)) else []
    else:
        places = list(spec.submodule_search_locations or ([spec.origin] if spec.has_location and spec.origin else []))
    return [Path(place).parts for place in places]


def source_of(module: str) -> Source | None:
    """The source of a module, read without running it; None where there is no such module, or no source of it.

    Raises UnknownCode where the module is imported and its file was changed since (``mmbench.imports``).
    """
    if module.partition(".")[0] == PACKAGE:
        path = ROOT.joinpath(*module.split(".")[1:])
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):  # as Python looks for them
            if file.is_file():
                return _read(module, file)
        return None
    loaded = sys.modules.get(module)
    spec = None if loaded is not None else _spec(module)
    origin = getattr(loaded, "__file__", None) if loaded is not None else spec and spec.origin
    if not origin or not origin.endswith(".py"):
        return None
    return _read(module, Path(origin))


def _spec(module: str) -> ModuleSpec | None:
    """Where a module would be imported from. ``importlib.util.find_spec`` would import the package that it lies in."""
    package, _, _ = module.rpartition(".")
    try:
        if not package:
            return importlib.util.find_spec(module)
        loaded = sys.modules.get(package)
        within = getattr(loaded, "__path__", None) if loaded is not None else _submodules(package)
        return None if within is None else PathFinder.find_spec(module, within)
    except (ImportError, AttributeError, ValueError):
        return None


def _submodules(package: str) -> list[str] | None:
    found = _spec(package)
    return None if found is None else found.submodule_search_locations


def _read(module: str, file: Path) -> Source:
    text = file.read_text(encoding="utf-8")
    if module in sys.modules:
        require_as_imported(module, file)  # after the reading: else a change in between would not be seen
    return Source(text, file.name == "__init__.py", file)
