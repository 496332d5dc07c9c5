"""Metrics of a whole assignment of rows to classes or clusters, jackknifed over the rows.

The leave-one-out values are exact. A row enters only by its cell of the contingency table, so each is computed once per
cell that is not empty.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mmbench.metrics.entry import METRICS, Metric
from mmbench.metrics.jackknife import Array, Statistic, jackknifed


def mean_per_class(predictions: NDArray, labels: NDArray) -> Array:
    """Accuracy within each class that has rows, averaged over those classes (Radford et al. 2021: Flowers102).

    int ``[trials, n]`` and ``[n]`` to float64 ``[trials]``. The classes of a dataset are fixed, so examples are rows.
    """
    counts = np.bincount(labels)
    share = 1.0 / (counts[labels] * np.count_nonzero(counts))
    return (predictions == labels[None]) @ share


def _mean_per_class_without(predictions: NDArray, labels: NDArray) -> Array:
    right = predictions == labels[None]
    counts = np.bincount(labels)
    classes = int(np.count_nonzero(counts))
    by_class = np.stack([np.bincount(labels, weights=row) for row in right]) / np.maximum(counts, 1)
    value = by_class[:, counts > 0].mean(axis=1, keepdims=True)
    own, size = by_class[:, labels], counts[labels]
    smaller = value + (own - right) / (np.maximum(size - 1, 1) * classes)
    gone = (value * classes - own) / max(classes - 1, 1)  # the row was its class's only one
    return np.where(size > 1, smaller, gone)


def nmi(predictions: NDArray, labels: NDArray) -> Array:
    """Mutual information of clusters and classes over the mean of their entropies, in [0, 1].

    int ``[trials, n]`` and ``[n]`` to float64 ``[trials]``. The arithmetic mean, as scikit-learn's
    ``normalized_mutual_info_score``; two constant labellings agree: 1.
    """
    return np.array([_nmi(_Sums(table, _x_log_x)) for table, _ in _tables(predictions, labels)])


def adjusted_rand(predictions: NDArray, labels: NDArray) -> Array:
    """Hubert and Arabie's Rand index of pairs, 0 on average for clusters drawn at random, 1 for the same partition."""
    return np.array([_adjusted_rand(_Sums(table, _pairs)) for table, _ in _tables(predictions, labels)])


def _without_each(measure: Callable[[_Sums], Array], term: Callable[[Array], Array]) -> Statistic:
    """The measure without each row, float64 ``[trials, n]``."""

    def leave_one_out(predictions: NDArray, labels: NDArray) -> Array:
        return np.stack(
            [measure(_Sums(table, term, left_out=True))[cell] for table, cell in _tables(predictions, labels)]
        )

    return leave_one_out


def _tables(predictions: NDArray, labels: NDArray) -> list[tuple[NDArray[np.int64], NDArray[np.intp]]]:
    """By trial the counts ``[clusters, classes]`` and, for each row, the place of its cell among those not empty."""
    out = []
    classes = np.unique(labels, return_inverse=True)[1]
    for row in predictions:
        clusters = np.unique(row, return_inverse=True)[1]
        shape = (int(clusters.max()) + 1, int(classes.max()) + 1)
        at = clusters * shape[1] + classes
        table = np.bincount(at, minlength=shape[0] * shape[1])
        place = np.cumsum(table > 0) - 1
        out.append((table.reshape(shape), place[at]))
    return out


class _Sums:
    """Sums of ``term(count)`` over the cells, rows and columns of a table, and over its total.

    With ``left_out`` every sum is an array: its values when one example of each non-empty cell in turn is removed.
    """

    def __init__(self, table: NDArray[np.int64], term: Callable[[Array], Array], *, left_out: bool = False) -> None:
        counts = table.astype(np.float64)
        rows, columns = counts.sum(axis=1), counts.sum(axis=0)
        at_row, at_column = np.nonzero(table)
        self.size = counts.sum() - left_out
        self.total = term(np.asarray(self.size))

        def summed(values: Array, at: tuple[NDArray[np.intp], ...]) -> Array:
            own = values[at]
            return term(values).sum() + (term(own - 1) - term(own) if left_out else 0.0)

        self.cells = summed(counts, (at_row, at_column))
        self.rows, self.columns = summed(rows, (at_row,)), summed(columns, (at_column,))


def _x_log_x(counts: Array) -> Array:
    return counts * np.log(np.maximum(counts, 1.0))


def _pairs(counts: Array) -> Array:
    return counts * (counts - 1) / 2


def _nmi(sums: _Sums) -> Array:
    if sums.size == 0:
        return np.ones(np.shape(sums.cells))
    rows, columns, cells = ((sums.total - part) / sums.size for part in (sums.rows, sums.columns, sums.cells))
    both = rows + columns
    constant = both <= 1e-12
    return np.where(constant, 1.0, np.clip(2 * (both - cells) / np.where(constant, 1.0, both), 0.0, 1.0))


def _adjusted_rand(sums: _Sums) -> Array:
    expected = sums.rows * sums.columns / sums.total if sums.total > 0 else np.zeros(np.shape(sums.rows))
    best = (sums.rows + sums.columns) / 2
    same = best == expected
    return np.where(same, 1.0, (sums.cells - expected) / np.where(same, 1.0, best - expected))


METRICS.add(
    Metric(
        "mean_per_class",
        jackknifed(mean_per_class, _mean_per_class_without),
        "%",
        100.0,
        chance_of=lambda labels: 1.0 / np.count_nonzero(np.bincount(labels)),
        about="accuracy within each class, averaged over classes",
    )
)
METRICS.add(
    Metric(
        "nmi",
        jackknifed(nmi, _without_each(_nmi, _x_log_x)),
        "",
        1.0,
        about="normalised mutual information of clusters and classes",
    )
)
METRICS.add(
    Metric(
        "adjusted_rand",
        jackknifed(adjusted_rand, _without_each(_adjusted_rand, _pairs)),
        "",
        1.0,
        low=-0.5,
        about="adjusted Rand index of clusters and classes",
    )
)
