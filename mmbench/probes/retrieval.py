"""Find the text that belongs to an image, by cosine in one space (Radford et al. 2021, section 3.1.2; recall at 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.mapped import Mapped
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.training.tensors import blocks, to_tensor, unit_rows


@dataclass(frozen=True)
class RetrievalSettings(Settings):
    """The nearest text by cosine; nothing to set."""


def retrieval(
    inputs: Mapped, settings: Sequence[RetrievalSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The nearest of the distinct texts for each image, int64 ``[trials, m]``; a trial is a seed of the map."""
    inputs.check()
    found = np.empty(inputs.queries.shape[:2], dtype=np.int64)
    for trial, (queries, texts) in enumerate(zip(inputs.queries, inputs.candidates, strict=True)):
        candidates = unit_rows(to_tensor(texts, device))
        for part in blocks(len(queries), len(candidates)):
            scores = unit_rows(to_tensor(queries[part], device)) @ candidates.T
            found[trial, part] = scores.argmax(dim=1).cpu().numpy()
    return [found for _ in settings]


PROBES.add(
    Probe(
        "retrieval",
        retrieval,
        RetrievalSettings,
        inputs="mapped",
        takes="image_and_text",
        title="Texts found for images through a linear map",
        about="the nearest text of an image that a linear map brought into the text space",
    )
)
LINEAR_MAP_RETRIEVAL = PROTOCOLS.add(Protocol("linear_map_retrieval", "retrieval", RetrievalSettings(), trials=3))
