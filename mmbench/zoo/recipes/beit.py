"""Masked image modelling: the transformer of ``vit`` paints in the patches that it does not see. No labels.

Stands in for BEiT, and is not its recipe: BEiT predicts the codes of a pretrained tokenizer, which the matched zoo
cannot have. As in MAE (section 3) the target is each hidden patch's pixels, less their mean and over their deviation,
and the loss the mean square over hidden patches; as in BEiT and SimMIM hidden patches enter the network as one learned
filler and a linear map reads them out. Half of the patches are hidden, drawn singly and not in blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmbench.zoo import backbone, vit
from mmbench.zoo.corpus import Corpus
from mmbench.zoo.loop import Batch, Recipe
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    from torch import Tensor, nn

FAINT = 0.01


class MaskedPatches:
    """Mean squared error of the hidden patches; the recipe's ``hidden`` is their share of each image."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        import torch
        from torch import nn

        paint = nn.Linear(backbone.DIM, vit.VALUES)
        backbone.initialise(paint, recipe.seed + 2)
        filler = nn.ParameterDict({"patch": nn.Parameter(torch.zeros(vit.WIDTH))})
        self.hidden = round(recipe.options["hidden"] * vit.PATCHES)
        self.parts: dict[str, nn.Module] = {"vit": vit.build(seed=recipe.seed), "filler": filler, "paint": paint}
        self.ships: dict[str, tuple[str, ...]] = {recipe.name: ("vit",)}
        self.notes: dict[str, dict[str, str]] = {recipe.name: {"part": "vit", "architecture": vit.ARCHITECTURE}}

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        images = batch.view()
        hidden = mask(len(images), self.hidden, batch.rng())
        tokens = self.parts["vit"].tokens(images, hidden, self.parts["filler"]["patch"])
        painted = self.parts["paint"](tokens[hidden]).float()
        return (painted - target(images)[hidden]).square().mean()


def mask(count: int, hidden: int, rng: np.random.Generator) -> Tensor:
    """Bool ``[count, 64]``: True for the patches that are hidden, ``hidden`` in each row."""
    import torch

    return torch.from_numpy(rng.random((count, vit.PATCHES)).argsort(axis=1) < hidden)


def target(images: Tensor) -> Tensor:
    """Each patch with mean 0 and deviation 1, float ``[batch, 64, 192]``; what is nearly flat stays nearly flat."""
    values = vit.patches(images)
    variance = values.var(dim=2, keepdim=True, correction=0)
    return (values - values.mean(dim=2, keepdim=True)) / (variance + FAINT).sqrt()


RECIPE = RECIPES.add(
    Recipe(
        name="beit",
        about="stand-in for BEiT: masked image modelling with pixels, not tokens",
        objective=MaskedPatches,
        modules=("mmbench.zoo.vit",),
        options={"hidden": 0.5},
    )
)
