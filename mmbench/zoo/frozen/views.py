"""The views of a batch, of drawings that a recipe has changed first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo.frozen import augment

if TYPE_CHECKING:
    from torch import Tensor

    from mmbench.zoo.frozen.loop import Batch


def first_views(drawings: Tensor, batch: Batch) -> Tensor:
    """Premultiplied RGBA ``[n, 4, s, s]`` as the batch's first call of ``view`` would show them.

    Called again it gives the same poses, colours and backgrounds, so that frames of one clip share them.
    """
    import torch

    seed, step = batch.seed
    return augment.views(drawings, torch.Generator().manual_seed(seed * 1_000_003 + step))
