"""A small vision transformer for 64 x 64 images: 64 patches of 8 x 8, six blocks of width 128, 1.2 million parameters.

Its features are made as the backbone's are: normalised over the batch, ReLU, averaged over positions, 256 wide and
never negative. There is no class token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo.frozen.backbone import DIM, SIZE
from mmbench.zoo.frozen.block import block

if TYPE_CHECKING:
    from torch import Tensor, nn

ARCHITECTURE = "mmbench-vit-6x128-patch8"
PATCH = 8
SIDE = SIZE // PATCH
PATCHES = SIDE * SIDE
VALUES = 3 * PATCH * PATCH
WIDTH = 128
LAYERS = 6
HEADS = 4


def build(*, seed: int = 0) -> nn.Module:
    """An untrained network from float ``[batch, 3, 64, 64]`` to ``[batch, 256]``.

    Its ``tokens`` gives the features before they are averaged, float ``[batch, 64, 256]``; patches that are true in
    ``hidden``, bool ``[batch, 64]``, are replaced by ``filler``, float ``[128]``, before their places are added.
    """
    from torch import nn

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.place = nn.Linear(VALUES, WIDTH), nn.Embedding(PATCHES, WIDTH)
            self.blocks = nn.Sequential(*(block(WIDTH, HEADS, attention) for _ in range(LAYERS)))
            self.norm, self.rise = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, DIM, bias=False)
            self.spread = nn.BatchNorm1d(DIM)

        def tokens(self, images, hidden=None, filler=None):  # type: ignore[no-untyped-def]
            x = self.embed(patches(images))
            if hidden is not None:
                x = x.where(~hidden.unsqueeze(2), filler.to(x.dtype))
            x = self.rise(self.norm(self.blocks(x + self.place.weight)))
            return self.spread(x.flatten(0, 1)).view_as(x).relu()

        def forward(self, images):  # type: ignore[no-untyped-def]
            return self.tokens(images).mean(dim=1)

    network = Transformer()
    initialise(network, seed)
    return network


def attention(query: Tensor, key: Tensor, value: Tensor, seen: None) -> Tensor:
    """Of every patch to every patch. Written out: on the CPU the gradient of torch's own takes as long as the rest."""
    share = (query @ key.transpose(2, 3) * (WIDTH // HEADS) ** -0.5).softmax(dim=3)
    return share.to(value.dtype) @ value


def patches(images: Tensor) -> Tensor:
    """The 64 patches of each image, row by row, as ``[batch, 64, 192]``; channels last within a patch."""
    n = len(images)
    cut = images.reshape(n, 3, SIDE, PATCH, SIDE, PATCH)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(n, PATCHES, VALUES)


def initialise(network: nn.Module, seed: int) -> None:
    """Places as waves, other weights normal with one over the root of the fan-in, drawn by numpy.

    What a block adds starts at nothing. With full weights there, and no normalisation before the last ReLU, all
    features died within 60 steps at the zoo's learning rate; with places near zero fine labels were learnt later.
    """
    import torch

    rng = np.random.default_rng(seed + 3)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name == "place.weight":
                tensor.copy_(torch.from_numpy(places()))
            elif name.endswith(("out.weight", "wide.2.weight")):
                tensor.zero_()
            elif tensor.ndim < 2:
                tensor.fill_(1.0 if "weight" in name else 0.0)
            else:
                values = rng.standard_normal(tensor.shape, dtype=np.float32) * np.float32(tensor.shape[1] ** -0.5)
                tensor.copy_(torch.from_numpy(values))


def places() -> NDArray[np.float32]:
    """Where each patch lies, float ``[64, 128]``: sines and cosines of row and column; learned on from there."""
    paces = np.pi / SIDE * np.geomspace(1, SIDE, WIDTH // 4)
    waves = [wave(each.reshape(-1, 1) * paces) for each in np.mgrid[:SIDE, :SIDE] for wave in (np.sin, np.cos)]
    return np.concatenate(waves, axis=1).astype(np.float32)
