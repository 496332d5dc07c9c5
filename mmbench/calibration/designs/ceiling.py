"""Skewed outcomes: nearly all right, and all examples on which two models differ on one side."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import Bank, asked, predictions
from mmbench.probes.logistic import LOGISTIC

ABSTAINS = -1


@functools.cache
def bank() -> Bank:
    """Two encoders under logistic regression, and both together: an answer only where the two agree."""
    population = mnist()
    pool = population.train.at(np.arange(1000))
    found = {m: predictions(LOGISTIC, population.inputs(m, pool, population.test), 0) for m in ("pca32", "pca16")}
    one, other = found.values()
    return Bank(found | {"only where both agree": np.where(one == other, one, ABSTAINS)}, population.test.labels)


def thinned(hit: NDArray[np.bool_], share: float, seed: int = 0) -> NDArray[np.int64]:
    """As many rows as can be so that ``share`` of them are hits, in random order."""
    rng = np.random.default_rng(seed)
    hits, others = rng.permutation(np.flatnonzero(hit)), rng.permutation(np.flatnonzero(~hit))
    count = min(len(hits) / share, len(others) / (1 - share))
    return np.concatenate([hits[: round(count * share)], others[: round(count * (1 - share))]])


def near_ceiling(share: float, examples: int, runs: int, seed: int) -> list[Row]:
    """The first model is right on this share of the population."""
    whole = bank()
    found = whole.only(thinned(whole.predicted["pca32"][0] == whole.labels, share))
    return asked(lambda rng: found.draw(rng, 1, examples), lambda: found.means, runs, seed)


def one_sided(share: float, examples: int, runs: int, seed: int) -> list[Row]:
    """The second model loses this share of the population and gains nothing anywhere."""
    whole = bank()
    one, _, both = (each[0] == whole.labels for each in whole.predicted.values())
    some = whole.only(thinned(one & ~both, share))
    found = Bank({m: some.predicted[m] for m in ("pca32", "only where both agree")}, some.labels)
    return asked(lambda rng: found.draw(rng, 1, examples), lambda: found.means, runs, seed)


for _share, _examples in ((0.9, 100), (0.98, 300), (0.99, 600)):
    DESIGNS.add(
        Design(
            f"near the ceiling, {100 * _share:g} % of {_examples} examples",
            "real",
            functools.partial(near_ceiling, _share, _examples),
            3000,
            about="logistic regression, 1 trial",
        )
    )
for _share, _examples in ((0.1, 100), (0.02, 300), (0.01, 600)):
    DESIGNS.add(
        Design(
            f"all differences on one side, {100 * _share:g} % of {_examples} examples",
            "real",
            functools.partial(one_sided, _share, _examples),
            3000,
            about="the second model answers only where two models agree",
        )
    )
