"""Digits decoded from two encoders' features: images are the examples, and all images are the truth."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.designs.grouped import MODELS
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import asked, predictions, scored
from mmbench.inputs.pictures import Pictures
from mmbench.metrics import METRICS, Jackknifed
from mmbench.probes.reconstruction import RECONSTRUCTION
from mmbench.scores import Scores

IMAGES = 100
FITTED = 500  # images that the decoders are fitted to


@functools.cache
def decoded() -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
    """Decoded test images ``[1, n, pixels]`` by model, and their pixels ``[n, pixels]``, grey from 0 to 1."""
    population = mnist()
    train, test = population.train.at(np.arange(FITTED)), population.test
    found = {}
    for m in MODELS:
        encode = population.encoders[m]
        inputs = Pictures(encode(train.pixels), train.pixels, encode(test.pixels), test.pixels)
        found[m] = predictions(RECONSTRUCTION, inputs, 0)
    return found, test.pixels


def of_images(runs: int, seed: int) -> list[Row]:
    """IMAGES digits drawn anew, under fixed decoders."""
    found, pixels = decoded()
    how = METRICS.get("pixel_error")
    assert isinstance(how.outcome, Jackknifed)
    truth = {m: float(how.outcome.statistic(each, pixels)[0]) for m, each in found.items()}

    def draw(rng: np.random.Generator) -> dict[str, Scores]:
        rows = rng.integers(len(pixels), size=IMAGES)
        return {m: scored(each[:, rows], pixels[rows], "pixel_error") for m, each in found.items()}

    return asked(draw, lambda: truth, runs, seed)


DESIGNS.add(
    Design(
        f"pixel_error, {IMAGES} images",
        "real",
        of_images,
        1500,
        about=f"jackknifed over images; linear decoders fitted to {FITTED} images of digits; other images are drawn",
    )
)
