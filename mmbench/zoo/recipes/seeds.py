"""Some recipes again under two more seeds: other first weights, other order, other views.

What three trainings of one recipe differ by is the noise between runs, which no draw of examples shows.
"""

from __future__ import annotations

import dataclasses

from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.loop import Objective, Recipe
from mmbench.zoo.recipes import RECIPES, bit_m, clip, icmlm, rn50, slip, stylised  # noqa: F401 (they add what is repeated)

AGAIN = ("bit_m", "rn50", "clip", "slip", "sin", "icmlm")
SEEDS = (1, 2)


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


for _name in AGAIN:
    _first = RECIPES.get(_name)
    for _seed in SEEDS:
        RECIPES.add(
            dataclasses.replace(
                _first,
                name=f"{_name}_seed{_seed}",
                about=f"{_first.about}; trained again with seed {_seed}",
                objective=objective,
                modules=(*_first.modules, _first.objective.__module__),
                seed=_seed,
            )
        )
