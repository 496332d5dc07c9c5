"""Contrast of drawings with captions: the matched pair against all others of the batch, both ways (CLIP, section 2.3).

The image feature is the projected joint embedding, not normalised, as the released CLIP gives it. The text tower is
shipped as ``clip_t``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo.frozen import text
from mmbench.zoo.frozen.captions import caption, every_word
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Batch, Recipe
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    from torch import Tensor, nn

SPELT = 0.1
WARMEST = 100.0


class Contrast:
    """Symmetric InfoNCE over the batch with a learned temperature, starting at 0.07 and bounded at 0.01."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        import torch
        from torch import nn

        self.corpus = corpus
        self.tokenizer = text.Tokenizer.of(every_word(corpus))
        scale = nn.ParameterDict({"log": nn.Parameter(torch.tensor(math.log(1 / 0.07)))})
        self.parts: dict[str, nn.Module] = {"text": text.build(len(self.tokenizer), seed=recipe.seed), "scale": scale}
        self.ships: dict[str, tuple[str, ...]] = {"clip": ("tower", "scale"), "clip_t": ("text",)}
        self.notes: dict[str, dict[str, str]] = {"clip": {}, "clip_t": {"words": self.tokenizer.dump()}}

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        import torch
        from torch.nn import functional as F

        rng = batch.rng()
        captions = [caption(self.corpus, int(row), rng) for row in batch.rows]
        tokens = self.tokenizer.encode(captions, SPELT, rng)
        images = F.normalize(tower(batch.view()).float(), dim=1)
        with torch.autocast("cpu", enabled=False):  # small matrices: float32 is the faster one
            texts = F.normalize(self.read(tokens), dim=1)
        scale = self.parts["scale"]["log"].exp().clamp(max=WARMEST)
        with torch.autocast("cpu", enabled=False):
            logits = scale * images @ texts.T
        pairs = torch.arange(len(logits))
        return (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2

    def read(self, tokens: NDArray[np.int64]) -> Tensor:
        """Text features in the order of ``tokens``, read in four groups by length so that little is padding."""
        import torch

        order = np.argsort((tokens != text.PAD).sum(axis=1), kind="stable")
        read = [self.parts["text"](torch.from_numpy(tokens[rows])) for rows in np.array_split(order, 4) if len(rows)]
        return torch.cat(read)[torch.from_numpy(np.argsort(order, kind="stable"))]


RECIPE = RECIPES.add(
    Recipe(
        name="clip",
        about="stand-in for CLIP: contrast with captions",
        objective=Contrast,
        projection=True,
    )
)
