"""Metrics of vectors of two kinds: how far their means lie apart, and what it costs to go from one to the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.metrics.entry import METRICS, Metric, Outcomes
from mmbench.metrics.jackknife import Array, jackknifed


def mean_distance(predictions: NDArray, labels: NDArray) -> Array:
    """The length of the mean of vectors ``[trials, n, d]``, float64 ``[trials]``."""
    found: Array = np.linalg.norm(predictions.mean(axis=1), axis=-1)
    return found


def _mean_distance_without(predictions: NDArray, labels: NDArray) -> Array:
    n = predictions.shape[1]
    without = (predictions.sum(axis=1, keepdims=True) - predictions) / (n - 1)
    found: Array = np.linalg.norm(without, axis=-1)
    return found


METRICS.add(
    Metric(
        "mean_distance",
        jackknifed(mean_distance, _mean_distance_without),
        "",
        1.0,
        high=2.0,
        higher_is_better=False,
        about="distance of the means of two kinds of vectors of unit length",
    )
)


def share_of_encoder(predictions: NDArray, labels: NDArray) -> Outcomes:
    """Operations of translation over those of encoding, for each image, ``[trials, n]``; 1 where they are more."""
    return np.minimum(predictions / labels, 1.0).astype(np.float32)


METRICS.add(
    Metric(
        "share_of_encoder",
        share_of_encoder,
        "%",
        100.0,
        higher_is_better=False,
        about="operations as a share of those of the image encoder",
    )
)
