"""Few-shot class prototypes (Devillers et al. 2021, section 3.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.labelled import Labelled
from mmbench.probes.draws import draw_shots, drawn_share
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.training.tensors import Tensor, blocks, to_tensor, unit_rows


@dataclass(frozen=True)
class PrototypeSettings(Settings):
    """Devillers et al. 2021, section 3.1. D-03: the code scores with the mean of unit vectors, not renormalised."""

    shots: int = 5
    renormalise: bool = True

    def as_code(self) -> PrototypeSettings:
        return dataclasses.replace(self, renormalise=False)


def prototypes(
    arrays: Labelled, settings: Sequence[PrototypeSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Label each test row by its nearest class mean; all trials and shots are one matrix product.

    A prototype is the mean of ``shots`` drawn rows of unit length. ``renormalise`` scores by cosine; without it the
    score is the dot product with the mean as it is (D-03: broad classes have shorter means). One prediction int64
    ``[trials, m]`` a setting. Beyond features and predictions, memory is a few blocks of ``tensors.BLOCK`` elements.
    Raises NotEnoughShots, naming the class.
    """
    arrays.check("train")
    draws = draw_shots(arrays.train_y, max(s.shots for s in settings), trials, seed, arrays.class_names)
    found = [np.empty((trials, len(arrays.test_x)), dtype=np.int64) for _ in settings]
    width = arrays.test_x.shape[1]
    for some in blocks(trials, draws[0].size * width):
        means = _means(unit_rows(to_tensor(arrays.train_x[draws[some]], device)), settings)
        stacked = means.reshape(-1, width)
        for part in blocks(len(arrays.test_x), max(len(stacked), width)):
            scores = unit_rows(to_tensor(arrays.test_x[part], device)) @ stacked.T
            best = scores.reshape(-1, *means.shape[:3]).argmax(dim=-1).cpu().numpy()
            for which, predictions in enumerate(found):
                predictions[some, part] = best[:, which].T
    return found


def _means(rows: Tensor, settings: Sequence[PrototypeSettings]) -> Tensor:
    """Prototypes ``[settings, trials, classes, d]`` of drawn unit rows ``[trials, classes, shots, d]``."""
    import torch

    means = [rows[:, :, : s.shots].mean(dim=2) for s in settings]
    return torch.stack([unit_rows(m) if s.renormalise else m for m, s in zip(means, settings, strict=True)])


PROBES.add(
    Probe(
        "prototypes",
        prototypes,
        PrototypeSettings,
        pool=drawn_share,
        title="Few-shot accuracy of class prototypes (as Devillers et al. 2021, Fig. 2)",
        task="few shots",
        about="few-shot class means over drawn rows, several draws",
    )
)
FEW_SHOT = PROTOCOLS.add(Protocol("few_shot", "prototypes", PrototypeSettings(), trials=10))
