"""Early, late and dual fusion of an image and its text under one head (after Lucieri et al. 2020, on frozen features).

Lucieri et al. feed the title into the first layers of an image network (early), join it behind the last one (late), or
do both (dual), and train everything. Frozen encoders have no such thing: here the title's vector is joined with what
the image encoder's first stage gives, with what its last layer gives, or with both. The head is that of Bielawski 2022
(``mmbench.probes.mlp``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mmbench.inputs.labelled import Labelled
from mmbench.probes.entry import PROBES, Probe
from mmbench.probes.mlp import MLPSettings, mlp
from mmbench.protocol import PROTOCOLS, Protocol, Settings


@dataclass(frozen=True)
class FusionSettings(Settings):
    """Which layers of the image encoder are joined with the text; the head's settings are those of the MLP head."""

    early: bool = False
    late: bool = True

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.early, self.late)


def fusion(
    arrays: Labelled, settings: Sequence[FusionSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """What ``mlp`` predicts on the joined features; predictions as there, the same for all settings of equal inputs."""
    found = mlp(arrays, [MLPSettings()], trials=trials, seed=seed, device=device)[0]
    return [found for _ in settings]


PROBES.add(
    Probe(
        "fusion",
        fusion,
        FusionSettings,
        inputs="fused",
        takes="image_and_text",
        multilabel=True,
        unnamed=False,
        floor=False,
        title="Early, late and dual fusion of images and texts (after Lucieri et al. 2020)",
        about="the MLP head on a text joined with an image at an early layer, the last, or both",
    )
)


def _protocol(name: str, early: bool, late: bool) -> Protocol:
    settings = FusionSettings(early, late)
    return PROTOCOLS.add(Protocol(name, "fusion", settings, multilabel_metric="f1_samples", trials=5))


EARLY_FUSION = _protocol("early_fusion", True, False)
LATE_FUSION = _protocol("late_fusion", False, True)
DUAL_FUSION = _protocol("dual_fusion", True, True)
FUSIONS = (EARLY_FUSION, LATE_FUSION, DUAL_FUSION)
