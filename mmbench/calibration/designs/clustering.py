"""Probes whose outcome on an example depends on the other test examples: clustering, and retrieval among them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.digit_pool import Rows, mnist
from mmbench.calibration.resampling import asked, measured
from mmbench.inputs.mapped import Mapped
from mmbench.probes import halves
from mmbench.probes.retrieval import LINEAR_MAP_RETRIEVAL
from mmbench.probes.spectral import CLUSTERING
from mmbench.scores import Scores

MODELS = ("pca16", "random64")
CLUSTERED_LOW = 0.92  # of coverage
TARGET, SEARCHED = "pca8", ("random16", "pca4")  # about a third of the images are found
ON_HALVES = dataclasses.replace(CLUSTERING, trials=1)
RETRIEVAL = dataclasses.replace(LINEAR_MAP_RETRIEVAL, trials=1)  # of one map


def clustered(examples: int, runs: int, seed: int) -> list[Row]:
    """Clusters of the test rows; the truth is the mean over other test sets of this size."""
    population = mnist()
    return asked(lambda rng: with_halves(MODELS, population.test.drawn(examples, rng), rng), None, runs, seed)


def with_halves(
    models: Sequence[str], test: Rows, rng: np.random.Generator, groups: NDArray[np.int64] | None = None
) -> dict[str, Scores]:
    """Scores of the clustered test rows, with the means on random halves of them, the same for all models.

    A half has half of the rows of each class; of grouped rows, half of the groups of each class.
    """
    some = halves.draw(test.labels, groups, int(rng.integers(2**31)), "digits")
    found = {}
    for model in models:
        inputs = mnist().inputs(model, mnist().train.at(np.arange(10)), test)
        each = zip(some, halves.seeds(CLUSTERING.seed), strict=True)
        means = [measured(ON_HALVES, inputs.with_rows(rows), number).outcomes.mean() for rows, number in each]
        own = measured(
            CLUSTERING, inputs, CLUSTERING.seed, groups=groups, grouped_by="" if groups is None else "digits"
        )
        found[model] = dataclasses.replace(own, halves=np.array(means, dtype=np.float32))
    return found


def retrieved(examples: int, runs: int, seed: int) -> list[Row]:
    """Each image is searched, through a linear map, among the test images as another encoder has them."""
    population = mnist()
    target, maps = population.encoders[TARGET], {m: _map(population.train, m) for m in SEARCHED}

    def draw(rng: np.random.Generator) -> dict[str, Scores]:
        test = population.test.at(rng.choice(len(population.test), examples, replace=False))
        candidates, found = target(test.pixels), {}
        for m, weights in maps.items():
            queries = population.encoders[m](test.pixels) @ weights
            found[m] = measured(RETRIEVAL, Mapped(queries[None], candidates[None], np.arange(examples)), 0)
        return found

    return asked(draw, None, runs, seed)


def _map(train: Rows, model: str) -> NDArray[np.float32]:
    """Least squares from the model's features to the target's."""
    encoders = mnist().encoders
    weights, *_ = np.linalg.lstsq(encoders[model](train.pixels), encoders[TARGET](train.pixels), rcond=None)
    return np.asarray(weights, dtype=np.float32)


for _examples, _runs in ((300, 1000), (600, 700)):
    DESIGNS.add(
        Design(
            f"clustering, {_examples} examples",
            "real",
            functools.partial(clustered, _examples),
            _runs,
            low=CLUSTERED_LOW,
            about="clusters and their names are fitted on the test set; 5 seeds of k-means",
        )
    )
DESIGNS.add(
    Design(
        "retrieval among 150 test examples",
        "real",
        functools.partial(retrieved, 150),
        1000,
        about="recall at 1 of a linear map; the candidates are the test set's own",
    )
)
