"""Small models that differ in their training signal only: recipes, training, and the weights that are shipped.

One residual network, one set of drawings, one stream of augmented views, one number of steps; labels, captions or
nothing teach it. Only ``vit`` and ``beit`` have another network, a transformer of that size. The papers' models differ
in data, size and signal at once, so this is the control they lack; a model of the zoo stands in for the paper's model
of the same name, and is not that model.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mmbench.zoo.checking import Finding, findings, verify
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.restamping import restamp
from mmbench.zoo.training import train
from mmbench.zoo.weight_files import card, shipped

__all__ = ["RECIPES", "Finding", "cards", "findings", "restamp", "train", "verify"]


def cards() -> list[dict[str, Any]]:
    """What is known of each model whose weights are here, as plain values; read without torch."""
    return [asdict(card(name)) for name in shipped()]
