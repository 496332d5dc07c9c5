"""Coarse labels of drawings, half of each batch stylised. Stands in for a ResNet-50 trained on both ImageNets."""

from __future__ import annotations

from mmbench.zoo.corpus import Corpus
from mmbench.zoo.loop import Recipe
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.stylise import Stylised


def objective(corpus: Corpus, recipe: Recipe) -> Stylised:
    return Stylised(corpus, recipe)


RECIPE = RECIPES.add(
    Recipe(
        name="sin_in",
        about="stand-in for SIN+IN: coarse labels, half of the drawings stylised",
        objective=objective,
        modules=("mmbench.zoo.labels", "mmbench.zoo.stylise"),
        options={"smoothing": 0.1, "share": 0.5, "until": 1.0},
    )
)
