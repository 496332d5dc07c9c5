"""Coarse labels of views attacked within an L2 ball. Stands in for the ResNet-50 trained at L2 3.0 on 224 x 224 pixels.

The size is 3.0 x 64 / 224 = 0.857, the same change a pixel, since an L2 length grows with the side of an image. The
attack is PGD of two steps from a random start.
"""

from __future__ import annotations

from mmbench.zoo.attack import Adversarial
from mmbench.zoo.corpus import Corpus
from mmbench.zoo.loop import Recipe
from mmbench.zoo.recipes import RECIPES


def objective(corpus: Corpus, recipe: Recipe) -> Adversarial:
    return Adversarial(corpus, recipe, "l2")


RECIPE = RECIPES.add(
    Recipe(
        name="ar_l2",
        about="stand-in for AR-L2: coarse labels, adversarial training within L2 3.0 x 64/224",
        objective=objective,
        modules=("mmbench.zoo.labels", "mmbench.zoo.attack"),
        options={"smoothing": 0.1, "budget": 3.0 * 64 / 224, "attack_steps": 2, "ramp": 0.5},
    )
)
