"""Contrast of two views, without labels or words: a view must find the other view of its drawing (SimCLR, section 2).

The views are those of every recipe, two a step, so the tower sees twice as many pictures as with labels. There are no
flips and no blur, as nowhere in the zoo. The projector is dropped, as in the paper: the feature is the tower's. The
temperature is 0.2; the paper found 0.1 best for 1,000 classes and long training, 0.5 for CIFAR-10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo.frozen.contrast import nt_xent, projector
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Batch, Recipe
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    from torch import Tensor, nn


class TwoViews:
    """NT-Xent over the two views of each drawing in the batch, with the recipe's ``temperature``."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        self.temperature = recipe.options["temperature"]
        self.parts: dict[str, nn.Module] = {"projector": projector(recipe.seed + 2)}
        self.ships: dict[str, tuple[str, ...]] = {recipe.name: ("tower",)}
        self.notes: dict[str, dict[str, str]] = {}

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        import torch

        seen = self.parts["projector"](tower(torch.cat((batch.view(), batch.view()))))
        with torch.autocast("cpu", enabled=False):
            first, second = seen.float().chunk(2)
            return nt_xent(first, second, self.temperature)


RECIPE = RECIPES.add(
    Recipe(
        name="simclr",
        about="stand-in for SimCLR: contrast of two views of a drawing",
        objective=TwoViews,
        options={"temperature": 0.2},
    )
)
