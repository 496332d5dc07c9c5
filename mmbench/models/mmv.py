"""MMV's TSM ResNet-50 for one frame: haiku's parameters in timm's ResNet of the second version.

Alayrac et al. 2020, section 4 and their released code: pre-activation blocks, batch norm, TensorFlow's padding, and
a shift of channels in time before the first convolution of each block.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, MissingExtra

if TYPE_CHECKING:
    import torch

DIM = 2048
SHIFTED = 0.125  # of the channels come from the frame before, and as many from the frame after
_NETWORK = "/TSMResNetV2/"
_BLOCK = re.compile(r"tsm_resnet_unit_(\d)/block_(\d)/(.*)")
_NORM = re.compile(r"_*(?:cross_replica_)?batch_norm(?:_(\d))?(/~/mean_ema|/~/var_ema)?")
_LEAF = {"scale": "weight", "offset": "bias", "w": "weight"}
_AVERAGE = {"/~/mean_ema": "running_mean", "/~/var_ema": "running_var"}


def build(owner: str) -> torch.nn.Module:
    """The untrained network, ``[batch, 3, side, side]`` to ``[batch, 2048]``; raises MissingExtra without timm."""
    try:
        from timm.layers import BatchNormAct2d, Conv2dSame
        from timm.models.resnetv2 import ResNetV2
    except ImportError:
        raise MissingExtra("timm", "embedded", owner) from None
    conv = partial(Conv2dSame, bias=False)
    return ResNetV2([3, 4, 6, 3], num_classes=0, stem_type="same", norm_layer=BatchNormAct2d, conv_layer=conv)


def timm_state(state: dict[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """A converted MMV file's tensors under timm's names, the other towers left out; raises BadSpec for another file."""
    found = {}
    for key, value in state.items():
        _, inside, name = key.partition(_NETWORK)
        named = timm_name(*name.rpartition(".")[::2]) if inside else ""
        if named:
            found[named] = value.permute(3, 2, 0, 1) if name.endswith(".w") else value.flatten()
    if not found:
        seen = ", ".join(list(state)[:3]) or "nothing"
        raise BadSpec(f"{path} holds no parameters of MMV's TSMResNetV2: it has {seen}")
    return found


def timm_name(module: str, leaf: str) -> str:
    """A haiku module within the network and one of its arrays, under timm's name; empty if it is not a weight."""
    block = _BLOCK.fullmatch(module)
    at, module = (f"stages.{block[1]}.blocks.{block[2]}.", block[3]) if block else ("", module)
    norm = _NORM.fullmatch(module)
    if norm is None:
        number = re.fullmatch(r"conv_(\d)", module)
        short = {"shortcut_conv": "downsample.conv", "tsm_resnet_stem": "stem.conv"}.get(module, module)
        return f"{at}{f'conv{int(number[1]) + 1}' if number else short}.{_LEAF.get(leaf, leaf)}"
    layer = f"{at}norm{int(norm[1] or 0) + 1}" if block else "norm"
    if norm[2]:
        return f"{layer}.{_AVERAGE[norm[2]]}" if leaf == "average" else ""
    return f"{layer}.{_LEAF.get(leaf, leaf)}"


def for_one_frame(module: Any) -> Any:
    """``module`` as it acts on a single frame: the channels that other frames would bring are zero in every block."""
    import torch

    with torch.no_grad():
        for stage in module.stages:
            for block in stage.blocks:
                weight = block.conv1.weight
                shifted = int(weight.shape[1] * SHIFTED)
                weight[:, :shifted] = 0
                weight[:, -shifted:] = 0
    return module
