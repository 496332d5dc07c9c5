"""Whether the vectors of visual words still tell images apart (Devillers et al. 2021, section 5.4).

A word's vector, the mean of its class in the components of the word vectors, is the prototype of the class; an image
gets the word of the nearest prototype. Prototypes are made of the test images, as in the paper, so each image is left
out of the prototype of its own class: with few images a class it would be found as a part of that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset
from mmbench.inputs.visual_words import Pictured
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.training.visual_words import FittedOn, unit_length, visual_words

ROWS = 4096  # images at a time


@dataclass(frozen=True)
class VisualWordSettings(Settings):
    """``fitted_on`` as for word vectors (D-09b). ``raw``: images are projected without being scaled to length 1.

    The paper classifies as in section 3.1, where images are scaled; the code projects them as they are, by components
    that were fitted on means of scaled ones (D-09e). ``own_image``: an image is a part of its own class's prototype, as
    in the code (D-09f); the paper does not say.
    """

    fitted_on: FittedOn = "images"
    raw: bool = False
    own_image: bool = False

    def as_code(self) -> VisualWordSettings:
        return dataclasses.replace(self, fitted_on="words", raw=True, own_image=True)


VISUAL_WORDS = PROTOCOLS.add(Protocol("visual_words", "visual_words", VisualWordSettings()))


def classify(
    inputs: Pictured, settings: Sequence[VisualWordSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The class whose prototype is nearest in angle, int64 ``[trials, n]``. Nothing is drawn.

    Raises BadDataset for a class with one image, which has no prototype without it.
    """
    inputs.check()
    return [np.tile(_nearest(inputs, s), (trials, 1)) for s in settings]


def _nearest(inputs: Pictured, s: VisualWordSettings) -> NDArray[np.int64]:
    words = len(inputs.class_names)
    seen = visual_words(inputs.x, inputs.labels, words, inputs.dim, s.fitted_on)
    prototypes, counts = unit_length(seen.vectors), np.bincount(inputs.labels, minlength=words)
    if not s.own_image and counts.min() < 2:
        raise BadDataset(
            f"visual word {inputs.class_names[int(counts.argmin())]!r} has one image; expected two or more, since an "
            "image is left out of its own class's mean"
        )
    found = []
    for start in range(0, len(inputs.x), ROWS):
        some, own = inputs.x[start : start + ROWS], inputs.labels[start : start + ROWS]
        scaled = seen.project(unit_length(some))
        projected = unit_length(seen.project(some) if s.raw else scaled)
        near = projected @ prototypes.T
        if not s.own_image:
            without = (counts[own, None] * seen.vectors[own] - scaled) / (counts[own, None] - 1)
            near[np.arange(len(own)), own] = (projected * unit_length(without)).sum(axis=1)
        found.append(near.argmax(axis=1))
    return np.concatenate(found)


PROBES.add(
    Probe(
        "visual_words",
        classify,
        VisualWordSettings,
        inputs="visual_words",
        takes="one",
        unnamed=False,
        title="Images by the nearest visual word (Devillers et al. 2021, section 5.4)",
        about="the nearest of the vectors that stand for visual words",
    )
)
