"""Fine labels, taught to a transformer: ``bit_m`` with another network. Stands in for a ViT trained on labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo.frozen import vit
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.labels import Labels
from mmbench.zoo.frozen.loop import Batch, Recipe
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    from torch import Tensor, nn


class OfTransformer(Labels):
    """The labels of ``bit_m``; the residual tower is left as it is, and not shipped."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        super().__init__(corpus.ids, recipe)
        self.parts["vit"] = vit.build(seed=recipe.seed)
        self.ships = {recipe.name: ("vit", "head")}
        self.notes[recipe.name] |= {"part": "vit", "architecture": vit.ARCHITECTURE}

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        return super().loss(self.parts["vit"], batch)


RECIPE = RECIPES.add(
    Recipe(
        name="vit",
        about="stand-in for ViT: fine labels, one class a drawing, taught to a transformer",
        objective=OfTransformer,
        options={"smoothing": 0.1},
    )
)
