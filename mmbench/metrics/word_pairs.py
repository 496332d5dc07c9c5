"""Agreement of predicted similarities with people's ratings of pairs, jackknifed over the pairs.

Predictions are ``[trials, n]``, labels the ratings ``[n]``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.metrics.entry import METRICS, Metric
from mmbench.metrics.jackknife import Array, jackknifed

TILE = 2**20  # ranks at a time (8 MB)


def pair_pearson(predictions: NDArray, labels: NDArray) -> Array:
    """Pearson's r of similarities and ratings, float64 ``[trials]``. NaN where one does not vary."""
    return _correlation(_sums(predictions, labels), len(labels))


def _pearson_without(predictions: NDArray, labels: NDArray) -> Array:
    """Pearson's r without each pair: the sums over all pairs less those of the pair."""
    x, y = _centred(predictions, labels)
    terms = np.stack([x, np.broadcast_to(y, x.shape), x * x, np.broadcast_to(y * y, x.shape), x * y])
    return _correlation(terms.sum(axis=-1, keepdims=True) - terms, len(labels) - 1)


def pair_spearman(predictions: NDArray, labels: NDArray) -> Array:
    """Spearman's coefficient of similarities and ratings, ties given their mean rank."""
    from scipy.stats import rankdata

    return pair_pearson(rankdata(predictions, axis=-1), rankdata(labels))


def _spearman_without(predictions: NDArray, labels: NDArray) -> Array:
    """Spearman's coefficient without each pair, some pairs at a time.

    Without a pair, ranks above its own fall by one and those equal to it by a half, so nothing is ranked again.
    """
    n = len(labels)
    step = max(1, TILE // max(1, predictions.size))
    found = [_ranked_without(predictions, labels, np.arange(n)[start : start + step]) for start in range(0, n, step)]
    return np.concatenate(found, axis=1)


def _ranked_without(predictions: NDArray, labels: NDArray, rows: NDArray) -> Array:
    """Spearman's coefficient ``[trials, rows]`` without each of these pairs."""
    x, y = _ranks_without(predictions, rows), _ranks_without(labels, rows)
    zero, squares = np.zeros(x.shape[:-1]), np.broadcast_to((y * y).sum(axis=-1), x.shape[:-1])
    sums = [zero, zero, (x * x).sum(axis=-1), squares, (x * y).sum(axis=-1)]
    return _correlation(np.stack(sums), len(labels) - 1)


def _ranks_without(values: NDArray, rows: NDArray) -> Array:
    """Ranks of ``values`` ``[..., n]`` without each of ``rows``, less their mean: ``[..., rows, n]``; its own is 0."""
    from scipy.stats import rankdata

    ranks, left, all_of = rankdata(values, axis=-1), values[..., rows, None], values[..., None, :]
    fewer = ranks[..., None, :] - (left < all_of) - 0.5 * (left == all_of) - values.shape[-1] / 2
    fewer[..., np.arange(len(rows)), rows] = 0.0
    return fewer


def _centred(predictions: NDArray, labels: NDArray) -> tuple[Array, Array]:
    """For precision; r does not change."""
    x, y = predictions.astype(np.float64), np.asarray(labels, dtype=np.float64)
    return x - x.mean(axis=-1, keepdims=True), y - y.mean()


def _sums(predictions: NDArray, labels: NDArray) -> Array:
    x, y = _centred(predictions, labels)
    shape = (*x.shape[:-1], 1)
    zero, squares = np.zeros(shape), np.full(shape, (y * y).sum())
    sums = [zero, zero, (x * x).sum(axis=-1, keepdims=True), squares, (x @ y)[..., None]]
    return np.stack(sums)[..., 0]


def _correlation(sums: Array, count: int) -> Array:
    sx, sy, sxx, syy, sxy = sums
    varies_x, varies_y = sxx - sx * sx / count, syy - sy * sy / count
    size = np.sqrt(np.clip(varies_x, 0, None) * np.clip(varies_y, 0, None))
    floor = 1e-12 * np.sqrt(np.abs(sxx * syy))
    r = np.divide(sxy - sx * sy / count, size, out=np.full(np.shape(size), np.nan), where=size > floor)
    return np.clip(r, -1.0, 1.0)


METRICS.add(
    Metric(
        "pair_pearson",
        jackknifed(pair_pearson, _pearson_without),
        "",
        1.0,
        low=-1.0,
        about="Pearson correlation of similarities and ratings of pairs",
    )
)
METRICS.add(
    Metric(
        "pair_spearman",
        jackknifed(pair_spearman, _spearman_without),
        "",
        1.0,
        low=-1.0,
        about="Spearman correlation of similarities and ratings of pairs",
    )
)
