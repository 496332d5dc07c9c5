"""Zero-shot classification with an ensemble of prompts (Radford et al. 2021, section 3.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.template_sets import template_set
from mmbench.inputs.prompts import Prompted
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.training.tensors import blocks, to_tensor, unit_rows

if TYPE_CHECKING:
    from torch import Tensor


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
    weights = [class_vectors(prompts, s.normalise_each) for s in settings]
    found = [np.empty(len(inputs.test_x), dtype=np.int64) for _ in settings]
    for part in blocks(len(inputs.test_x), max(inputs.test_x.shape[1], inputs.classes)):
        images = unit_rows(to_tensor(inputs.test_x[part], device))
        for weight, predictions in zip(weights, found, strict=True):
            predictions[part] = (images @ weight.T).argmax(dim=1).cpu().numpy()
    return [np.tile(predictions, (trials, 1)) for predictions in found]


def class_vectors(prompts: Tensor, normalise_each: bool = True) -> Tensor:
    """One vector of unit length a class, ``[classes, d]``, of the encoded prompts ``[classes, templates, d]``."""
    return unit_rows((unit_rows(prompts) if normalise_each else prompts).mean(dim=1))


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
# Bare class names, and what CLIP's authors took for ImageNet: on whatever dataset.
ZERO_SHOT_NAMES = PROTOCOLS.add(Protocol("zero_shot_names", "zero_shot", ZeroShotSettings(("{}",)), trials=1))
ZERO_SHOT_IMAGENET80 = PROTOCOLS.add(
    Protocol("zero_shot_imagenet80", "zero_shot", ZeroShotSettings(template_set("imagenet")), trials=1)
)
# Accuracy within each class, averaged over classes: Flowers102, Aircraft, Pets and Caltech101 of Radford et al. 2021.
ZERO_SHOT_PER_CLASS = PROTOCOLS.add(
    Protocol("zero_shot_per_class", "zero_shot", ZeroShotSettings(), metric="mean_per_class", trials=1)
)
