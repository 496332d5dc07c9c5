"""Contrast with captions and of two further views, added (SLIP, section 3.2): ``clip`` and ``simclr`` in one.

As there, three views of each drawing: one is paired with its caption through the projection, the other two with each
other through a projector of their own on the features before it; the two losses weigh the same. The tower sees three
times as many pictures as with labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo.frozen.contrast import nt_xent, projector
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Batch, Recipe
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.recipes.clip import Contrast

if TYPE_CHECKING:
    from torch import Tensor, nn


class CaptionsAndViews(Contrast):
    """The loss of ``clip`` plus that of ``simclr``, at the recipe's ``temperature``."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        super().__init__(corpus, recipe)
        self.temperature = recipe.options["temperature"]
        self.parts["projector"] = projector(recipe.seed + 2)
        self.ships, self.notes = {recipe.name: ("tower", "scale")}, {}

    def loss(self, tower: nn.Sequential, batch: Batch) -> Tensor:
        import torch

        paired = super().loss(tower, batch)
        seen = self.parts["projector"](tower[:-1](torch.cat((batch.view(), batch.view()))))
        with torch.autocast("cpu", enabled=False):
            first, second = seen.float().chunk(2)
            return paired + nt_xent(first, second, self.temperature)


RECIPE = RECIPES.add(
    Recipe(
        name="slip",
        about="stand-in for SLIP: contrast with captions plus contrast of two views",
        objective=CaptionsAndViews,
        projection=True,
        options={"temperature": 0.2},
    )
)
