"""Zero-shot classification with several answers: top-5 accuracy (Radford et al. 2021, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset
from mmbench.inputs.prompts import Prompted
from mmbench.probes.entry import PROBES, Probe
from mmbench.probes.zero_shot import ZeroShotSettings, class_vectors
from mmbench.protocol import PROTOCOLS, Protocol
from mmbench.training.tensors import blocks, to_tensor, unit_rows


@dataclass(frozen=True)
class ZeroShotTopSettings(ZeroShotSettings):
    """As for one answer; ``top`` answers are given."""

    top: int = 5


def zero_shot_top(
    inputs: Prompted, settings: Sequence[ZeroShotTopSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The ``top`` classes with the highest cosines for each test row, best first; int64 ``[trials, m, top]``.

    Classes have the vectors of ``zero_shot``. Raises BadDataset for no more classes than answers: all would be right.
    """
    inputs.check()
    for s in settings:
        if s.top >= inputs.classes:
            raise BadDataset(
                f"top-{s.top} accuracy needs more than {s.top} classes, got {inputs.classes}, so that every answer "
                "would be right; ask top-1, or a dataset with more classes"
            )
    prompts = to_tensor(inputs.prompts, device)
    weights = [class_vectors(prompts, s.normalise_each) for s in settings]
    found = [np.empty((len(inputs.test_x), s.top), dtype=np.int64) for s in settings]
    for part in blocks(len(inputs.test_x), max(inputs.test_x.shape[1], inputs.classes)):
        images = unit_rows(to_tensor(inputs.test_x[part], device))
        for s, weight, predictions in zip(settings, weights, found, strict=True):
            predictions[part] = (images @ weight.T).topk(s.top, dim=1).indices.cpu().numpy()
    return [np.tile(predictions, (trials, 1, 1)) for predictions in found]


PROBES.add(
    Probe(
        "zero_shot_top",
        zero_shot_top,
        ZeroShotTopSettings,
        inputs="prompts",
        takes="image_and_text",
        title="Zero-shot transfer, several answers",
        about="nearest class prompts, several of them",
    )
)
ZERO_SHOT_TOP = Protocol("zero_shot_top", "zero_shot_top", ZeroShotTopSettings(), metric="among_answers", trials=1)
ZERO_SHOT_TOP1, ZERO_SHOT_TOP5 = (PROTOCOLS.add(ZERO_SHOT_TOP.at(top=top)) for top in (1, 5))
