"""How far vectors of images and of texts lie apart, and which belong together, before and after a translation.

Bielawski 2022 (sections 6.1 to 6.3) infers the gap from captions; these measures are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.translated import DIRECT
from mmbench.inputs.two_spaces import TwoSpaces
from mmbench.metrics.jackknife import Array
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.training.latent_cyclegan import MASKED

PENALTY = 1e-3  # of the classifier's ridge, as a share of the mean variance
IMAGE, TEXT = 0, 1


@dataclass(frozen=True)
class GapSettings(Settings):
    """``translation`` of one kind of vectors, those of images (``to`` text) or those of texts (``to`` image)."""

    translation: str = DIRECT
    to: Literal["text", "image"] = "text"

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.translation, self.to)


def told_apart(
    inputs: TwoSpaces, settings: Sequence[GapSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """For each image whether a linear classifier calls it an image and its caption a text, int64 ``[trials, n]``.

    The number of the image where it is right about both vectors, else -1: a pair is one example. The classifier is the
    ridge regression of the kind on the training vectors, which has no draw; a trial is a seed of the translation.
    """
    inputs.check()
    found = np.empty((trials, len(inputs.ids)), dtype=np.int64)
    for trial in range(trials):
        weight, bias = _classifier(inputs.moved["train"][trial], inputs.stay["train"])
        right = (inputs.moved["test"][trial] @ weight + bias > 0) & (inputs.stay["test"] @ weight + bias < 0)
        found[trial] = np.where(right, inputs.truth, -1)
    return [found for _ in settings]


def _classifier(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[Array, float]:
    """Weights ``[d]`` and bias of the least-squares fit to +1 for ``one`` and -1 for ``other``."""
    x = np.concatenate([one, other]).astype(np.float64)
    y = np.concatenate([np.ones(len(one)), -np.ones(len(other))])
    centre = x.mean(axis=0)
    gram = (x - centre).T @ (x - centre) / len(x)
    gram += PENALTY * np.trace(gram) / len(gram) * np.eye(len(gram))
    weight: Array = np.linalg.solve(gram, (x - centre).T @ (y - y.mean()) / len(x))
    return weight, float(y.mean() - centre @ weight)


def differences(
    inputs: TwoSpaces, settings: Sequence[GapSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The vector from each caption to its image, both of unit length, float64 ``[trials, n, d]``."""
    inputs.check()
    found = _unit(inputs.moved["test"][:trials]) - _unit(inputs.stay["test"])
    return [found for _ in settings]


def counterparts(
    inputs: TwoSpaces, settings: Sequence[GapSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The place of the nearest vector of the other kind by cosine, int64 ``[trials, n]``."""
    inputs.check()
    found = (_unit(inputs.moved["test"][:trials]) @ _unit(inputs.stay["test"]).T).argmax(axis=2)
    return [found for _ in settings]


def _unit(x: NDArray[np.float32]) -> Array:
    values = x.astype(np.float64)
    found: Array = values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12)
    return found


for _name, _run, _title, _about in (
    (
        "told_apart",
        told_apart,
        "Images and texts told apart",
        "whether a linear classifier tells the vector of an image from that of its caption",
    ),
    ("modality_distance", differences, "Distance of images and texts", "how far images lie from texts in one space"),
    ("counterparts", counterparts, "Counterparts found after translation", "the nearest vector of the other kind"),
):
    PROBES.add(
        Probe(
            _name, _run, GapSettings, inputs="two_spaces", takes="image_and_text", unnamed=False, floor=False,
            title=_title, about=_about,
        )
    )  # fmt: skip
PROBES.add(
    Probe(
        "counterparts_of_images",
        counterparts,
        GapSettings,
        inputs="two_image_sets",
        takes="one",
        unnamed=False,
        floor=False,
        title="Images without text found after translation",
        about="the nearest image without text, of images with it",
    )
)

WAYS = (DIRECT, "mean_shift", "latent_cyclegan")
TOLD_APART = {
    how: PROTOCOLS.add(Protocol(f"told_apart_{how}", "told_apart", GapSettings(how), trials=3)) for how in WAYS
}
DISTANCE = {
    how: PROTOCOLS.add(
        Protocol(f"distance_{how}", "modality_distance", GapSettings(how), metric="mean_distance", trials=3)
    )
    for how in WAYS
}
TEXT_TO_IMAGE = {
    how: PROTOCOLS.add(Protocol(f"text_to_image_{how}", "counterparts", GapSettings(how, "image"), trials=3))
    for how in (DIRECT, "latent_cyclegan")
}
COUNTERPARTS_OF_IMAGES = {
    how: PROTOCOLS.add(Protocol(f"unmasked_to_{how}", "counterparts_of_images", GapSettings(how), trials=3))
    for how in (DIRECT, MASKED)
}
