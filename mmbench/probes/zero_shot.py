"""Zero-shot classification with an ensemble of prompts (Radford et al. 2021, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset
from mmbench.probes.entry import PROBES, Arrays, Probe
from mmbench.probes.tensors import blocks, to_tensor, unit_rows
from mmbench.protocol import ZeroShotSettings


def zero_shot(
    arrays: Arrays, settings: Sequence[ZeroShotSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Label each test row by the class whose averaged prompt has the highest cosine.

    ``arrays.prompts`` are the encoded prompts ``[classes, templates, d]``. Each is brought to unit length, then the
    templates are averaged; ``normalise_each`` False averages them as they are (Devillers' own helper). Nothing is
    drawn: every trial has the same prediction, int64 ``[trials, m]``. Raises BadDataset without prompts, or when
    their number of templates differs from the settings'.
    """
    arrays.check("prompts")
    assert arrays.prompts is not None  # check() has refused that
    prompts = to_tensor(arrays.prompts, device)
    weights = []
    for s in settings:
        if prompts.shape[1] != len(s.templates):
            raise BadDataset(f"{len(s.templates)} templates are set and prompts of {prompts.shape[1]} are encoded")
        weights.append(unit_rows((unit_rows(prompts) if s.normalise_each else prompts).mean(dim=1)))
    found = [np.empty(len(arrays.test_x), dtype=np.int64) for _ in settings]
    for part in blocks(len(arrays.test_x), max(arrays.test_x.shape[1], arrays.classes)):
        images = unit_rows(to_tensor(arrays.test_x[part], device))
        for weight, predictions in zip(weights, found, strict=True):
            predictions[part] = (images @ weight.T).argmax(dim=1).cpu().numpy()
    return [np.tile(predictions, (trials, 1)) for predictions in found]


PROBES.add(
    Probe("zero_shot", zero_shot, ZeroShotSettings, needs=("prompts",), about="nearest class prompt, no training rows")
)
