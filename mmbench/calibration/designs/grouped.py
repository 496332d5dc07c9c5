"""Examples that are not independent: views of one digit, and pairs that share a digit."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.designs.clustering import CLUSTERED_LOW, with_halves
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import Bank, asked, predictions, scored
from mmbench.inputs.labelled import Labelled
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Protocol
from mmbench.scores import Scores

MODELS = ("pca16", "random64")
THINGS, VIEWS = 60, 5
POOL = 400  # digits of which pairs are made
PAIRS = 300


@functools.cache
def bank(protocol: Protocol, trials: int) -> Bank:
    """Predictions for noisy copies of all test digits, by one training pool of noisy copies of others."""
    population, rng = mnist(), np.random.default_rng(60)
    train, test = population.train.a_class(50, rng).noisy(2, rng), population.test.noisy(VIEWS, rng)
    many = dataclasses.replace(protocol, trials=trials)
    predicted = {m: predictions(many, population.inputs(m, train, test), 0).astype(np.int8) for m in MODELS}
    return Bank(predicted, test.labels, together=VIEWS)


def views(protocol: Protocol, bank_trials: int, trials: int, runs: int, seed: int) -> list[Row]:
    """Several noisy copies of each real digit are the examples."""
    found = bank(protocol, bank_trials)
    return asked(lambda rng: found.draw(rng, trials, THINGS * VIEWS), lambda: found.means, runs, seed)


def clustered_views(runs: int, seed: int) -> list[Row]:
    """Noisy copies are clustered; halves of the examples are halves of the digits."""
    population = mnist()

    def draw(rng: np.random.Generator) -> dict[str, Scores]:
        test = population.test.drawn(THINGS, rng).noisy(VIEWS, rng)
        return with_halves(MODELS, test, rng, groups=np.repeat(np.arange(THINGS), VIEWS))

    return asked(draw, None, runs, seed)


@functools.cache
def bank_of_pairs() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Whether two digits add up to more than 9, by a linear probe on both: predictions ``[seeds, POOL, POOL]``."""
    population = mnist()
    rng, names = np.random.default_rng(90), ("at most 9", "more than 9")
    one, other = (population.train.at(rng.integers(len(population.train), size=1000)) for _ in range(2))
    test = population.test.at(np.arange(POOL))
    first, second = np.divmod(np.arange(POOL * POOL), POOL)
    labels = (test.labels[first] + test.labels[second] > 9).astype(np.int64)
    many, found = dataclasses.replace(LINEAR_PROBE, trials=40), {}
    for m in MODELS:
        encode = population.encoders[m]
        train_x = np.concatenate([encode(one.pixels), encode(other.pixels)], axis=1)
        encoded = encode(test.pixels)
        test_x = np.concatenate([encoded[first], encoded[second]], axis=1)
        inputs = Labelled(train_x, (one.labels + other.labels > 9).astype(np.int64), test_x, labels, names)
        found[m] = predictions(many, inputs, 0).astype(np.int8).reshape(-1, POOL, POOL)
    return found, labels.reshape(POOL, POOL)


def dyads(trials: int, runs: int, seed: int) -> list[Row]:
    """Pairs of THINGS digits are the examples: two pairs that share a digit are not independent."""
    predicted, labels = bank_of_pairs()
    truth = {m: 100 * float((each == labels).mean()) for m, each in predicted.items()}

    def draw(rng: np.random.Generator) -> dict[str, Scores]:
        digits = rng.integers(POOL, size=THINGS)
        place = rng.choice(THINGS * (THINGS - 1), PAIRS, replace=False)
        one, other = np.divmod(place, THINGS - 1)
        other += other >= one  # never a digit with itself
        some = rng.integers(len(predicted[MODELS[0]]), size=trials)[:, None]
        rows, groups = (digits[one], digits[other]), np.stack([one, other], axis=1)
        return {
            m: scored(each[some, rows[0], rows[1]], labels[rows], groups=groups, grouped_by="digits")
            for m, each in predicted.items()
        }

    return asked(draw, lambda: truth, runs, seed)


_OF_60 = f"{VIEWS} noisy copies of each of {THINGS} digits"
DESIGNS.add(
    Design(
        "views, prototypes of 5 shots, 10 draws",
        "real",
        functools.partial(views, FEW_SHOT.at(shots=5), 200, 10),
        1500,
        about=_OF_60,
    )
)
DESIGNS.add(
    Design("views, linear probe, 5 seeds", "real", functools.partial(views, LINEAR_PROBE, 60, 5), 1500, about=_OF_60)
)
DESIGNS.add(Design("views, clustering", "real", clustered_views, 800, low=CLUSTERED_LOW, about=_OF_60))
DESIGNS.add(
    Design(
        "dyads, linear probe, 5 seeds",
        "real",
        functools.partial(dyads, 5),
        1500,
        about=f"{PAIRS} pairs of {THINGS} digits; whether they add up to more than 9",
    )
)
