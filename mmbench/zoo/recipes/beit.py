"""Masked image modelling: the transformer of ``vit`` predicts the tokens of patches that it does not see. No labels.

Stands in for BEiT (section 2), whose tokens are the codes of DALL-E's tokenizer, trained before and without labels. The
zoo's tokenizer was trained before, without labels, on the zoo's own drawings: tokens are what the third stage of
``dino`` sees at each patch, standardised over the batch, and the loss is the mean square over hidden patches and no
choice among codes. As in BEiT hidden patches enter the network as one learned filler and a linear map reads them out.
Half of the patches are hidden, drawn singly and not in blocks.

A first model painted pixels, as MAE does. It painted them well, and its features separated drawings and categories no
better than those of the untrained network: in a view of changed pose, hue and background no pixel is what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmbench.errors import CorruptAsset
from mmbench.zoo import weight_files
from mmbench.zoo.frozen import backbone, vit
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Batch, Recipe
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    from torch import Tensor, nn

TOKENIZER = "dino"
WEIGHTS = "0dc1d5df7539f44b061c8d5f9375bbef735986c8a6a325f5c489dac8c69f39cd"  # digest of its tensors
STAGES = 5  # of the backbone's sequence, up to the stage that sees 8 x 8 places
TOKEN = backbone.WIDTHS[2]
FAINT = 1e-3


class MaskedPatches:
    """Mean squared error of the hidden patches' tokens; the recipe's ``hidden`` is their share of each image."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        import torch
        from torch import nn

        read = nn.Linear(backbone.DIM, TOKEN)
        backbone.initialise(read, recipe.seed + 2)
        filler = nn.ParameterDict({"patch": nn.Parameter(torch.zeros(vit.WIDTH))})
        self.hidden = round(recipe.options["hidden"] * vit.PATCHES)
        self.tokenizer = tokenizer()
        self.parts: dict[str, nn.Module] = {"vit": vit.build(seed=recipe.seed), "filler": filler, "read": read}
        self.ships: dict[str, tuple[str, ...]] = {recipe.name: ("vit",)}
        self.notes: dict[str, dict[str, str]] = {recipe.name: {"part": "vit", "architecture": vit.ARCHITECTURE}}

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        images = batch.view()
        hidden = mask(len(images), self.hidden, batch.rng())
        seen = self.parts["vit"].tokens(images, hidden, self.parts["filler"]["patch"])
        predicted = self.parts["read"](seen[hidden]).float()
        return (predicted - tokens(self.tokenizer, images)[hidden]).square().mean()


def tokenizer() -> nn.Module:
    """The first stages of ``dino``, frozen; raises MissingAsset, or CorruptAsset if its weights are not those."""
    import torch

    found = weight_files.digest(TOKENIZER)
    if found != WEIGHTS:
        raise CorruptAsset(
            f"beit learns the tokens of {TOKENIZER} with digest {WEIGHTS[:12]}, but the weights have {found[:12]}; "
            f"restore them, or change WEIGHTS in {__name__} and train beit again"
        )
    stages = weight_files.image_tower(TOKENIZER)[:STAGES]
    return stages.requires_grad_(False).to(memory_format=torch.channels_last)


def mask(count: int, hidden: int, rng: np.random.Generator) -> Tensor:
    """Bool ``[count, 64]``: True for the patches that are hidden, ``hidden`` in each row."""
    import torch

    return torch.from_numpy(rng.random((count, vit.PATCHES)).argsort(axis=1) < hidden)


def tokens(tokenizer: nn.Module, images: Tensor) -> Tensor:
    """What the tokenizer sees at each patch, each channel with mean 0 and deviation 1: ``[batch, 64, 128]``."""
    import torch

    with torch.no_grad():
        seen = tokenizer(images).float().flatten(2).transpose(1, 2)
        return (seen - seen.mean(dim=(0, 1))) / (seen.std(dim=(0, 1), correction=0) + FAINT)


RECIPE = RECIPES.add(
    Recipe(
        name="beit",
        about="stand-in for BEiT: masked image modelling, with what dino sees as tokens",
        objective=MaskedPatches,
        options={"hidden": 0.5},
    )
)
