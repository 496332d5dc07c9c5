"""Probes that train on all rows of a pool: trials are seeds of the head, and the pool is that of the verdict."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.digit_pool import Population, Rows, mnist
from mmbench.calibration.resampling import Bank, asked, predictions
from mmbench.inputs.labelled import Labelled
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.logistic import LOGISTIC
from mmbench.probes.mlp import MLP_HEAD
from mmbench.probes.neighbours import NEIGHBOURS
from mmbench.protocol import Protocol

MODELS = ("pca16", "random64")
TRAIN = 500  # rows
EXAMPLES = 300


@functools.cache
def bank(protocol: Protocol, seeds: int) -> Bank:
    """Predictions of one label for the whole population, by many seeds of one training pool."""
    population = mnist()
    pool = population.train.at(np.arange(TRAIN))
    many = dataclasses.replace(protocol, trials=seeds)
    predicted = {m: predictions(many, population.inputs(m, pool, population.test), 0) for m in MODELS}
    return Bank(predicted, population.test.labels)


@functools.cache
def bank_of_two_digits(protocol: Protocol, seeds: int) -> Bank:
    """The same for several labels: images of two digits laid over each other, each labelled with both."""
    population = mnist()
    train, train_y = _laid_over(population.train, TRAIN, 1)
    test, test_y = _laid_over(population.test, 3000, 2)
    many = dataclasses.replace(protocol, trials=seeds)
    predicted = {}
    for m in MODELS:
        encode = population.encoders[m]
        predicted[m] = predictions(many, Labelled(encode(train), train_y, encode(test), test_y, _names(population)), 0)
    return Bank(predicted, test_y, "f1_samples")


def _names(population: Population) -> tuple[str, ...]:
    return tuple(str(digit) for digit in np.unique(population.train.labels))


def _laid_over(rows: Rows, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` images of two digits ``[count, pixels]``, and which digits they show, bool ``[count, classes]``."""
    rng = np.random.default_rng(seed)
    one, other = (rows.at(rng.integers(len(rows), size=count)) for _ in range(2))
    labels = np.zeros((count, 10), dtype=bool)
    for each in (one, other):
        labels[np.arange(count), each.labels] = True
    return np.maximum(one.pixels, other.pixels), labels


def from_bank(kind: str, protocol: Protocol, seeds: int, trials: int, runs: int, seed: int) -> list[Row]:
    """Trials are drawn from the bank's seeds; with one seed the population holds that head alone."""
    found = {"one": bank, "two": bank_of_two_digits}[kind](protocol, seeds)
    return asked(lambda rng: found.draw(rng, trials, EXAMPLES), lambda: found.means, runs, seed)


DESIGNS.add(Design("linear probe, 5 seeds", "real", functools.partial(from_bank, "one", LINEAR_PROBE, 200, 5), 1500))
DESIGNS.add(Design("logistic, 1 trial", "real", functools.partial(from_bank, "one", LOGISTIC, 1, 1), 1500))
DESIGNS.add(Design("MLP, 5 seeds", "real", functools.partial(from_bank, "one", MLP_HEAD, 20, 5), 1500))
DESIGNS.add(
    Design(
        "F1 of MLP on two labels, 5 seeds",
        "real",
        functools.partial(from_bank, "two", MLP_HEAD, 20, 5),
        1500,
        about="images of two digits laid over each other",
    )
)
DESIGNS.add(
    Design(
        "F1 of neighbours on two labels, 10 draws",
        "real",
        functools.partial(from_bank, "two", NEIGHBOURS.at(shots=10), 200, 10),
        1500,
        about="images of two digits laid over each other",
    )
)
