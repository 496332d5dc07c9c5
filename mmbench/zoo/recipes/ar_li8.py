"""Coarse labels of views attacked within 8/255 of each pixel. Stands in for the ResNet-50 trained at Linf 8/255.

The size is the papers' own: it bounds single pixels, however many there are. The attack is PGD of two steps from a
random start.
"""

from __future__ import annotations

from mmbench.zoo.attack import Adversarial
from mmbench.zoo.corpus import Corpus
from mmbench.zoo.loop import Recipe
from mmbench.zoo.recipes import RECIPES


def objective(corpus: Corpus, recipe: Recipe) -> Adversarial:
    return Adversarial(corpus, recipe, "linf")


RECIPE = RECIPES.add(
    Recipe(
        name="ar_li8",
        about="stand-in for AR-Linf8: coarse labels, adversarial training within Linf 8/255",
        objective=objective,
        modules=("mmbench.zoo.labels", "mmbench.zoo.attack"),
        options={"smoothing": 0.1, "budget": 8 / 255, "attack_steps": 2, "ramp": 0.5},
    )
)
