"""Metrics of attacks that are more than a share of images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.metrics.entry import METRICS, Metric, Outcomes
from mmbench.metrics.jackknife import Array, jackknifed

MOST_NATS = 100.0


def success_by_distance(predictions: NDArray, distances: NDArray) -> Array:
    """Pearson's r over images of success ``[trials, n]`` with the distance to the target ``[n]``, float64 ``[trials]``.

    NaN where one of them does not vary.
    """
    x = np.asarray(predictions, dtype=np.float64)
    x, y = x - x.mean(axis=1, keepdims=True), distances - distances.mean()
    size = np.sqrt((x * x).sum(axis=1) * (y @ y))
    return np.divide(x @ y, size, out=np.full(len(x), np.nan), where=size > 1e-12)


def _without(predictions: NDArray, distances: NDArray) -> Array:
    """The same without each image, ``[trials, n]``: from sums less the image's own terms."""
    x = np.asarray(predictions, dtype=np.float64)
    x, y = x - x.mean(axis=1, keepdims=True), (distances - distances.mean())[None]
    count = x.shape[1] - 1
    sx, sy, sxx, syy, sxy = (values.sum(axis=1, keepdims=True) - values for values in (x, y, x * x, y * y, x * y))
    size = np.sqrt(np.clip(sxx - sx * sx / count, 0, None) * np.clip(syy - sy * sy / count, 0, None))
    return np.divide(sxy - sx * sy / count, size, out=np.full(x.shape, np.nan), where=size > 1e-12)


def attack_loss(predictions: NDArray, labels: NDArray) -> Array:
    """The mean cross-entropy of attacked images, as the probe gives it, in nats, each at most 100; ``[trials]``.

    A loss has no largest value that occurs, so its mean is jackknifed: as a score of single images between 0 and 100 it
    would have intervals for the case that one more image has a loss of 100.
    """
    return np.minimum(predictions, MOST_NATS).mean(axis=1, dtype=np.float64)


def _mean_without(predictions: NDArray, labels: NDArray) -> Array:
    losses = np.minimum(predictions, MOST_NATS).astype(np.float64)
    return (losses.sum(axis=1, keepdims=True) - losses) / (losses.shape[1] - 1)


def no_gradient(predictions: NDArray, labels: NDArray) -> Outcomes:
    """1 where the loss of an image has no gradient to its pixels, as the probe gives it, else 0."""
    return predictions.astype(np.float32)


METRICS.add(
    Metric(
        "success_by_distance",
        jackknifed(success_by_distance, _without),
        "",
        1.0,
        low=-1.0,
        higher_is_better=False,
        about="correlation of a targeted attack's success with the distance in meaning of label and target",
    )
)
METRICS.add(
    Metric(
        "attack_loss",
        jackknifed(attack_loss, _mean_without),
        "nats",
        1.0,
        high=MOST_NATS,
        higher_is_better=False,
        about="mean cross-entropy of the label after part of an attack's steps",
    )
)
METRICS.add(
    Metric(
        "no_gradient",
        no_gradient,
        "%",
        100.0,
        higher_is_better=False,
        about="share of images whose loss has no gradient to the pixels",
    )
)
