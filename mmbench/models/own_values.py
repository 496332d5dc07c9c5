"""A text of values, functions, classes and objects that is the same in every process, or the word that there is none.

Numbers, texts, arrays, tensors and their collections are said by value; a function by its name, what it keeps and the
program of its file; an object by its class and its attributes. Code of installed packages counts by name, since an
identity holds their versions. Of a user's module that counts, the values of its variables that its functions read are
said too: a table that was read from another file decides what a function gives, and the program does not show it.
"""

from __future__ import annotations

import ast
import enum
import functools
import hashlib
import logging
import re
import sys
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

from mmbench.errors import MissingAsset, UnknownCode
from mmbench.program import modules_of, program_digest, source_of
from mmbench.program.digest import is_installed
from mmbench.program.kept import ALSO_SAID, SAID
from mmbench.program.text import PACKAGE

_HOOKS = ("_forward_pre_hooks", "_forward_hooks")  # of a torch module: what changes its output
_WITH_KEYWORDS = "_with_kwargs"
_COLLECTIONS = (list, tuple, set, frozenset, dict, deque, MappingProxyType)
_BUILT_IN = (BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType, np.ufunc)
_SLOTS = (GetSetDescriptorType, MemberDescriptorType)  # their values are an object's own
_EVERYTHING = frozenset({"globals", "exec", "eval"})  # a function that calls one may read any variable
_MOST = 50_000  # objects that are followed for one model


class _Unsaid(Exception):
    """Nothing tells a value from another one."""


class _Plain:
    """An object without slots: what is larger keeps something that no attribute shows."""


