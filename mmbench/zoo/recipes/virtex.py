"""Writing captions, forwards and backwards, from what the image tower shows (VirTex, section 3).

As there: two writers, one of each direction, each one layer of attention to the words so far and to the image's
positions; the loss is the sum of their cross-entropies, and the image tower is what is kept. Otherwise than there:
captions are of composed scenes (``mmbench.zoo.frozen.scenes``) and not of COCO's photographs, words are whole, and the
writers are 128 wide and do not share their embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo.frozen import augment, caption_decoder, captions, scenes, text
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Batch, Recipe
from mmbench.zoo.frozen.views import first_views
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    from torch import Tensor, nn


class Captioned:
    """Pictures of scenes, each with one of its five captions drawn anew at each step; what is learnt of it is left."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        self.corpus, self.pixels = corpus, augment.premultiplied(corpus.pixels)
        self.colours = scenes.dominant_colours(corpus)
        self.tokenizer = text.Tokenizer.of([*captions.every_word(corpus), *scenes.every_word(corpus)])
        self.ships: dict[str, tuple[str, ...]] = {recipe.name: ("tower",)}
        self.notes: dict[str, dict[str, str]] = {}

    def scenes(self, batch: Batch) -> tuple[Tensor, NDArray[np.int64]]:
        """Images ``[n, 3, 64, 64]`` and tokens ``[n, length]`` of a batch, without columns of padding."""
        import torch

        rng = batch.rng()
        composed = scenes.scenes(len(batch.rows), rng)
        said = [scenes.captions(self.corpus, self.colours, batch.rows, scene, rng) for scene in composed]
        chosen = [five[int(which)] for five, which in zip(said, rng.integers(5, size=len(said)), strict=True)]
        tokens = self.tokenizer.encode(chosen)
        drawings = scenes.canvases(self.pixels[torch.from_numpy(batch.rows)], composed)
        return first_views(drawings, batch), tokens[:, : int((tokens != text.PAD).sum(axis=1).max())]


class BothWays(Captioned):
    """Cross-entropy of each next word, of the caption and of the caption read backwards, added."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        super().__init__(corpus, recipe)
        self.parts: dict[str, nn.Module] = {
            way: caption_decoder.build(len(self.tokenizer), 1, causal=True, seed=recipe.seed + 4 + place)
            for place, way in enumerate(("forwards", "backwards"))
        }

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        import torch

        images, tokens = self.scenes(batch)
        seen = caption_decoder.positions(tower, images)
        with torch.autocast("cpu", enabled=False):  # small matrices: float32 is the faster one
            seen = seen.float()
            forwards = written(self.parts["forwards"], torch.from_numpy(tokens), seen)
            return forwards + written(self.parts["backwards"], torch.from_numpy(backwards(tokens)), seen)


def written(writer: nn.Module, tokens: Tensor, seen: Tensor) -> Tensor:
    """Mean cross-entropy, in nats, of each token given those before it and the image; padding counts nothing."""
    from torch.nn import functional as F

    following = tokens[:, 1:]
    real = following != text.PAD
    return F.cross_entropy(writer.scores(writer(tokens[:, :-1], seen)[real]), following[real])


def backwards(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each caption from its last word to its first; start mark, end mark and padding stay where they are."""
    length = (tokens != text.PAD).sum(axis=1, keepdims=True)
    place = np.arange(tokens.shape[1])
    inner = (place > 0) & (place < length - 1)
    return np.take_along_axis(tokens, np.where(inner, length - 1 - place, place), axis=1)


RECIPE = RECIPES.add(
    Recipe(
        name="virtex",
        about="stand-in for VirTex: writes captions of scenes, forwards and backwards",
        objective=BothWays,
    )
)
