"""The next word: a transformer that sees only what came before tells each word of a text (GPT-2, section 2).

The end mark is told too, but nothing behind it. Otherwise than in the paper: texts are not packed one after the
other, and are what ``mmbench.zoo.language`` says. No drawing is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo import language, text
from mmbench.zoo.loop import Batch, Recipe
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    from torch import Tensor, nn


class NextWord(language.Prediction):
    """Mean cross-entropy of each token of a text given those before it."""

    architecture = language.CAUSAL
    causal = True

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        import torch

        losses, count = [], 0
        for tokens in self.reading.batch(batch, self.recipe.options["wikipedia"], batch.rng()):
            if len(tokens) == 0:
                continue
            following = torch.from_numpy(tokens[:, 1:])
            states = self.parts["text"].states(torch.from_numpy(tokens))[:, :-1]
            following = following[:, : states.shape[1]]
            told = following != text.PAD
            losses.append(self.cross_entropy(states[told], following[told]))
            count += int(told.sum())
        return torch.stack(losses).sum() / count


RECIPE = RECIPES.add(
    Recipe(
        name="gpt2",
        about="stand-in for GPT-2: the next word of captions and Wikipedia",
        objective=NextWord,
        modules=language.MODULES,
        autocast=False,  # small matrices: float32 is as fast, and the scores of words are exact
        options={"wikipedia": 0.5},
    )
)
