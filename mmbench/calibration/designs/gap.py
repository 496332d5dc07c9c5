"""The distance of the means of two kinds of vectors, over real digits as two encoders see them."""

from __future__ import annotations

import functools

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import asked
from mmbench.metrics import METRICS
from mmbench.scores import Scores

ENCODERS = ("pca16", "random64")
SHIFT = 0.3  # of the second kind of vectors, in each dimension, in deviations of the first


def of_pairs(examples: int, runs: int, seed: int) -> list[Row]:
    """Vectors of images, and of noisy copies that are shifted; the truth is the mean over other sets of this size."""
    return asked(lambda rng: paired(examples, rng), None, runs, seed)


def paired(examples: int, rng: np.random.Generator) -> dict[str, Scores]:
    """Scores of both encoders on images drawn anew."""
    pool = mnist()
    some = pool.test.at(rng.integers(len(pool.test), size=examples))
    copies, how = some.noisy(1, rng), METRICS.get("mean_distance")
    scores = {}
    for name in ENCODERS:
        image, text = (pool.encoders[name](rows.pixels).astype(np.float64) for rows in (some, copies))
        text = text + SHIFT * image.std(axis=0)
        unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (image, text)]
        outcomes = how.outcome((unit[0] - unit[1])[None], np.arange(examples))
        scores[name] = Scores(outcomes, how.name, examples="digits", chance=0.0)
    return scores


DESIGNS.add(
    Design(
        "mean_distance, 150 pairs",
        "real",
        functools.partial(of_pairs, 150),
        1000,
        about="vectors of digits and of shifted noisy copies",
    )
)
