"""One module a recipe; ``RECIPES`` finds them. A recipe's weights are shipped under its name in ``zoo/weights``."""

from __future__ import annotations

from mmbench.registry import Registry
from mmbench.zoo.loop import Recipe

RECIPES: Registry[Recipe] = Registry("zoo recipe", package="mmbench.zoo.recipes")
