"""Find the texts of images, and the images of texts, by cosine in one space: recall at 1, 5 and 10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset
from mmbench.inputs.paired import IMAGES, TEXTS, Paired
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.training.tensors import blocks, to_tensor, unit_rows


@dataclass(frozen=True)
class RecallSettings(Settings):
    """``find`` "texts" for images or "images" for texts; ``top`` of them are given."""

    find: str = TEXTS
    top: int = 1

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.find,)


def recall(
    inputs: Paired, settings: Sequence[RecallSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The ``top`` nearest texts of each image, int64 ``[trials, m, top]``; or, for each of the ``c`` distinct texts,
    the texts of the ``top`` nearest images, ``[trials, c, top]``. Nothing is drawn.

    A text that several images have is one candidate, and each of its images is right. Raises BadDataset where there are
    no more candidates than answers: all would be right.
    """
    inputs.check()
    for s in settings:
        candidates = inputs.texts if s.find == TEXTS else inputs.images
        if s.top >= len(candidates):
            raise BadDataset(
                f"recall at {s.top} needs more than {s.top} {s.find} to find, got {len(candidates)}, so that every "
                "answer would be right; ask for fewer"
            )
    return [np.tile(_found(inputs, s, device), (trials, 1, 1)) for s in settings]


def _found(inputs: Paired, s: RecallSettings, device: str) -> NDArray[np.int64]:
    queries, candidates = (inputs.images, inputs.texts) if s.find == TEXTS else (inputs.texts, inputs.images)
    vectors = unit_rows(to_tensor(candidates, device))
    nearest = np.empty((len(queries), s.top), dtype=np.int64)
    for part in blocks(len(queries), len(candidates)):
        cosines = unit_rows(to_tensor(queries[part], device)) @ vectors.T
        nearest[part] = cosines.topk(s.top, dim=1).indices.cpu().numpy()
    return nearest if s.find == TEXTS else inputs.text_of[nearest]


PROBES.add(
    Probe(
        "recall",
        recall,
        RecallSettings,
        inputs="paired",
        takes="image_and_text",
        title="Texts found for images, and images for texts",
        about="the nearest texts of an image, or images of a text, in one space",
    )
)
IMAGE_TO_TEXT, TEXT_TO_IMAGE = (
    Protocol(name, "recall", RecallSettings(find), metric="among_answers").over(top=(1, 5, 10))
    for name, find in (("image_to_text", TEXTS), ("text_to_image", IMAGES))
)
for _protocol in (*IMAGE_TO_TEXT, *TEXT_TO_IMAGE):
    PROTOCOLS.add(_protocol)
