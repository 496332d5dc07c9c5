"""Few-shot probes: draws from one training pool, and verdicts that are about fresh pools."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import Bank, asked, measured, predictions
from mmbench.probes.neighbours import NEIGHBOURS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Protocol
from mmbench.scores import Scores

MODELS = ("pca16", "random64")
EXAMPLES = 300
DRAWS = 400  # of the training rows: the population of trials
A_CLASS = 100  # training rows of a pool that is large


@functools.cache
def bank(protocol: Protocol) -> Bank:
    """Many draws of shots from one large pool."""
    population = mnist()
    pool = population.train.a_class(A_CLASS, np.random.default_rng(100))
    many = dataclasses.replace(protocol, trials=DRAWS)
    predicted = {m: predictions(many, population.inputs(m, pool, population.test), 0) for m in MODELS}
    return Bank(predicted, population.test.labels)


def one_pool(protocol: Protocol, trials: int, runs: int, seed: int) -> list[Row]:
    """Trials are draws from one pool, and the truth is the mean over all draws from it."""
    found = bank(protocol)
    return asked(lambda rng: found.draw(rng, trials, EXAMPLES), lambda: found.means, runs, seed)


def fresh_pools(protocol: Protocol, rows: int, runs: int, seed: int) -> list[Row]:
    """Every run has a training pool of its own; the truth is the mean over pools."""
    population, shots = mnist(), protocol.settings.shots  # type: ignore[attr-defined]

    def draw(rng: np.random.Generator) -> dict[str, Scores]:
        pool = population.train.a_class(rows, rng, again=True)
        test, trial_seed = population.test.drawn(EXAMPLES, rng), int(rng.integers(2**31))
        return {m: measured(protocol, population.inputs(m, pool, test), trial_seed, pool=shots / rows) for m in MODELS}

    return asked(draw, functools.partial(_means_over_pools, protocol), runs, seed)


@functools.cache
def _means_over_pools(protocol: Protocol) -> dict[str, float]:
    """The mean over many pools, tested on the whole population; it does not depend on how large pools are."""
    population, rng, few = mnist(), np.random.default_rng(300), dataclasses.replace(protocol, trials=4)
    pools = [population.train.a_class(A_CLASS, rng, again=True) for _ in range(DRAWS)]
    return {
        m: float(np.mean([measured(few, population.inputs(m, pool, population.test), 1).mean for pool in pools]))
        for m in MODELS
    }


for _shots in (1, 5, 10):
    DESIGNS.add(
        Design(
            f"prototypes, {_shots} shots, 10 draws",
            "real",
            functools.partial(one_pool, FEW_SHOT.at(shots=_shots), 10),
            1500,
            about="300 examples, draws from one pool of 100 rows a class",
        )
    )
for _trials in (2, 3, 5):
    DESIGNS.add(
        Design(
            f"prototypes, 5 shots, {_trials} draws",
            "real",
            functools.partial(one_pool, FEW_SHOT.at(shots=5), _trials),
            3000,
            about="few trials",
        )
    )
DESIGNS.add(
    Design("neighbours, 5 shots, 10 draws", "real", functools.partial(one_pool, NEIGHBOURS.at(shots=5), 10), 1500)
)
for _protocol, _name in ((FEW_SHOT, "prototypes"), (NEIGHBOURS, "neighbours")):
    for _rows in (12, 100):
        DESIGNS.add(
            Design(
                f"{_name}, 10 shots, fresh pools of {_rows} rows a class",
                "real",
                functools.partial(fresh_pools, _protocol.at(shots=10), _rows),
                1000,
                about="10 draws from a pool that is drawn anew in each run",
            )
        )
for _trials in (2, 3):
    DESIGNS.add(
        Design(
            f"prototypes, 5 shots, {_trials} draws, fresh pools of 20 rows a class",
            "real",
            functools.partial(fresh_pools, dataclasses.replace(FEW_SHOT.at(shots=5), trials=_trials), 20),
            1500,
            about="few draws from a pool that is drawn anew in each run",
        )
    )
