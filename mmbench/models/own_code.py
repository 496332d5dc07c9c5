"""What decides a user's own model beside its weights: the program of its classes, and what its attributes set."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from mmbench.models.own_values import Values, bytes_of

__all__ = ["bytes_of", "described", "program_of"]

_STATE = "training"  # of a module: eval mode is set here
_NO_SETTINGS = ("identity", "name", "preprocess", _STATE)  # each is in an identity by itself


def described(model: Any) -> tuple[str, bool]:
    """A digest of the code and the attributes of a user's model, and whether it tells the model from every other.

    Of a torch module all submodules count, without their weights: their classes, attributes, hooks, and buffers that
    are in no state dict. Values, functions, classes and objects are said as ``Values`` says them; what that cannot say
    leaves the second value False, whoever keeps it.
    """
    torch = sys.modules.get("torch")
    is_module = torch is not None and isinstance(model, torch.nn.Module)
    parts: Mapping[str, Any] = dict(model.named_modules()) if is_module else {"": model}
    values = Values()
    for part in parts.values():
        values.meet(part)
    for name, part in parts.items():
        values.add(f"part {name}")
        values.kind(type(part))
        if is_module:
            values.module(part, without=_NO_SETTINGS if name == "" else (_STATE,))
        else:
            values.attributes(part, without=_NO_SETTINGS)
    return values.ended()


def program_of(module: str) -> tuple[str, bool]:
    """A digest of what the file of ``module`` does, with the user's modules that it imports and the data they read.

    The second value is False where the module has no source, or keeps data that nothing tells from other data.
    """
    values = Values()
    values.code(module)
    return values.ended()
