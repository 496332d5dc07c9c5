"""BiT's published ``.npz`` files (Kolesnikov et al. 2020) under the names of timm's ``resnetv2_*_bit``.

Kernels are turned from height, width, inputs, outputs to PyTorch's order; the classifier is left out. Both networks
standardise the weights of their convolutions and use GroupNorm. timm adds 1e-8 to the variance where the authors add
1e-10, and pools as they do.

timm has a reader of these files too (``load_pretrained``). It ignores arrays that it does not ask for and spreads one
number over a whole row, so a file of another network can pass; ours takes every array, or refuses the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.errors import BadSpec
from mmbench.models import archives

if TYPE_CHECKING:
    import torch

_UNIT = re.compile(r"block(\d+)/unit(\d+)/(a|b|c)/(proj/standardized_conv2d|standardized_conv2d|group_norm)/(\w+)")
_PART = {"a": "1", "b": "2", "c": "3"}
_LEAF = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
_TOP = {
    "root_block/standardized_conv2d/kernel": "stem.conv.weight",
    "group_norm/gamma": "norm.weight",
    "group_norm/beta": "norm.bias",
}


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a BiT file under timm's names, without the classifier. Raises BadSpec for another ``.npz``."""
    import torch

    arrays = {key.removeprefix("resnet/"): value for key, value in archives.read_npz(path).items()}
    if not any(key in arrays for key in _TOP):
        seen = ", ".join(list(arrays)[:3]) or "nothing"
        raise BadSpec(f"{path} is not laid out as BiT's published weights are: it has {seen}")
    state = {}
    for key, value in arrays.items():
        if not key.startswith("head/"):
            turned = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
            state[timm_name(key)] = torch.from_numpy(turned.copy())
    return state


def timm_name(key: str) -> str:
    """``block1/unit01/a/standardized_conv2d/kernel`` as ``stages.0.blocks.0.conv1.weight``; unknown names stay."""
    found = _UNIT.fullmatch(key)
    if found is None or found[5] not in _LEAF:
        return _TOP.get(key, key)
    block, unit, part, layer, leaf = found.groups()
    at = f"stages.{int(block) - 1}.blocks.{int(unit) - 1}"
    kind = {"group_norm": f"norm{_PART[part]}", "standardized_conv2d": f"conv{_PART[part]}"}.get(
        layer, "downsample.conv"
    )
    return f"{at}.{kind}.{_LEAF[leaf]}"
