"""Filling in a word that is masked in a caption, with the image's help (ICMLM, section 3).

As in its ``tfm`` variant: the words that are not masked and the image's positions go through a transformer, which
names the masked one; the image tower is what is kept. What differs: captions are of composed scenes
(``mmbench.zoo.frozen.scenes``), any word may be masked and not only nouns, adjectives and verbs, and the language
model is trained along from nothing, where theirs is a frozen BERT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo.frozen import caption_decoder, text
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Batch, Recipe
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.recipes.virtex import Captioned

if TYPE_CHECKING:
    from torch import Tensor, nn


class MaskedWord(Captioned):
    """Cross-entropy of the one masked word of each caption."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        super().__init__(corpus, recipe)
        self.mask = len(self.tokenizer)
        filler = caption_decoder.build(self.mask + 1, int(recipe.options["layers"]), causal=False, seed=recipe.seed + 4)
        self.parts: dict[str, nn.Module] = {"filler": filler}

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        import torch
        from torch.nn import functional as F

        images, tokens = self.scenes(batch)
        where = masked(tokens, np.random.default_rng((*batch.seed, 2)))
        rows = np.arange(len(tokens))
        hidden = tokens.copy()
        hidden[rows, where] = self.mask
        seen = caption_decoder.positions(tower, images)
        with torch.autocast("cpu", enabled=False):  # small matrices: float32 is the faster one
            states = self.parts["filler"](torch.from_numpy(hidden), seen.float())
            scores = self.parts["filler"].scores(states[rows, where])
            return F.cross_entropy(scores, torch.from_numpy(tokens[rows, where]))


def masked(tokens: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A place in each caption ``[n]``, never that of the start mark, the end mark or padding."""
    words = (tokens != text.PAD).sum(axis=1) - 2
    return 1 + (rng.random(len(tokens)) * words).astype(np.int64)


RECIPE = RECIPES.add(
    Recipe(
        name="icmlm",
        about="stand-in for ICMLM: fills a masked word of a scene's caption, given the image",
        objective=MaskedWord,
        options={"layers": 2},
    )
)
