"""The objective of a recipe that is trained again under another seed: that of the first run.

Apart from ``seeds``, which says which recipes these are: the hash of a seed's weights holds this module and the modules
of its own recipe, so that repeating a further recipe asks nothing of the weights that are there.
"""

from __future__ import annotations

import dataclasses

from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Objective, Recipe
from mmbench.zoo.recipes import RECIPES


def objective(corpus: Corpus, recipe: Recipe) -> Objective:
    """The first run's objective; of what it ships, the image model only, named after the seed too."""
    first = first_run(recipe.name)
    made = RECIPES.get(first).objective(corpus, dataclasses.replace(recipe, name=first))
    made.ships = {recipe.name: made.ships[first]}
    made.notes = {recipe.name: made.notes.get(first, {})}
    return made


def first_run(name: str) -> str:
    """The recipe that a seed's recipe repeats: ``bit_m`` for ``bit_m_seed1``."""
    return name.partition("_seed")[0]
