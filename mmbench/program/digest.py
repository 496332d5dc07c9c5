"""The digest of a module together with the modules that it imports.

Modules have numbers in the order in which they are met, so that a moved module changes nothing, while two names that
come from exchanged modules do. What no import statement says is not seen: modules that are imported by name at run
time, as registries do, and the ``__init__`` of a package of which only a module is imported.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

from mmbench.errors import MissingAsset
from mmbench.program.text import PACKAGE, Template, template

ROOT = Path(__file__).parents[1]


class Source(NamedTuple):
    """The source text of a module, and whether it is the ``__init__`` of a package."""

    text: str
    is_package: bool = False


Read = Callable[[str], Source | None]
Edit = Callable[[ast.Module], None]


def program_digest(module: str | Sequence[str], rooms: Collection[str]) -> str:
    """Hex SHA-256 over a module and the modules of ``rooms`` that it imports, directly or not, also inside functions.

    A room is a folder or a module of mmbench (``"probes"``, ``"zoo.frozen"``). What is imported from elsewhere counts
    by its name only. ``module`` may lie outside of mmbench, as a user's own probe does: then modules of its own
    package are followed too, and every module that stands in no folder of installed packages, as a file beside a
    ``conftest.py``. Several modules have one digest together. Computed once in a process. Raises MissingAsset when a
    given module has no source.
    """
    return _remembered((module,) if isinstance(module, str) else tuple(module), frozenset(rooms))


def code_of(
    functions: Sequence[Callable[..., Any]], rooms: Collection[str], also: Sequence[Callable[..., Any]] = ()
) -> str:
    """``program_digest`` of the modules that define ``functions``, and those of ``also`` that these do not reach.

    What ``functools.partial`` gives to a function counts as well: the module of a partial object says nothing. So do
    the functions, numbers and texts that a function keeps from an enclosing one (``of_sums(parts, combine)``).
    """
    given: list[str] = []
    main, others = ([_unwrapped(function, given) for function in each] for each in (functions, also))
    modules = tuple(dict.fromkeys(function.__module__ for function in main))
    further = dict.fromkeys(function.__module__ for function in [*others, *_enclosed([*main, *others], given)])
    if further:
        reached = _reached(modules, frozenset(rooms))
        modules += tuple(module for module in further if module not in reached)
    digest = program_digest(modules, rooms)
    return hashlib.sha256("\0".join([digest, *given]).encode()).hexdigest() if given else digest


def own_code_of(thing: type) -> str:
    """``program_digest`` of the module that defines a class, where that is a user's own file; else empty."""
    module = thing.__module__
    return program_digest(module, ()) if _is_own_code(module.partition(".")[0]) and source_of(module) else ""


def file_digest(module: str, text: str) -> str:
    """``program_digest`` of a user's module that was run from a file with this text, and need not be importable."""
    return digest_of((module,), (), lambda name: Source(text) if name == module else source_of(name))


def _unwrapped(function: Callable[..., Any], given: list[str]) -> Callable[..., Any]:
    """The function inside of ``functools.partial``; what it is given is added to ``given``."""
    while isinstance(function, functools.partial):
        given.append(repr((function.args, sorted(function.keywords.items()))))
        function = function.func
        given.append(getattr(function, "__qualname__", ""))
    return function


def _enclosed(functions: Sequence[Callable[..., Any]], given: list[str]) -> list[Callable[..., Any]]:
    """Functions of mmbench or of a user that ``functions`` keep in closures; plain values are added to ``given``."""
    left, found = list(functions), []
    for function in left:
        for cell in getattr(function, "__closure__", None) or ():
            try:
                value = cell.cell_contents
            except ValueError:  # a variable that was never given a value
                continue
            if isinstance(value, bool | int | float | str | bytes):
                given.append(repr(value))
            elif isinstance(value, FunctionType | functools.partial):
                inner = _unwrapped(value, given)
                top = getattr(inner, "__module__", "").partition(".")[0]
                if inner not in left and (top == PACKAGE or _is_own_code(top)):
                    left.append(inner)
                    found.append(inner)
    return found


@functools.cache
def _reached(modules: tuple[str, ...], rooms: frozenset[str]) -> frozenset[str]:
    return frozenset(modules_of(modules, rooms))


@functools.cache
def _remembered(modules: tuple[str, ...], rooms: frozenset[str]) -> str:
    return digest_of(modules, rooms)


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
            inside = top in tops or _is_own_code(top)
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
            followed.update(filter(_is_own_code, _imported(source.text)))
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
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return frozenset(found)


def _is_own_code(top: str) -> bool:
    """Whether a package or module stands on the path and in no folder of installed packages: a user's own files."""
    if top in sys.stdlib_module_names or top == PACKAGE:
        return False
    loaded = sys.modules.get(top)
    try:
        spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(top)
    except (ImportError, AttributeError, ValueError):
        return False
    if spec is None:  # a script that is run has a file and no spec
        places = [str(file)] if (file := getattr(loaded, "__file__", None)) else []
    else:
        places = list(spec.submodule_search_locations or ([spec.origin] if spec.has_location and spec.origin else []))
    return bool(places) and not any({"site-packages", "dist-packages"} & set(Path(place).parts) for place in places)


def source_of(module: str) -> Source | None:
    """The source of a module, read without running it; None where there is no such module, or no source of it."""
    if module.partition(".")[0] == PACKAGE:
        path = ROOT.joinpath(*module.split(".")[1:])
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):  # as Python looks for them
            if file.is_file():
                return Source(file.read_text(encoding="utf-8"), file.name == "__init__.py")
        return None
    loaded = sys.modules.get(module)
    try:
        spec = None if loaded is not None else importlib.util.find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    origin = getattr(loaded, "__file__", None) if loaded is not None else spec and spec.origin
    if not origin or not origin.endswith(".py"):
        return None
    return Source(Path(origin).read_text(encoding="utf-8"), Path(origin).name == "__init__.py")
