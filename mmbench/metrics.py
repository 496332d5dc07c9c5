"""Metrics: predictions and labels in, one outcome per example out; each knows its unit and its better end.

Outcomes are kept per example so that any two models can be compared in pairs. A mean of outcomes times
``scale`` is the number as papers print it (accuracy in percent, F1 between 0 and 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.registry import Registry

Outcomes = NDArray[np.float32]


@dataclass(frozen=True)
class Metric:
    """``outcome(predictions, labels)``: ``[trials, n(, classes)]``, ``[n(, classes)]`` to ``[trials, n]`` in [0, 1]."""

    name: str
    outcome: Callable[[NDArray, NDArray], Outcomes]
    scale: float
    unit: str
    higher_is_better: bool = True

    def chance(self, labels: NDArray) -> float:
        """Best mean outcome that ignores the input: one constant answer for all examples of ``labels``.

        Single-label: the share of the largest class. Several labels: the best constant label set among the
        all-labels set and every prefix of the labels ordered by frequency (greedy, so a lower bound).
        """
        if labels.ndim == 1:
            return float(np.bincount(labels).max() / len(labels))
        order = np.argsort(-labels.mean(axis=0), kind="stable")
        best = 0.0
        for k in range(1, labels.shape[1] + 1):
            constant = np.zeros(labels.shape[1], dtype=bool)
            constant[order[:k]] = True
            guess = np.broadcast_to(constant, (1, *labels.shape))
            best = max(best, float(self.outcome(guess, labels).mean()))
        return best


def accuracy(predictions: NDArray, labels: NDArray) -> Outcomes:
    """1 where the predicted class is the label, else 0. Shapes ``[trials, n]`` and ``[n]``."""
    return (predictions == labels[None]).astype(np.float32)


def f1_samples(predictions: NDArray, labels: NDArray) -> Outcomes:
    """F1 of each example's label set, ``TP / (TP + (FP + FN) / 2)`` (Bielawski 2022, section 5.2).

    Shapes ``[trials, n, classes]`` and ``[n, classes]``, booleans. An empty prediction of a non-empty set
    scores 0, as in scikit-learn's ``f1_score(average="samples")``; so does empty against empty.
    """
    predictions, labels = predictions.astype(bool), labels.astype(bool)[None]
    hits = (predictions & labels).sum(axis=-1)
    size = predictions.sum(axis=-1) + labels.sum(axis=-1)
    return np.divide(2.0 * hits, size, out=np.zeros(hits.shape), where=size > 0).astype(np.float32)


METRICS: Registry[Metric] = Registry("metric")
METRICS.add(Metric("accuracy", accuracy, scale=100.0, unit="%"))
METRICS.add(Metric("f1_samples", f1_samples, scale=1.0, unit=""))
