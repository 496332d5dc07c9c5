"""What it costs to translate an image's vector, beside encoding the image (Bielawski 2022, sections 5.3 and 6.1).

The thesis says that translation takes very little compute, and counts nothing. Ours: operations of one generator of
the Latent CycleGAN as a share of those of the image encoder, each for one image. Training is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.operations import Operations
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings


@dataclass(frozen=True)
class TranslationCostSettings(Settings):
    """Nothing to set."""


def translation_cost(
    inputs: Operations, settings: Sequence[TranslationCostSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Operations of the translation of each image's vector, int64 ``[trials, n]``: a count, the same in each trial."""
    found = np.stack([inputs.translate] * trials)
    return [found for _ in settings]


PROBES.add(
    Probe(
        "translation_cost",
        translation_cost,
        TranslationCostSettings,
        inputs="operations",
        takes="image_and_text",
        unnamed=False,
        floor=False,
        title="Cost of a translation",
        about="operations of one translation beside those of encoding the image",
    )
)
TRANSLATION_COST = PROTOCOLS.add(
    Protocol("translation_cost", "translation_cost", TranslationCostSettings(), metric="share_of_encoder")
)
