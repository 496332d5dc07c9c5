"""What a callable brings along: what it was given, what it keeps from an enclosing function, its attributes.

Values are said: numbers, texts and arrays, also in lists, tuples, sets and dicts. Functions, classes and objects of
mmbench and of the user are followed to their modules, and objects to their attributes; those of other packages count by
name. What is none of these has no reading that two processes would share, so it is refused.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from mmbench.errors import UnknownCode

SAID = (bool, int, float, complex, str, bytes, type(None))
ALSO_SAID = (PurePath, np.dtype, np.generic, range, type(Ellipsis))  # whose repr is all of them
OUR_OWN = "mmbench."


class Kept:
    """Collects from callables the modules that define what they bring along, and a text of what is no code.

    ``is_own(module)`` says whether a module is followed: one of mmbench or of the user.
    """

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        self.modules: dict[str, None] = {}
        self.said: list[str] = []
        self._is_own = is_own
        self._met: list[Any] = []  # the objects themselves: an id could be given to another one

    def main(self, function: Callable[..., Any]) -> str:
        """The module of a callable that decides a result itself; what it brings along is collected."""
        while isinstance(function, functools.partial):
            function = self._inside(function)
        module, name = _place(function)
        if not module.startswith(OUR_OWN):
            # in mmbench an entry stands beside its function; a user's may take another function of another file
            self.said.append(f"{module}.{name}")
        self._follow(function, function)
        return module

    def value(self, value: Any, owner: Any) -> None:
        """What one value that ``owner`` keeps brings along; raises UnknownCode where nothing tells it from another."""
        self._value(value, owner)

    def _inside(self, given: functools.partial[Any]) -> Callable[..., Any]:
        """The function of a partial object, whose own module says nothing."""
        everything = (*given.args, *given.keywords.values())
        if all(isinstance(each, SAID) for each in everything):
            self.said.append(repr((given.args, sorted(given.keywords.items()))))
        else:
            self._value(given.args, given)
            self._value(dict(given.keywords), given)
        self.said.append(getattr(given.func, "__qualname__", ""))
        return given.func

    def _follow(self, thing: Any, owner: Any) -> None:
        """What a callable or an object brings along, but for its own module."""
        for number, each in enumerate(self._met):
            if thing is each:
                self.said.append(f"again {number}")
                return
        self._met.append(thing)
        if isinstance(thing, type):
            return  # its text is all that it has
        if isinstance(thing, MethodType):
            self._value(thing.__self__, owner)
        elif isinstance(thing, FunctionType):
            for value in _enclosed(thing):
                self._value(value, thing, in_closure=True)
        elif hasattr(thing, "__wrapped__"):  # functools.cache and the like
            self._value(thing.__wrapped__, owner)
        elif not isinstance(thing, BuiltinFunctionType | np.ufunc):
            self._attributes(thing)

    def _attributes(self, thing: Any) -> None:
        for name, value in sorted(_attributes(thing).items()):
            self.said.append(name)
            self._value(value, thing)

    def _value(self, value: Any, owner: Any, *, in_closure: bool = False) -> None:
        """One value that ``owner`` keeps. Raises UnknownCode where nothing tells it from another one."""
        if isinstance(value, SAID + ALSO_SAID):
            if value is not None or not in_closure:
                self.said.append(repr(value))
        elif isinstance(value, enum.Enum):
            self.said.append(str(value))
            self._module(type(value).__module__)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            whole = np.ascontiguousarray(value)
            self.said.append(f"{value.dtype} {value.shape} {hashlib.sha256(whole.tobytes()).hexdigest()}")
        elif isinstance(value, Mapping | Set | tuple | list):
            self._collection(value, owner)
        elif isinstance(value, ModuleType):
            self.said.append(value.__name__)
            if self._is_own(value.__name__):
                self._module(value.__name__)
        elif isinstance(value, re.Pattern):
            self.said.append(repr((value.pattern, value.flags)))  # its own repr is cut off
        elif isinstance(value, functools.partial):
            self._value(self._inside(value), owner)
        else:
            self._code(value, owner)

    def _collection(self, values: Mapping[Any, Any] | Set[Any] | Sequence[Any], owner: Any) -> None:
        self.said.append(f"{type(values).__name__} of {len(values)}")
        if isinstance(values, Set):
            values = sorted(values, key=repr)  # its own order changes from process to process
        elif isinstance(values, Mapping):
            values = [part for pair in values.items() for part in pair]
        for each in values:
            self._value(each, owner)

    def _code(self, value: Any, owner: Any) -> None:
        """A function, a class or an object: its module, and what it brings along itself."""
        module, name = _place(value)
        named = isinstance(value, type | FunctionType | BuiltinFunctionType | MethodType | np.ufunc)
        if self._is_own(module):
            self._module(module)
            if not (isinstance(owner, FunctionType) and _place(owner)[0].startswith(OUR_OWN) and named):
                self.said.append(f"{module}.{name}")
            self._follow(value, owner)
        elif named or hasattr(value, "__wrapped__"):
            self.said.append(f"{module}.{name}")
        else:
            raise UnknownCode(
                f"{'.'.join(_place(owner))} keeps a {module}.{name}, and nothing tells it from another one; keep plain "
                "values, functions or objects of your own classes, and make the rest inside the function"
            )

    def _module(self, module: str) -> None:
        self.modules.setdefault(module)


def _enclosed(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a variable that was never given a value
            continue


def _attributes(thing: Any) -> dict[str, Any]:
    """The attributes of an object itself, those in slots included."""
    found = dict(getattr(thing, "__dict__", {}))
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                found[name] = getattr(thing, name)
    return found


def _place(thing: Any) -> tuple[str, str]:
    """Module and name of a function or a class; of an object those of its class."""
    if isinstance(thing, MethodType):
        thing = thing.__func__
    if not isinstance(thing, np.ufunc) and not hasattr(thing, "__qualname__"):
        thing = type(thing)
    return getattr(thing, "__module__", None) or "builtins", getattr(thing, "__qualname__", None) or thing.__name__
