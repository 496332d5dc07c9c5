"""The next word: a transformer that sees only what came before predicts each word of a text (GPT-2, section 2).

The end mark is predicted too, but nothing behind it. Otherwise than in the paper: texts are not packed one after the
other, and are what ``mmbench.zoo.frozen.word_prediction`` says. No drawing is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo.frozen import language, text, word_prediction
from mmbench.zoo.frozen.loop import Recipe
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class NextWord(word_prediction.Prediction):
    """Predicts each token of a text from those before it."""

    architecture = language.CAUSAL
    causal = True

    def predicted(self, tokens: word_prediction.Tokens, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        import torch

        states = self.parts["text"].states(torch.from_numpy(tokens))[:, :-1]
        following = torch.from_numpy(tokens[:, 1:])[:, : states.shape[1]]
        real = following != text.PAD
        return states[real], following[real]


RECIPE = RECIPES.add(
    Recipe(
        name="gpt2",
        about="stand-in for GPT-2: the next word of captions and Wikipedia",
        objective=NextWord,
        autocast=False,  # small matrices: float32 is as fast, and the scores of words are exact
        options={"wikipedia": 0.5},
    )
)
