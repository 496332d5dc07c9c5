"""Coarse labels of stylised drawings only. Stands in for a ResNet-50 trained on Stylized-ImageNet."""

from __future__ import annotations

from mmbench.zoo.corpus import Corpus
from mmbench.zoo.loop import Recipe
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.stylise import Stylised


def objective(corpus: Corpus, recipe: Recipe) -> Stylised:
    return Stylised(corpus, recipe)


RECIPE = RECIPES.add(
    Recipe(
        name="sin",
        about="stand-in for SIN: coarse labels of stylised drawings",
        objective=objective,
        modules=("mmbench.zoo.labels", "mmbench.zoo.stylise"),
        options={"smoothing": 0.1, "share": 1.0, "until": 1.0},
    )
)
