"""Fine labels: each training drawing is a class of its own. Stands in for BiT-M, which learnt 21,000 fine classes."""

from __future__ import annotations

from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.labels import Labels
from mmbench.zoo.frozen.loop import Recipe
from mmbench.zoo.recipes import RECIPES


def objective(corpus: Corpus, recipe: Recipe) -> Labels:
    return Labels(corpus.ids, recipe)


RECIPE = RECIPES.add(
    Recipe(
        name="bit_m",
        about="stand-in for BiT-M: fine labels, one class a drawing",
        objective=objective,
        options={"smoothing": 0.1},
    )
)
