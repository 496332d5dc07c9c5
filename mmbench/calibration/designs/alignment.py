"""Centred kernel alignment of two encoders over real images as classes; the truth is that of very many classes."""

from __future__ import annotations

import functools

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.designs.grouped import MODELS, THINGS, VIEWS
from mmbench.calibration.designs.whole_statistics import COPIES, MANY, class_pairs
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import asked, measured, predictions
from mmbench.inputs.items import Items
from mmbench.metrics import METRICS, Jackknifed
from mmbench.probes.cka import CKA
from mmbench.probes.item_cka import ITEM_CKA
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


def of_items(runs: int, seed: int) -> list[Row]:
    """Noisy copies of real digits are the items, of which those of one digit are no independent ones; two encoders
    against the pixels. The truth of a run is the mean of the others: copies of one digit raise any alignment a little.
    """
    population = mnist()

    def draw(rng: np.random.Generator) -> dict[str, Scores]:
        test = population.test.drawn(THINGS, rng).noisy(VIEWS, rng)
        pixels, ids = test.pixels.reshape(len(test), -1).astype(np.float32), tuple(map(str, range(len(test))))
        groups = np.repeat(np.arange(THINGS), VIEWS)
        return {
            m: measured(ITEM_CKA, Items((population.encoders[m](test.pixels), pixels), ids), 0, groups=groups,
                        grouped_by="digits")
            for m in MODELS
        }  # fmt: skip

    return asked(draw, None, runs, seed)


DESIGNS.add(
    Design(
        f"cka_items, {VIEWS} copies of {THINGS} digits",
        "real",
        of_items,
        1000,
        about=f"jackknifed over items; {VIEWS} noisy copies of each of {THINGS} digits",
    )
)
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