class Values:
    """Collects the text of what a model keeps; ``ended`` gives its digest, and whether all of it could be said."""

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()
        self._whole = True
        self._met: dict[int, int] = {}
        self._held: list[Any] = []  # so that no id is given to another object
        self._modules: dict[str, None] = {}

    def ended(self) -> tuple[str, bool]:
        """The digest, with the programs of the user's modules that were met and the variables that these read."""
        self._trying(self._programs)
        return self._hasher.hexdigest(), self._whole

    def add(self, text: str) -> None:
        self._hasher.update(f"{len(text)} {text}\n".encode(errors="surrogatepass"))

    def meet(self, thing: Any) -> bool:
        """Whether ``thing`` is met for the first time; else its number is said."""
        if (number := self._met.get(id(thing))) is not None:
            self.add(f"again {number}")
            return False
        if len(self._met) >= _MOST:
            raise _Unsaid
        self._met[id(thing)] = len(self._met)
        self._held.append(thing)
        return True

    def code(self, module: str) -> None:
        """The program of a module counts, whether it is a user's file or of an installed package."""
        self._modules.setdefault(module)

    def kind(self, kind: type) -> None:
        self._trying(self._class, kind)

    def attributes(self, thing: Any, without: Collection[str] = ()) -> None:
        self._trying(self._attributes, thing, without)

    def module(self, module: Any, without: Collection[str] = ()) -> None:
        """The attributes of a torch module, its hooks, and its buffers that are in no state dict."""
        self._trying(self._module, module, without)

    def _trying(self, say: Any, *given: Any) -> None:
        try:
            say(*given)
        except (_Unsaid, MissingAsset, UnknownCode, RecursionError):
            self._whole = False

    def _say(self, value: Any) -> None:
        torch = sys.modules.get("torch")
        if isinstance(value, SAID + ALSO_SAID):
            self.add(f"{type(value).__name__} {value!r}")
        elif isinstance(value, logging.Logger):
            self.add(f"logger {value.name}")
        elif isinstance(value, ModuleType):
            self.add(f"module {value.__name__}")
            if not _is_library(value.__name__):
                self.code(value.__name__)
        elif isinstance(value, np.ndarray) and type(value) is np.ndarray and value.dtype != object:
            whole = np.ascontiguousarray(value)
            self.add(f"{value.dtype} {value.shape} {hashlib.sha256(whole.tobytes()).hexdigest()}")
        elif isinstance(value, re.Pattern):
            self.add(repr((value.pattern, value.flags)))
        elif isinstance(value, _BUILT_IN):
            self._built_in(value)
        elif torch is not None and isinstance(value, torch.device | torch.dtype | torch.Size):
            self.add(repr(value))
        elif torch is not None and type(value) in (torch.Tensor, torch.nn.Parameter):
            self.add(f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(bytes_of(value)).hexdigest()}")
        elif isinstance(value, tuple | frozenset):  # equal ones may be one object or two, as Python compiled them
            self._collection(value)
        elif self.meet(value):
            self._say_new(value)

    def _say_new(self, value: Any) -> None:
        """What may hold itself again."""
        torch = sys.modules.get("torch")
        if isinstance(value, type):
            self._class(value, again=True)
        elif isinstance(value, enum.Enum):
            self._class(type(value))
            self.add(value.name)
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, MethodType):
            self._say(value.__func__)
            self._say(value.__self__)
        elif isinstance(value, functools.partial):
            for each in (value.func, value.args, value.keywords):
                self._say(each)
        elif isinstance(value, staticmethod | classmethod):
            self._say(value.__func__)
        elif isinstance(value, property):
            self._say([value.fget, value.fset])
        elif isinstance(value, functools.cached_property):
            self._say(value.func)
        elif isinstance(value, functools._lru_cache_wrapper):
            self._say(value.__wrapped__)
        elif isinstance(value, _COLLECTIONS):
            self._collection(value)
        elif torch is not None and isinstance(value, torch.nn.Module):
            self._whole_module(value)
        else:
            self._class(type(value))
            self._attributes(value)

    def _collection(self, value: Any) -> None:
        self._class(type(value))
        self.add(f"{len(value)} items")
        if isinstance(value, set | frozenset):  # its own order changes from process to process
            if not all(isinstance(each, SAID + ALSO_SAID) for each in value):
                raise _Unsaid
            self.add(repr(sorted(map(repr, value))))
            return
        for each in value.items() if isinstance(value, Mapping) else value:
            for part in each if isinstance(value, Mapping) else (each,):
                self._say(part)
        for name, each in sorted(getattr(value, "__dict__", {}).items()):
            self.add(name)
            self._say(each)

    def _built_in(self, value: Any) -> None:
        owner = getattr(value, "__self__", None)
        self.add(f"{getattr(value, '__module__', None)}.{getattr(value, '__qualname__', value.__name__)}")
        if owner is not None and not isinstance(owner, ModuleType):
            self._say(owner)

    def _class(self, kind: type, *, again: bool = False) -> None:
        """A class; of a user's own, what it and its parents define."""
        self.add(f"{kind.__module__}.{kind.__qualname__}")
        if _is_library(kind.__module__):
            if _found(kind.__module__, kind.__qualname__) is not kind:  # one that a function made, of what it was given
                raise _Unsaid
            return
        if not again and not self.meet(kind):
            return
        self._own(kind.__module__)
        for parent in kind.__mro__[1:]:
            if parent is not object:
                self._class(parent)
        for name, value in sorted(vars(kind).items()):
            is_code = isinstance(value, FunctionType | staticmethod | classmethod | property)
            if isinstance(value, _SLOTS) or name == "_abc_impl" or (name[:2] == name[-2:] == "__" and not is_code):
                continue
            self.add(name)
            self._say(value)

    def _function(self, function: FunctionType) -> None:
        variables = function.__globals__
        module = str(variables.get("__name__"))
        self.add(f"{function.__module__}.{function.__qualname__}")
        loaded = sys.modules.get(module)
        if loaded is None or vars(loaded) is not variables:
            raise _Unsaid
        if not _is_library(module):
            self._own(module)
        if function.__name__ == "<lambda>":  # several in one function have one name
            self._bytecode(function.__code__)
        elif function.__code__.co_filename.startswith("<string") and not function.__name__.startswith("__"):
            raise _Unsaid  # made of a text, which is in no file
        for cell in function.__closure__ or ():
            try:
                kept = cell.cell_contents
            except ValueError:  # a variable that was never given a value
                continue
            self._say(kept)
        for each in (function.__defaults__, function.__kwdefaults__, vars(function)):
            self._say(each)

    def _bytecode(self, code: CodeType) -> None:
        self.add(f"{code.co_code.hex()} {code.co_names} {code.co_freevars}")
        for each in code.co_consts:
            self._bytecode(each) if isinstance(each, CodeType) else self.add(repr(each))

    def _own(self, module: str) -> None:
        if module not in sys.modules or source_of(module) is None:
            raise _Unsaid
        self.code(module)

    def _attributes(self, thing: Any, without: Collection[str] = ()) -> None:
        """The attributes of an object, all of which must be in its dict and its slots."""
        kind, found = type(thing), dict(getattr(thing, "__dict__", {}))
        if kind is object:  # a mark
            return
        slots = [(name, slot) for parent in kind.__mro__ for name, slot in vars(parent).items()]
        slots = [(name, slot) for name, slot in slots if isinstance(slot, MemberDescriptorType)]
        size = _Plain.__basicsize__ + 8 * len(slots)
        if kind.__basicsize__ > size or kind.__itemsize__ or not (slots or hasattr(thing, "__dict__")):
            raise _Unsaid
        for name, slot in slots:
            try:
                found[name] = slot.__get__(thing)
            except AttributeError:  # a slot that was never given a value
                continue
        self._named(found, without)

    def _named(self, found: Mapping[str, Any], without: Collection[str] = ()) -> None:
        for name, value in sorted(found.items()):
            if name not in without:
                self.add(name)
                self._say(value)

    def _module(self, module: Any, without: Collection[str]) -> None:
        import torch

        if isinstance(module, torch.jit.ScriptModule | torch.fx.GraphModule):  # a program of its own, in no file
            raise _Unsaid
        plumbing = vars(torch.nn.Module()).keys()
        self._named({name: value for name, value in vars(module).items() if name not in plumbing}, without)
        for name in _HOOKS:
            hooks = getattr(module, name)
            flagged = getattr(module, f"{name}{_WITH_KEYWORDS}", {})
            if hooks:
                self._say([name, [(number in flagged, hook) for number, hook in hooks.items()]])
        for name in sorted(module._non_persistent_buffers_set):
            self.add(name)
            self._say(module._buffers.get(name))

    def _whole_module(self, module: Any) -> None:
        """A module that torch does not find as a part, with its weights."""
        for name, part in module.named_modules():
            if part is module or self.meet(part):
                self.add(f"part {name}")
                self._class(type(part))
                self._module(part, ("training",))
        self.add(repr(module))
        for key, tensor in sorted(module.state_dict().items()):
            self.add(key)
            self._say(tensor)

    def _programs(self) -> None:
        done: set[str] = set()
        while waiting := [module for module in self._modules if module not in done]:
            done.update(waiting)
            for module in waiting:
                self.add(program_digest(module, ()))
            reached = {name: None for module in waiting for name in modules_of(module, ())}
            own = [name for name in reached if name in sys.modules and not _is_library(name)]
            read = frozenset().union(*(_read(source.text) for name in own if (source := source_of(name))))
            for name in own:
                done.add(name)
                for variable, value in sorted(vars(sys.modules[name]).items()):
                    if (variable in read or _EVERYTHING & read) and variable[:2] != "__":
                        self.add(f"{name}.{variable}")
                        self._say(value)


@functools.lru_cache(maxsize=256)
def _read(text: str) -> frozenset[str]:
    """The names that the functions of a module read, of variables and of attributes."""
    return frozenset(_names(ast.parse(text)))


def _names(tree: ast.Module) -> Iterator[str]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.Name):
                    yield node.id
                elif isinstance(node, ast.Attribute):
                    yield node.attr if node.attr not in _EVERYTHING else ""


def _is_library(module: str) -> bool:
    """Whether a module is of mmbench, of Python or of an installed package."""
    top = module.partition(".")[0]
    return top == PACKAGE or top in sys.stdlib_module_names or is_installed(top)


def _found(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def bytes_of(tensor: Any) -> bytes:
    """The bytes of a tensor's values."""
    import torch

    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
