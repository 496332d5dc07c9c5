"""Stylised drawings: every fill in random colours and patterns, ink and silhouette where they were.

The training signal of the models that stand for Stylized-ImageNet (Geirhos et al. 2019, section 2), where a painting
gave each photo its style. Here all pixels of one colour in a drawing get one random colour, run through with
stripes and blots, anew at each step: what colour and texture a thing has tells nothing, its lines and outline all.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from mmbench.zoo.frozen import augment
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.labels import Labels

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from mmbench.zoo.frozen.loop import Batch, Recipe

INK = 0.3
APART = 0.35
CELLS = 12


def stylised(drawings: Tensor, rng: Generator) -> Tensor:
    """Premultiplied RGBA ``[n, 4, s, s]`` to the same with other colours; alpha is untouched.

    Ink (dark pixels, the lines of a drawing) turns near-black or near-white, fills keep ``APART`` from it.
    """
    import torch

    n, _, size, _ = drawings.shape
    alpha = drawings[:, 3:]
    colours = drawings[:, :3] / alpha.clamp(min=1 / 255)
    turn = torch.randn(n, 5, 3, generator=rng) * 4
    start = torch.rand(n, 5, 1, generator=rng) * 2 * math.pi
    flat, stripes, blots = (turn @ colours.flatten(2) + start).view(n, 5, size, size).sin_().split((3, 1, 1), dim=1)
    pattern = _stripes(n, size, rng) * stripes + _blots(n, size, rng) * blots
    fills = 0.5 + 0.25 * flat + 0.25 * (torch.randn(n, 3, 1, 1, generator=rng) * 2 * pattern).sin()
    ink = (1 - colours.amax(dim=1, keepdim=True) / INK).clamp(min=0)
    light = (torch.rand(n, 1, 1, 1, generator=rng) < 0.5).float()
    fills = (1 - light) * APART + (1 - APART) * fills
    return torch.cat(((ink * light + (1 - ink) * fills) * alpha, alpha), dim=1)


def _stripes(n: int, size: int, rng: Generator) -> Tensor:
    """One grating a drawing, any direction, 6 to 18 pixels a period: float ``[n, 1, size, size]`` within -1 and 1."""
    import torch

    angle, period, start = torch.rand(3, n, 1, 1, 1, generator=rng)
    angle, pace = angle * 2 * math.pi, 2 * math.pi / (6 + 12 * period)
    place = torch.arange(size, dtype=torch.float32)
    along = angle.cos() * place.view(1, 1, 1, size) + angle.sin() * place.view(1, 1, size, 1)
    return (pace * along + 2 * math.pi * start).sin()


def _blots(n: int, size: int, rng: Generator) -> Tensor:
    """A smooth noise field a drawing, blots about a twelfth of it wide: float ``[n, 1, size, size]``."""
    import torch
    from torch.nn import functional as F

    rise = F.interpolate(torch.eye(CELLS).unsqueeze(0), size=size, mode="linear")[0].T.contiguous()
    return rise @ torch.randn(n, 1, CELLS, CELLS, generator=rng) @ rise.T


class Stylised(Labels):
    """Coarse labels of drawings, of which the recipe's ``share`` is stylised, up to ``until`` of all steps.

    Which drawings of a batch are stylised is drawn anew at each step. Pose, background and change of hue are those of
    the plain view, so that a stylised picture differs from it in its fills alone.
    """

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        super().__init__(corpus.categories, recipe)
        self.pixels, self.seed = corpus.pixels, recipe.seed
        self.share, self.last = recipe.options["share"], recipe.options["until"] * recipe.steps

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        plain = batch.seed[1] >= self.last
        return super().loss(tower, batch if plain else dataclasses.replace(batch, view=lambda: self.view(batch)))

    def view(self, batch: Batch) -> Tensor:
        """The batch's first view, ``share`` of its drawings stylised; float ``[n, 3, 64, 64]``."""
        import torch

        rng, n = batch.rng(), len(batch.rows)
        chosen = torch.from_numpy(rng.permutation(n)[: math.ceil(self.share * n)])
        style = torch.Generator().manual_seed(int(rng.integers(2**62)))
        drawings = augment.premultiplied(self.pixels[batch.rows])
        drawings[chosen] = stylised(drawings[chosen], style)
        return augment.views(drawings, torch.Generator().manual_seed(self.seed * 1_000_003 + batch.seed[1]))
