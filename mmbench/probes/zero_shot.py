"""Zero-shot classification with an ensemble of prompts (Radford et al. 2021, section 3.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.prompts import Prompted
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.training.tensors import blocks, to_tensor, unit_rows


@dataclass(frozen=True)
class ZeroShotSettings(Settings):
    """Radford et al. 2021, section 3.1: each prompt normalised, averaged over templates, normalised again.

    ``templates`` None takes the dataset's own. ``ensemble`` False takes the first template alone.
    """

    templates: tuple[str, ...] | None = None
    ensemble: bool = True
    normalise_each: bool = True

    def for_probe(self) -> ZeroShotSettings:
        return dataclasses.replace(self, templates=None, ensemble=True)

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.templates, self.ensemble)


def zero_shot(
    inputs: Prompted, settings: Sequence[ZeroShotSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Label each test row by the class whose averaged prompt has the highest cosine.

    ``inputs.prompts`` are the encoded prompts ``[classes, templates, d]``. Each is brought to unit length, then the
    templates are averaged; ``normalise_each`` False averages them as they are (Devillers' own helper). Nothing is
    drawn: every trial has the same prediction, int64 ``[trials, m]``. Raises BadDataset for prompts of a wrong shape.
    """
    inputs.check()
    prompts = to_tensor(inputs.prompts, device)
    weights = [unit_rows((unit_rows(prompts) if s.normalise_each else prompts).mean(dim=1)) for s in settings]
    found = [np.empty(len(inputs.test_x), dtype=np.int64) for _ in settings]
    for part in blocks(len(inputs.test_x), max(inputs.test_x.shape[1], inputs.classes)):
        images = unit_rows(to_tensor(inputs.test_x[part], device))
        for weight, predictions in zip(weights, found, strict=True):
            predictions[part] = (images @ weight.T).argmax(dim=1).cpu().numpy()
    return [np.tile(predictions, (trials, 1)) for predictions in found]


PROBES.add(
    Probe(
        "zero_shot",
        zero_shot,
        ZeroShotSettings,
        inputs="prompts",
        takes="image_and_text",
        title="Zero-shot transfer from class names",
        about="nearest class prompt, no training rows",
    )
)
ZERO_SHOT = PROTOCOLS.add(Protocol("zero_shot", "zero_shot", ZeroShotSettings(), trials=1))
ZERO_SHOT_ONE_PROMPT = PROTOCOLS.add(
    Protocol("zero_shot_one_prompt", "zero_shot", ZeroShotSettings(ensemble=False), trials=1)
)
