"""The code behind an entry: the modules of the functions that load it, and of what these were given.

Modules of mmbench count, a user's own, and those of a distribution that offers entries to mmbench.

An entry's loader is often a ``functools.partial`` or a function inside another one, whose own module says little. Other
entries that it was given (the parents of a derived dataset) are followed to their loaders. Values are not said here:
they are part of an entry's identity.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

from mmbench.imports import offering
from mmbench.program.digest import is_own_code, program_digest, source_of
from mmbench.program.text import PACKAGE


def behind_digest(load: Callable[..., Any], rooms: Collection[str], also: Collection[str] = ()) -> str:
    """``program_digest`` of the modules behind ``load``, of mmbench and of the user, and of the modules ``also``.

    Raises what ``program_digest`` raises.
    """
    try:
        found = _remembered(load)
    except TypeError:  # a loader without a hash
        found = _counted(load)
    return program_digest((*(module for module in found if module not in also), *also), rooms)


@functools.lru_cache(maxsize=4096)  # asked for with every cell
def _remembered(load: Callable[..., Any]) -> tuple[str, ...]:
    return _counted(load)


def _counted(load: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(module for module in sorted(set(modules_behind(load))) if _counts(module))


def modules_behind(load: Callable[..., Any]) -> Iterator[str]:
    """The names of all modules behind a loader, those of libraries among them."""
    yield from _behind(load, [])


def _behind(thing: Any, met: list[Any]) -> Iterator[str]:
    if any(each is thing for each in met):
        return
    if isinstance(thing, functools.partial):
        inner: list[Any] = [thing.func, *thing.args, *thing.keywords.values()]
    elif isinstance(thing, MethodType):
        inner = [thing.__func__, thing.__self__]
    elif isinstance(thing, FunctionType):
        yield thing.__module__ or ""
        inner = [cell.cell_contents for cell in thing.__closure__ or () if _is_filled(cell)]
        inner += [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
        inner += [wrapped] if (wrapped := getattr(thing, "__wrapped__", None)) is not None else []
    elif isinstance(thing, ModuleType):  # given to a loader to say which file made it
        yield thing.__name__
        inner = []
    elif isinstance(thing, type):
        yield thing.__module__
        inner = []
    elif dataclasses.is_dataclass(thing):
        yield type(thing).__module__
        inner = [value for value in vars(thing).values() if callable(value)]
    elif isinstance(thing, list | tuple | set | frozenset):
        inner = list(thing)
    elif isinstance(thing, Mapping):
        inner = list(thing.values())
    elif callable(thing):
        yield type(thing).__module__
        inner = []
    else:
        return
    met.append(thing)
    for each in inner:
        yield from _behind(each, met)


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _counts(module: str) -> bool:
    top = module.partition(".")[0]
    if top == PACKAGE:
        return source_of(module) is not None
    return is_own_code(top) or (top in offering and source_of(module) is not None)
