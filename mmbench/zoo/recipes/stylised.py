"""Coarse labels of stylised drawings, alone or mixed with plain ones. Stand in for ResNet-50s of Stylized-ImageNet.

``sin`` shows stylised drawings only. In ``sin_in`` half of each batch is stylised, as for the model of both ImageNets.
``sin_in_fin`` stands for that one fine-tuned on ImageNet: the last quarter of its steps shows plain drawings. The
schedule is the same as everywhere, so the fine-tuning runs at its falling rate, as part of the one training.
"""

from __future__ import annotations

from mmbench.zoo.frozen.loop import Recipe
from mmbench.zoo.frozen.stylise import Stylised
from mmbench.zoo.recipes import RECIPES

for _name, _about, _share, _until in (
    ("sin", "stand-in for SIN: coarse labels of stylised drawings", 1.0, 1.0),
    ("sin_in", "stand-in for SIN+IN: coarse labels, half of the drawings stylised", 0.5, 1.0),
    ("sin_in_fin", "stand-in for SIN+IN fine-tuned: as sin_in, the last quarter plain", 0.5, 0.75),
):
    RECIPES.add(
        Recipe(
            name=_name,
            about=_about,
            objective=Stylised,
            options={"smoothing": 0.1, "share": _share, "until": _until},
        )
    )
