"""Statistics that are no means of single examples, over real rows and over real images as classes."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.designs.few_shot import bank
from mmbench.calibration.digit_pool import Rows, mnist
from mmbench.calibration.resampling import asked, measured, predictions
from mmbench.inputs.pair import Pair, Side
from mmbench.metrics import METRICS, Jackknifed
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.rdm import RSA, Spread
from mmbench.scores import Scores

REFERENCE = "pixels"
MODELS = ("pca16", "random64")
COPIES = 4  # of each image, with noise: the images of its class
MANY = 2000  # images: the population of classes


def of_rows(metric: str, trials: int, examples: int, runs: int, seed: int) -> list[Row]:
    """Rows assigned to classes by prototypes; the truth is the mean over other test sets of this size."""
    found = dataclasses.replace(bank(FEW_SHOT.at(shots=5)), metric=metric)
    return asked(lambda rng: found.draw(rng, trials, examples), None, runs, seed)


def of_classes(metric: str, spread: Spread, classes: int, runs: int, seed: int) -> list[Row]:
    """Each class is a real image in several noisy copies; two models are compared with the pixels."""
    truth = functools.partial(_true, metric, spread)
    test = mnist().test.at(np.arange(MANY))  # the population whose truth is computed

    def draw(rng: np.random.Generator) -> dict[str, Scores]:
        return compared(metric, spread, test.at(rng.choice(len(test), classes, replace=False)), rng)

    return asked(draw, truth, runs, seed)


@functools.cache
def _true(metric: str, spread: Spread) -> dict[str, float]:
    """The correlation over the pairs of very many classes; the statistic alone, which needs no jackknife."""
    how = METRICS.get(metric)
    assert isinstance(how.outcome, Jackknifed)
    found = {}
    for m, pair in class_pairs(mnist().test.at(np.arange(MANY)), np.random.default_rng(MANY)).items():
        found[m] = float(how.outcome.statistic(predictions(RSA.at(spread=spread), pair, 0), pair.truth)[0]) * how.scale
    return found


def compared(metric: str, spread: Spread, images: Rows, rng: np.random.Generator) -> dict[str, Scores]:
    """Scores of each model's comparison with the reference."""
    return {m: measured(RSA.at(spread=spread), pair, 0, metric) for m, pair in class_pairs(images, rng).items()}


def class_pairs(images: Rows, rng: np.random.Generator) -> dict[str, Pair]:
    """By model, the reference's features and the model's of noisy copies of each image, which is a class."""
    encoders = mnist().encoders
    copies = images.noisy(COPIES, rng).pixels
    labels = np.repeat(np.arange(len(images)), COPIES)
    names = tuple(map(str, range(len(images))))
    sides = {m: Side(m, encoders[m](copies), labels) for m in (REFERENCE, *MODELS)}
    return {m: Pair((sides[REFERENCE], sides[m]), names) for m in MODELS}


for _metric in ("nmi", "adjusted_rand", "mean_per_class"):
    for _trials, _examples in ((1, 100), (5, 300)):
        DESIGNS.add(
            Design(
                f"{_metric}, {_examples} rows, {_trials} {'draw' if _trials == 1 else 'draws'}",
                "real",
                functools.partial(of_rows, _metric, _trials, _examples),
                1000,
                about="prototypes of 5 shots",
            )
        )
for _metric, _spread, _classes in (
    ("rdm_pearson", "none", 10),
    ("rdm_pearson", "none", 20),
    ("rdm_pearson", "none", 40),
    ("rdm_pearson", "by_dimension", 20),
    ("rdm_spearman", "none", 20),
):
    DESIGNS.add(
        Design(
            f"{_metric}, {_classes} classes, spread {_spread}",
            "real",
            functools.partial(of_classes, _metric, _spread, _classes),  # type: ignore[arg-type]
            1000,
            about=f"jackknifed over classes; a class is {COPIES} noisy copies of one image",
        )
    )
