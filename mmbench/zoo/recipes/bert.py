"""Masked words: a transformer that sees a whole text tells the words that are hidden from it (BERT, section 3.1).

As in the paper 15 % of the words are to be told, of which 80 % are masked, 10 % replaced and 10 % left. Otherwise than
there: no next-sentence task (RoBERTa, section 4.2, does without), each text is masked anew at each step, and the texts
are what ``mmbench.zoo.language`` says. No drawing is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo import language
from mmbench.zoo.loop import Recipe
from mmbench.zoo.recipes import RECIPES

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class MaskedWords(language.Prediction):
    """Tells the hidden words; the recipe's ``hidden`` is their share of each text."""

    architecture = language.MASKED
    causal = False

    def told(self, tokens: language.Tokens, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        import torch

        seen, chosen = language.hidden(tokens, len(self.reading.tokenizer), self.recipe.options["hidden"], rng)
        states = self.parts["text"].states(torch.from_numpy(seen))
        return states[torch.from_numpy(chosen[:, : states.shape[1]])], torch.from_numpy(tokens[chosen])


RECIPE = RECIPES.add(
    Recipe(
        name="bert",
        about="stand-in for BERT: masked words of captions and Wikipedia",
        objective=MaskedWords,
        modules=language.MODULES,
        autocast=False,  # small matrices: float32 is as fast, and the scores of words are exact
        options={"wikipedia": 0.5, "hidden": 0.15},
    )
)
