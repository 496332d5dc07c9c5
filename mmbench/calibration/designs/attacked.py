"""What is measured of attacks beyond shares of images: a loss, and a correlation of success with a distance.

Attacks on real networks would take hours, so real digits under prototypes take their place: the share of three draws
that are right is a success in steps, and the loss is one of the same kind and shape.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.designs.few_shot import MODELS, bank
from mmbench.calibration.designs.grouped import VIEWS
from mmbench.calibration.designs.grouped import bank as views_bank
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import Bank, asked
from mmbench.metrics.attacked import success_by_distance
from mmbench.probes.prototypes import FEW_SHOT

TOGETHER = 3  # draws that make one success in steps, as three epsilons do
SHOTS = 5
IMAGES = VIEWS  # of a class, where several have one distance
TRIALS = 100


@functools.cache
def successes() -> Bank:
    """Success in steps by trial and digit; the distance is that of the image from the mean of its class."""
    found, test = bank(FEW_SHOT.at(shots=SHOTS)), mnist().test
    means = np.stack([test.pixels[test.labels == digit].mean(axis=0) for digit in range(10)])
    distance = np.linalg.norm(test.pixels - means[test.labels], axis=1).astype(np.float64)
    right = {m: (each == test.labels).astype(np.float64) for m, each in found.predicted.items()}
    made = {m: each[: TRIALS * TOGETHER].reshape(TRIALS, TOGETHER, -1).mean(axis=1) for m, each in right.items()}
    return Bank(made, distance, metric="success_by_distance")


@functools.cache
def by_class() -> Bank:
    """The same, where IMAGES noisy copies of a digit are the images of one class: they have one distance."""
    of_copies, test = views_bank(FEW_SHOT.at(shots=SHOTS), TRIALS * TOGETHER), mnist().test
    means = np.stack([test.pixels[test.labels == digit].mean(axis=0) for digit in range(10)])
    distance = np.linalg.norm(test.pixels - means[test.labels], axis=1).astype(np.float64)
    right = {m: each == of_copies.labels for m, each in of_copies.predicted.items()}
    made = {m: each.reshape(TRIALS, TOGETHER, -1).mean(axis=1) for m, each in right.items()}
    return Bank(made, np.repeat(distance, IMAGES), metric="success_by_distance", together=IMAGES)


@functools.cache
def losses() -> Bank:
    """Cross-entropy by trial and digit; logits are ten times the cosine with the mean of five rows of each class."""
    population, rng = mnist(), np.random.default_rng(5)
    test, made = population.test, {}
    for m in MODELS:
        encode, by_trial = population.encoders[m], []
        x = _unit(encode(test.pixels))
        for _ in range(TRIALS):
            drawn = population.train.a_class(SHOTS, rng)
            prototypes = np.stack([encode(drawn.pixels[drawn.labels == k]).mean(axis=0) for k in range(10)])
            logits = 10 * x @ _unit(prototypes).T
            by_trial.append(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(x)), test.labels])
        made[m] = np.stack(by_trial)
    return Bank(made, test.labels, metric="attack_loss")


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def true_correlations(of: Callable[[], Bank]) -> dict[str, float]:
    """The correlation over the whole population, mean over all trials."""
    found = of()
    return {m: float(success_by_distance(each, found.labels).mean()) for m, each in found.predicted.items()}


def of_success(of: Callable[[], Bank], examples: int, runs: int, seed: int) -> list[Row]:
    return asked(lambda rng: of().draw(rng, 2, examples), lambda: true_correlations(of), runs, seed)


def true_losses() -> dict[str, float]:
    return {m: float(each.mean()) for m, each in losses().predicted.items()}


def of_losses(examples: int, runs: int, seed: int) -> list[Row]:
    return asked(lambda rng: losses().draw(rng, 2, examples), true_losses, runs, seed)


for _examples in (24, 100, 1000):
    DESIGNS.add(
        Design(
            f"success_by_distance, {_examples} images, 2 starts",
            "real",
            functools.partial(of_success, successes, _examples),
            1000,
            about="jackknifed over images; success in steps, from three draws of prototypes",
        )
    )
for _classes in (24, 100):
    DESIGNS.add(
        Design(
            f"success_by_distance, {_classes} classes of {IMAGES} images, 2 starts",
            "real",
            functools.partial(of_success, by_class, _classes * IMAGES),
            1000,
            about="images of one class have one distance; success as above",
        )
    )
for _examples in (16, 100):
    DESIGNS.add(
        Design(
            f"attack_loss, {_examples} images, 2 starts",
            "real",
            functools.partial(of_losses, _examples),
            1000,
            about="cross-entropy of digits under prototypes",
        )
    )
