"""Masked words: a transformer that sees a whole text predicts the words that are hidden from it (BERT, section 3.1).

As in the paper 15 % of the words are to be predicted, of which 80 % are masked, 10 % replaced and 10 % left. What
differs: no next-sentence task (RoBERTa, section 4.2, does without), each text is masked anew at each step, and the
texts are those of ``mmbench.zoo.frozen.word_prediction``. No drawing is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo.frozen import language, word_prediction
from mmbench.zoo.frozen.loop import Recipe
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class MaskedWords(word_prediction.Prediction):
    """Predicts the hidden words; the recipe's ``hidden`` is their share of each text."""

    architecture = language.MASKED
    causal = False

    def predicted(self, tokens: word_prediction.Tokens, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        import torch

        seen, chosen = word_prediction.hidden(tokens, len(self.reading.tokenizer), self.recipe.options["hidden"], rng)
        states = self.parts["text"].states(torch.from_numpy(seen))
        return states[torch.from_numpy(chosen[:, : states.shape[1]])], torch.from_numpy(tokens[chosen])


RECIPE = RECIPES.add(
    Recipe(
        name="bert",
        about="stand-in for BERT: masked words of captions and Wikipedia",
        objective=MaskedWords,
        autocast=False,  # small matrices: float32 is as fast, and the scores of words are exact
        options={"wikipedia": 0.5, "hidden": 0.15},
    )
)
