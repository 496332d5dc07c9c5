"""The one backbone of the zoo: a residual network of eight layers for 64 x 64 images, 1.2 million parameters.

Every image model of the zoo is this network from the same initial weights, so that only the training signal differs.
Features are the ReLU outputs of the last stage, averaged over positions: 256 wide and never negative, as those of a
ResNet-50 are.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mmbench.zoo.frozen.convolution import convolution

if TYPE_CHECKING:
    from torch import nn

ARCHITECTURE = "mmbench-resnet8-32-64-128-256"
SIZE = 64
DIM = 256
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
WIDTHS = (32, 64, 128, 256)


def build(*, projection: bool = False, seed: int = 0) -> nn.Module:
    """An untrained network from float ``[batch, 3, 64, 64]`` to ``[batch, 256]``.

    With ``projection`` a linear map without bias follows, as in CLIP, and the feature is the joint embedding.
    """
    from torch import nn

    def normalised(into: int, out: int, size: int, stride: int) -> list[nn.Module]:
        return [convolution(into, out, size, stride), nn.BatchNorm2d(out)]

    class Residual(nn.Module):
        def __init__(self, into: int, out: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(*normalised(into, out, 3, stride), nn.ReLU(), *normalised(out, out, 3, 1))
            self.skip = nn.Sequential(*normalised(into, out, 1, stride))

        def forward(self, x):  # type: ignore[no-untyped-def]
            return (self.body(x) + self.skip(x)).relu()

    layers: list[nn.Module] = [nn.Conv2d(3, WIDTHS[0], 3, 2, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU()]
    for into, out in pairwise(WIDTHS):
        layers.append(Residual(into, out, 2))
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if projection:
        layers.append(nn.Linear(DIM, DIM, bias=False))
    network = nn.Sequential(*layers)
    initialise(network, seed)
    return network


def initialise(module: nn.Module, seed: int) -> None:
    """He-normal weights drawn by numpy, whose stream no torch version changes; normalisations start as identities."""
    import torch

    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            if tensor.ndim < 2:
                tensor.fill_(1.0 if name.endswith("weight") else 0.0)
                continue
            fan_in = tensor[0].numel()
            values = rng.standard_normal(tensor.shape, dtype=np.float32) * np.sqrt(2.0 / fan_in, dtype=np.float32)
            tensor.copy_(torch.from_numpy(values))
