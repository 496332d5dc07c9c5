"""Gram matrices of two models over the items of a dataset, for centred kernel alignment (Kornblith et al. 2019).

What ``mmbench.probes.cka`` asks of classes, asked of single items: an image under an image encoder and its text under a
text encoder. So it compares the two encoders of a pair that classifies such items (Bielawski 2022, section 5.2,
speculates that CLIP's two are redundant). The metric is ``cka_items`` (mmbench.metrics).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.items import Items
from mmbench.probes.cka import gram
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings


@dataclass(frozen=True)
class ItemCKASettings(Settings):
    """Linear kernel over at most ``items`` test items (ours: a Gram matrix of all of a large set needs much memory)."""

    items: int = 1000

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.items,)


def item_cka(
    inputs: Items, settings: Sequence[ItemCKASettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Products of every two items' features under each of the two models.

    Float32 ``[trials, 2, items, items]`` a setting; features are centred and scaled first, which changes no alignment.
    Nothing is drawn here: every trial is the same. Raises BadFeatures and BadDataset.
    """
    inputs.check()
    matrices = np.stack([gram(side.astype(np.float64)) for side in inputs.sides])
    return [np.tile(matrices, (trials, 1, 1, 1)) for _ in settings]


PROBES.add(
    Probe(
        "item_cka",
        item_cka,
        ItemCKASettings,
        inputs="items",
        takes="pair",
        unnamed=False,
        floor=False,
        title="Centred kernel alignment of images and their texts",
        about="products of all items' features under two models",
    )
)
ITEM_CKA = PROTOCOLS.add(Protocol("item_cka", "item_cka", ItemCKASettings(), metric="cka_items"))
