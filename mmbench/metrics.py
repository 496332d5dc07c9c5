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


@dataclass(frozen=True)
class SetMetric:
    """A number of a whole prediction that no mean of outcomes by example gives; for reports, not for paired claims.

    ``value`` maps int ``[trials, n]`` and ``[n]`` to float64 ``[trials]``; times ``scale`` it is in ``unit``.
    ``chance`` is what an answer that ignores the input gets, given the number of classes.
    """

    name: str
    value: Callable[[NDArray, NDArray], NDArray[np.float64]]
    scale: float
    unit: str
    chance: Callable[[int], float]
    higher_is_better: bool = True


def mean_per_class(predictions: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Accuracy within each class that has rows, averaged over those classes (Radford et al. 2021: Flowers102)."""
    counts = np.bincount(labels)
    share = 1.0 / (counts[labels] * np.count_nonzero(counts))
    return (predictions == labels[None]) @ share


def nmi(predictions: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Mutual information of clusters and classes over the mean of their entropies, in [0, 1].

    The arithmetic mean, as scikit-learn's ``normalized_mutual_info_score``; two constant labellings agree: 1.
    """
    return np.array([_nmi(_contingency(p, labels)) for p in predictions])


def adjusted_rand(predictions: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Hubert and Arabie's Rand index of pairs, 0 on average for clusters drawn at random, 1 for the same partition."""
    return np.array([_adjusted_rand(_contingency(p, labels)) for p in predictions])


def _contingency(clusters: NDArray, labels: NDArray) -> NDArray[np.int64]:
    a, b = np.unique(clusters, return_inverse=True)[1], np.unique(labels, return_inverse=True)[1]
    shape = (int(a.max()) + 1, int(b.max()) + 1)
    return np.bincount(a * shape[1] + b, minlength=shape[0] * shape[1]).reshape(shape)


def _entropy(counts: NDArray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _nmi(table: NDArray[np.int64]) -> float:
    rows, columns = _entropy(table.sum(axis=1)), _entropy(table.sum(axis=0))
    if rows + columns == 0:
        return 1.0
    mutual = rows + columns - _entropy(table.ravel())
    return float(np.clip(2 * mutual / (rows + columns), 0.0, 1.0))


def _adjusted_rand(table: NDArray[np.int64]) -> float:
    def pairs(counts: NDArray[np.int64]) -> float:
        return float((counts * (counts - 1) // 2).sum())

    together, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    total = pairs(np.array([table.sum()]))
    expected = rows * columns / total if total else 0.0
    best = (rows + columns) / 2
    return 1.0 if best == expected else (together - expected) / (best - expected)


SET_METRICS: Registry[SetMetric] = Registry("set metric")
SET_METRICS.add(SetMetric("mean_per_class", mean_per_class, scale=100.0, unit="%", chance=lambda classes: 1 / classes))
SET_METRICS.add(SetMetric("nmi", nmi, scale=1.0, unit="", chance=lambda classes: 0.0))
SET_METRICS.add(SetMetric("adjusted_rand", adjusted_rand, scale=1.0, unit="", chance=lambda classes: 0.0))
