"""Contrast of two views of a batch: the loss, and the projector that it looks through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo.frozen import backbone

if TYPE_CHECKING:
    from torch import Tensor, nn

WIDTH = 128


def projector(seed: int = 0) -> nn.Module:
    """An untrained perceptron with one hidden layer, float ``[batch, 256]`` to ``[batch, 128]``; it is not shipped."""
    from torch import nn

    layers = nn.Sequential(nn.Linear(backbone.DIM, backbone.DIM), nn.ReLU(), nn.Linear(backbone.DIM, WIDTH))
    backbone.initialise(layers, seed)
    return layers


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy of SimCLR (section 2.1), a scalar in nats.

    Row i of ``first`` and row i of ``second``, both float ``[batch, dim]``, are views of one drawing. Each of the
    2 x batch views must tell its partner, by cosine, from all the other views of the batch but itself.
    """
    import torch
    from torch.nn import functional as F

    views = F.normalize(torch.cat((first, second)).float(), dim=1)
    n = len(first)
    logits = (views @ views.T / temperature).fill_diagonal_(-torch.inf)
    partners = torch.arange(2 * n).roll(n)
    return F.cross_entropy(logits, partners)
