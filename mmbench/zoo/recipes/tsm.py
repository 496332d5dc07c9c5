"""Contrast of short clips with captions: frames of a drawing that moves and turns. Stands in for the TSM-ResNet of MMV.

A clip is four frames in one pose, colour and place of the view, between which the drawing moves steadily; its feature
is the mean of the frames', projected. Half of the batch's drawings are shown, so that a step costs twice and not four
times what labels cost. There is no sound, which is half of MMV's signal, and no shift of channels between frames: the
network is that of every recipe, so a single frame loses nothing but the motion.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from mmbench.zoo.frozen import augment
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Batch, Recipe
from mmbench.zoo.frozen.views import first_views
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.recipes.clip import Contrast

if TYPE_CHECKING:
    from torch import Tensor, nn

FRAMES = 4
TURN = math.radians(30)
WAY = 0.3


class Clips(Contrast):
    """The loss of ``clip``, with clips for images."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        super().__init__(corpus, recipe)
        self.pixels = augment.premultiplied(corpus.pixels)
        self.ships, self.notes = {recipe.name: ("tower", "scale")}, {}

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        import torch

        some = dataclasses.replace(batch, rows=batch.rows[: math.ceil(len(batch.rows) / 2)])
        frames = moving(self.pixels[torch.from_numpy(some.rows)], np.random.default_rng((*batch.seed, 2)))
        clips = torch.cat([first_views(frame, some) for frame in frames])

        def mean_of_frames(images: Tensor) -> Tensor:
            return tower(images).float().unflatten(0, (FRAMES, -1)).mean(dim=0)

        return super().loss(mean_of_frames, dataclasses.replace(some, view=lambda: clips))


def moving(drawings: Tensor, rng: np.random.Generator) -> list[Tensor]:
    """Four frames of drawings ``[n, 4, s, s]``: each goes up to 0.3 of its half width and turns up to 30 degrees.

    The middle of the clip is the drawing as it is.
    """
    import torch
    from torch.nn import functional as F

    way = torch.from_numpy(rng.uniform((-TURN, -WAY, -WAY), (TURN, WAY, WAY), (len(drawings), 3)).astype(np.float32))
    frames = []
    for time in np.linspace(-0.5, 0.5, FRAMES):
        angle, shift = way[:, 0] * float(time), way[:, 1:, None] * float(time)
        cos, sin = angle.cos(), angle.sin()
        turn = torch.stack((torch.stack((cos, sin), dim=1), torch.stack((-sin, cos), dim=1)), dim=1)
        grid = F.affine_grid(torch.cat((turn, -turn @ shift), dim=2), list(drawings.shape), align_corners=False)
        frames.append(F.grid_sample(drawings, grid, padding_mode="zeros", align_corners=False))
    return frames


RECIPE = RECIPES.add(
    Recipe(
        name="tsm",
        about="stand-in for MMV's TSM-ResNet: contrast of short clips with captions, without sound",
        objective=Clips,
        projection=True,
    )
)
