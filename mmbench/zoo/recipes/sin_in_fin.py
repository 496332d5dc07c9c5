"""As ``sin_in``, but the last quarter of the steps shows plain drawings. Stands in for SIN+IN fine-tuned on ImageNet.

The schedule is the same as everywhere, so the fine-tuning runs at its falling rate, as part of the one training.
"""

from __future__ import annotations

from mmbench.zoo.corpus import Corpus
from mmbench.zoo.loop import Recipe
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.stylise import Stylised


def objective(corpus: Corpus, recipe: Recipe) -> Stylised:
    return Stylised(corpus, recipe)


RECIPE = RECIPES.add(
    Recipe(
        name="sin_in_fin",
        about="stand-in for SIN+IN fine-tuned: as sin_in, the last quarter plain",
        objective=objective,
        modules=("mmbench.zoo.labels", "mmbench.zoo.stylise"),
        options={"smoothing": 0.1, "share": 0.5, "until": 0.75},
    )
)
