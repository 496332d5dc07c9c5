"""Named tensors into a module: every name and shape matches and every weight is a number, or the file is refused."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.errors import BadSpec, CorruptAsset, NotFinite

if TYPE_CHECKING:
    import torch


def load_strictly(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor], path: Path, owner: str, *, spare: bool = False
) -> None:
    """Put ``state`` into ``module`` with every name and shape matching, in the module's own dtype.

    ``spare`` allows tensors that the module does not have. Raises BadSpec when the file is of another architecture
    (a shape differs, or most names are unknown) or its weights are no floating point numbers, CorruptAsset when a
    tensor is missing or left over, and NotFinite for weights that are NaN or infinite; each names the first few.
    """
    own = module.state_dict()
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in own]
    if len(missing) > len(own) / 2:
        raise BadSpec(
            f"{path} does not hold the weights of {owner}: it lacks {_some(missing)} and has {_some(extra)}"
            + _prefix_hint(own, state)
        )
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    if shapes:
        raise BadSpec(f"{path} is of another architecture than {owner}: {_some(shapes)}")
    # PyTorch would convert them without a word: whole numbers lack their scale, complex ones lose a part
    kinds = [
        f"{key} {_kind(state[key])}"
        for key in own
        if key in state and own[key].is_floating_point() and not _is_plain_float(state[key])
    ]
    if kinds:
        raise BadSpec(
            f"{path} holds {_some(kinds)} where {owner} has floating point weights; save them dense, as float32"
        )
    if missing:
        raise CorruptAsset(f"{path} lacks weights that {owner} needs: {_some(missing)}")
    if extra and not spare:
        raise CorruptAsset(f"{path} has weights that {owner} does not use: {_some(extra)}")
    if broken := [key for key in own if key in state and not _is_finite(state[key])]:
        raise NotFinite(
            f"{path} holds weights that are no numbers (NaN or infinite): {_some(broken)}; the training that wrote it "
            "has diverged"
        )
    # the versions of the network's own parts, without which MNASNet, for one, takes the names for those of an older one
    named = OrderedDict(state)
    named._metadata = getattr(own, "_metadata", {})  # type: ignore[attr-defined]
    module.load_state_dict(named, strict=False)


def _kind(value: torch.Tensor) -> str:
    layout = "on meta" if value.is_meta else str(value.layout)
    return f"{value.dtype} {layout}".replace("torch.", "").replace(" strided", "")


def _is_plain_float(value: torch.Tensor) -> bool:
    """A dense tensor of 16 bits or more with values; eight-bit floats come with a scale that is kept elsewhere."""
    import torch

    dense = value.layout is torch.strided and not value.is_meta
    return dense and value.is_floating_point() and value.dtype.itemsize > 1


def _is_finite(value: torch.Tensor) -> bool:
    """Whether all values are finite. A sum is finite only where each is, but for one that overflows."""
    import torch

    if not value.is_floating_point() or bool(torch.isfinite(value.sum(dtype=torch.float32))):
        return True
    return bool(torch.isfinite(value).all())


def _some(items: list[str]) -> str:
    rest = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return (", ".join(items[:3]) or "nothing else") + rest


def _prefix_hint(own: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> str:
    """What to add where a trainer put one name before all others (``model.``, ``backbone.``, ``model.module.``)."""
    for first in list(own)[:3]:
        for key in state:
            prefix = key.removesuffix(first)
            if prefix and key.endswith(f".{first}") and sum(prefix + name in state for name in own) > len(own) / 2:
                return f"; these are its names behind {prefix!r}: add ?prefix={prefix}"
    return ""
