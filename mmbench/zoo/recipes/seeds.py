"""Some recipes again under two more seeds: other first weights, other order, other views.

What three trainings of one recipe differ by is the noise between runs, which no draw of examples shows. To repeat a
further recipe, import its module and name it here, train it, and give its networks roles with ``recipe = "NAME"`` in
the lineup.
"""

from __future__ import annotations

import dataclasses

from mmbench.zoo.recipes import RECIPES, bit_m, clip, rn50, slip, stylised  # noqa: F401 (they add recipes)
from mmbench.zoo.recipes._again import objective

AGAIN = ("bit_m", "rn50", "clip", "slip", "sin")
SEEDS = (1, 2)

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
