"""One module a recipe; ``RECIPES`` finds them. A recipe's weights are shipped under its name in ``zoo/weights``.

To add one, write a module here that ends in ``RECIPES.add(Recipe(name=..., objective=...))``. The objective is called
with the corpus and the recipe and gives what ``mmbench.zoo.frozen.loop.Objective`` asks for: the parts that are trained
beside the image tower, and the loss of a batch. ``batch.view()`` draws a new view of the same drawings at each call,
for signals that compare two. What else decides the training belongs in ``mmbench.zoo.frozen``, so that it is hashed.
Then ``mmbench zoo train NAME --out mmbench/zoo/weights``.
"""

from __future__ import annotations

from mmbench.registry import Registry
from mmbench.zoo.frozen.loop import Recipe

RECIPES: Registry[Recipe] = Registry("zoo recipe", package="mmbench.zoo.recipes")
