"""Centred kernel alignment of two encoders over real images as classes; the truth is that of very many classes."""

from __future__ import annotations

import functools

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.designs.whole_statistics import COPIES, MANY, class_pairs
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import asked, measured, predictions
from mmbench.metrics import METRICS, Jackknifed
from mmbench.probes.cka import CKA
from mmbench.scores import Scores


def of_classes(classes: int, runs: int, seed: int) -> list[Row]:
    """As for ``rdm_pearson``: each class is a real image in several noisy copies, two models against the pixels."""
    test = mnist().test.at(np.arange(MANY))

    def draw(rng: np.random.Generator) -> dict[str, Scores]:
        pairs = class_pairs(test.at(rng.choice(len(test), classes, replace=False)), rng)
        return {m: measured(CKA, pair, 0, "cka") for m, pair in pairs.items()}

    return asked(draw, _true, runs, seed)


@functools.cache
def _true() -> dict[str, float]:
    how = METRICS.get("cka")
    assert isinstance(how.outcome, Jackknifed)
    pairs = class_pairs(mnist().test.at(np.arange(MANY)), np.random.default_rng(MANY))
    return {m: float(how.outcome.statistic(predictions(CKA, p, 0), p.truth)[0]) * how.scale for m, p in pairs.items()}


for _classes in (20, 100):
    DESIGNS.add(
        Design(
            f"cka, {_classes} classes",
            "real",
            functools.partial(of_classes, _classes),
            1000,
            about=f"jackknifed over classes; a class is {COPIES} noisy copies of one image",
        )
    )
