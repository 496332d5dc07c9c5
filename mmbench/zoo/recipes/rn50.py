"""Coarse labels: the nine Unicode categories. Stands in for an ImageNet ResNet-50, which learnt 1,000 classes."""

from __future__ import annotations

from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.labels import Labels
from mmbench.zoo.frozen.loop import Recipe
from mmbench.zoo.recipes import RECIPES


def objective(corpus: Corpus, recipe: Recipe) -> Labels:
    return Labels(corpus.categories, recipe)


RECIPE = RECIPES.add(
    Recipe(
        name="rn50",
        about="stand-in for ResNet-50: coarse labels, the Unicode category",
        objective=objective,
        options={"smoothing": 0.1},
    )
)
