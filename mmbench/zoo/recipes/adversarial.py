"""Coarse labels of attacked views. Stand in for the ResNet-50s trained at L2 3.0, Linf 4/255 and Linf 8/255.

The attack is PGD of two steps from a random start. In Linf the epsilons are the papers' own: they bound single pixels,
however many there are. In L2 it is 3.0 x 64 / 224 = 0.857, the same change a pixel as theirs on 224 x 224 pixels,
since an L2 length grows with the side of an image.
"""

from __future__ import annotations

from mmbench.zoo.frozen.adversarial import Adversarial
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Recipe
from mmbench.zoo.recipes import RECIPES


def within_l2(corpus: Corpus, recipe: Recipe) -> Adversarial:
    return Adversarial(corpus, recipe, "l2")


def within_linf(corpus: Corpus, recipe: Recipe) -> Adversarial:
    return Adversarial(corpus, recipe, "linf")


for _name, _paper, _objective, _epsilon, _said in (
    ("ar_l2", "AR-L2", within_l2, 3.0 * 64 / 224, "L2 3.0 x 64/224"),
    ("ar_li4", "AR-Linf4", within_linf, 4 / 255, "Linf 4/255"),
    ("ar_li8", "AR-Linf8", within_linf, 8 / 255, "Linf 8/255"),
):
    RECIPES.add(
        Recipe(
            name=_name,
            about=f"stand-in for {_paper}: coarse labels, adversarial training within {_said}",
            objective=_objective,
            options={"smoothing": 0.1, "epsilon": _epsilon, "attack_steps": 2, "ramp": 0.5},
        )
    )
