"""Agreement of two representational dissimilarity matrices (RDMs), jackknifed over the classes.

Predictions are ``[trials, 2, classes, classes]``: the dissimilarities of the same classes, in the same order, in two
representations (Kriegeskorte et al. 2008). Only the upper triangle is read. Labels are not used.

A correlation over pairs of classes varies with the classes and, beyond that, with single pairs. The jackknife over
classes counts the second part twice (Efron and Stein 1981), so its variance is too large for few classes. Half of one
count is subtracted: without the subtraction 95 % intervals covered up to 99 %, with all of it down to 92.7 % (10 to 40
classes, 1,000 runs a point).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores
from mmbench.metrics.entry import METRICS, Metric
from mmbench.metrics.jackknife import Array, jackknifed

FEWEST = 4  # classes: with one left out there are still 3 pairs


def rdm_pearson(predictions: NDArray, labels: NDArray) -> Array:
    """Pearson's r of the two upper triangles, float64 ``[trials]``. NaN where one does not vary."""
    return np.array([_pearson(*triangles) for triangles in _triangles(predictions)])


def rdm_spearman(predictions: NDArray, labels: NDArray) -> Array:
    """Spearman's coefficient of the two upper triangles, ties given their mean rank."""
    return np.array([_pearson(*map(_ranks, triangles)) for triangles in _triangles(predictions)])


def _pearson_without(predictions: NDArray, labels: NDArray) -> Array:
    """Pearson's r without each class: the sums over all pairs less the sums over the class's own pairs."""
    classes = predictions.shape[-1]
    one, other = np.triu_indices(classes, 1)
    count = (classes - 1) * (classes - 2) / 2
    out = []
    for x, y in _triangles(predictions):
        x, y = x - x.mean(), y - y.mean()  # for precision; r does not change
        left = [
            values.sum()
            - np.bincount(one, weights=values, minlength=classes)
            - np.bincount(other, weights=values, minlength=classes)
            for values in (x, y, x * x, y * y, x * y)
        ]
        sx, sy, sxx, syy, sxy = left
        size = np.sqrt(np.clip(sxx - sx * sx / count, 0, None) * np.clip(syy - sy * sy / count, 0, None))
        product = sxy - sx * sy / count
        floor = 1e-12 * np.sqrt((x @ x) * (y @ y))
        out.append(np.divide(product, size, out=np.full(classes, np.nan), where=size > floor))
    return np.clip(np.stack(out), -1.0, 1.0)


def _spearman_without(predictions: NDArray, labels: NDArray) -> Array:
    """Spearman's coefficient without each class. Ranks change with every class left out, so each is computed anew."""
    classes = range(predictions.shape[-1])
    without = [np.delete(np.delete(predictions, k, axis=-1), k, axis=-2) for k in classes]
    triangles = (_triangles(matrices, FEWEST - 1) for matrices in without)
    return np.stack([[_pearson(*map(_ranks, pair)) for pair in trials] for trials in triangles], axis=1)


def _spread(of: Callable[[Array], Array]) -> Callable[[NDArray, Array], Array]:
    """The factor for pseudo-values that takes half of the single pairs' variance out; ``of`` as the statistic's."""

    def factor(predictions: NDArray, pseudo: Array) -> Array:
        entries = np.array([[of(v) for v in triangles] for triangles in _triangles(predictions)])
        return single_pairs_factor(entries, pseudo, predictions.shape[-1])

    return factor


def single_pairs_factor(entries: NDArray, pseudo: Array, classes: int) -> Array:
    """Factors ``[trials]`` for pseudo-values of a correlation of two lists of ``entries``, ``[trials, 2, pairs]``."""
    one, other = np.triu_indices(classes, 1)
    kept = []
    for triangles, values in zip(entries, pseudo, strict=True):
        x, y = ((v - v.mean()) / v.std() for v in triangles)
        pair = x * y - (x * y).mean() * (x * x + y * y) / 2  # what each pair contributes to r, to first order
        through = np.bincount(one, pair, classes) + np.bincount(other, pair, classes)
        alone = pair - (through[one] + through[other]) / (classes - 2)
        single = (alone @ alone) / (len(pair) - classes) / len(pair) if len(pair) > classes else 0.0
        jackknife = values.var(ddof=1) / classes
        kept.append(np.clip(1 - single / 2 / jackknife, 0.75, 1.0) if jackknife > 0 else 1.0)
    return np.sqrt(kept)


def _as_they_are(values: Array) -> Array:
    return values


def _triangles(predictions: NDArray, fewest: int = FEWEST) -> NDArray[np.float64]:
    """The upper triangles, ``[trials, 2, pairs]``. Raises BadScores for other shapes and too few classes."""
    shape = predictions.shape
    if predictions.ndim != 4 or shape[1] != 2 or shape[2] != shape[3]:
        raise BadScores(f"expected two dissimilarity matrices, [trials, 2, classes, classes], found shape {shape}")
    if shape[3] < fewest:
        raise BadScores(f"a correlation of dissimilarity matrices needs at least {fewest} classes, found {shape[3]}")
    one, other = np.triu_indices(shape[3], 1)
    return predictions[:, :, one, other].astype(np.float64)


def _ranks(values: Array) -> Array:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), dtype=np.float64)


def _pearson(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt((x @ x) * (y @ y))
    return float(np.clip(x @ y / size, -1.0, 1.0)) if size > 0 else float("nan")


METRICS.add(
    Metric(
        "rdm_pearson",
        jackknifed(rdm_pearson, _pearson_without, _spread(_as_they_are)),
        "",
        1.0,
        low=-1.0,
        over="classes",
        about="Pearson correlation of two representational dissimilarity matrices",
    )
)
METRICS.add(
    Metric(
        "rdm_spearman",
        jackknifed(rdm_spearman, _spearman_without, _spread(_ranks)),
        "",
        1.0,
        low=-1.0,
        over="classes",
        about="Spearman correlation of two representational dissimilarity matrices",
    )
)
