"""What decides a user's own model beside its weights: the program of its classes, and what its attributes set."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

from mmbench.errors import UnknownCode
from mmbench.program import own_code_of
from mmbench.program.digest import is_own_code
from mmbench.program.kept import ALSO_SAID, SAID, Kept
from mmbench.program.text import PACKAGE

_STATE = "training"  # of a module: eval mode is set here
_NO_SETTINGS = ("identity", "name", "preprocess", _STATE)  # each is in an identity by itself


def described(model: Any) -> tuple[str, bool]:
    """A digest of the code and the attributes of a user's model, and whether it tells the model from every other.

    Of a torch module all submodules count, without their weights: the program of each class that is the user's own, and
    attributes. Plain values, arrays, tensors, functions and objects of the user are said. Anything else, such as an
    object of another library, leaves the second value False where a class of the user keeps it; of what a library's own
    class keeps, plain values count, and the rest is what its structure shows.
    """
    torch = sys.modules.get("torch")
    is_module = torch is not None and isinstance(model, torch.nn.Module)
    parts: Mapping[str, Any] = dict(model.named_modules()) if is_module else {"": model}
    plumbing = set(vars(torch.nn.Module())) if is_module else set()  # type: ignore[union-attr]
    hasher, whole = hashlib.sha256(), True
    for name, part in parts.items():
        code = own_code_of(type(part))
        hasher.update(f"{name} {type(part).__module__}.{type(part).__qualname__} {code}\n".encode())
        for key, value in sorted(getattr(part, "__dict__", {}).items()):
            if key in plumbing or (key in _NO_SETTINGS and (name == "" or key == _STATE)):
                continue
            said = _said(value)
            whole = whole and (said is not None or not code)
            hasher.update(f"{key}={said}\n".encode())
    return hasher.hexdigest(), whole


def _said(value: Any) -> str | None:
    """A text that is the same for the same value in every process; None where there is none."""
    torch = sys.modules.get("torch")
    if isinstance(value, SAID + ALSO_SAID):
        return repr(value)
    if isinstance(value, list | tuple | set | frozenset | dict):
        items = list(value.items()) if isinstance(value, dict) else list(value)
        each = [_said(item) for item in items]
        known = [one for one in each if one is not None]
        kept = sorted(known) if isinstance(value, set | frozenset) else known
        return f"{type(value).__name__}({', '.join(kept)})" if len(known) == len(each) else None
    if torch is not None and isinstance(value, torch.device | torch.dtype | torch.Size):
        return repr(value)
    if torch is not None and isinstance(value, torch.Tensor):
        return f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(bytes_of(value)).hexdigest()}"
    if torch is not None and isinstance(value, torch.nn.Module):  # kept in a list, where torch does not find it
        own, whole = described(value)
        weights = [f"{key} {_said(tensor)}" for key, tensor in sorted(value.state_dict().items())]
        return f"{value!r} {own} {weights}" if whole else None
    kept_by = Kept(lambda module: (top := module.partition(".")[0]) == PACKAGE or is_own_code(top))
    try:
        kept_by.value(value, _Attribute)
    except UnknownCode:
        return None
    kinds = [own_code_of(kind) for module in kept_by.modules if (kind := _kind_in(module))]
    return " ".join([*kept_by.said, *kinds])


class _Attribute:
    """The owner that a message of ``Kept`` would name."""


def _kind_in(module: str) -> type | None:
    """A stand-in class of ``module``, whose program ``own_code_of`` gives."""
    return type("Own", (), {"__module__": module}) if not module.startswith(PACKAGE) else None


def bytes_of(tensor: Any) -> bytes:
    """The bytes of a tensor's values."""
    import torch

    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
