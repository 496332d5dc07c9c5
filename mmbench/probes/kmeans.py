"""k-means for many seeds at once.

scikit-learn's KMeans is an optional extra here and runs one start after another; scipy's kmeans2 has no stopping rule
and no inertia to choose a start by. This one solves all starts of all trials as one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.training.tensors import blocks

Points = NDArray[np.float64]


def kmeans(points: Points, clusters: int, seeds: Sequence[int], n_init: int = 10, max_iter: int = 300) -> NDArray:
    """Clusters int64 ``[seeds, n]`` of ``points`` ``[n, d]``: for each seed the best of ``n_init`` starts by inertia.

    Greedy k-means++ starts (the candidates a step are 2 + ln(clusters), as in scikit-learn), then Lloyd steps until no
    row changes its cluster. A cluster that runs empty restarts at the row farthest from its centre.
    """
    points = points - points.mean(axis=0)
    scale = points.std()
    points = points / scale if scale > 0 else points
    candidates = 2 + int(np.log(clusters))
    draws = np.concatenate([np.random.default_rng(s).random((n_init, clusters, candidates)) for s in seeds])
    found = np.empty((len(draws), len(points)), dtype=np.int64)
    inertia = np.empty(len(draws))
    from_rows = _from_rows(points)
    for some in blocks(len(draws), len(points) * max(clusters, candidates), limit=2**20):
        centres = points[_plus_plus(from_rows, len(points), draws[some])]
        found[some], inertia[some] = _lloyd(points, centres, max_iter)
    best = inertia.reshape(len(seeds), n_init).argmin(axis=1) + n_init * np.arange(len(seeds))
    return found[best]


Distances = Callable[[NDArray[np.int64]], Points]


def _from_rows(points: Points) -> Distances:
    """Squared distances ``[..., n]`` of all points to the rows asked for; looked up where all pairs fit (32 MB)."""

    def between(rows: NDArray[np.int64]) -> Points:
        some = points[rows.ravel()]
        square = some @ (-2 * points.T) + (some * some).sum(axis=1)[:, None] + (points * points).sum(axis=1)
        return np.maximum(square, 0, out=square).reshape(*rows.shape, len(points))

    return between(np.arange(len(points))).__getitem__ if len(points) <= 2048 else between


def _plus_plus(from_rows: Distances, rows: int, draws: Points) -> NDArray[np.int64]:
    """Rows ``[runs, clusters]`` to start from; ``draws`` are uniform numbers ``[runs, clusters, candidates]``."""
    runs, clusters, _ = draws.shape
    each, chosen = np.arange(runs), np.empty((runs, clusters), dtype=np.int64)
    chosen[:, 0] = (draws[:, 0, 0] * rows).astype(int)
    nearest = from_rows(chosen[:, 0])  # [runs, n]
    for step in range(1, clusters):
        heap = np.cumsum(nearest, axis=1)
        wanted = draws[:, step] * heap[:, -1:]  # [runs, candidates]
        picked = np.stack([np.searchsorted(heap[run], wanted[run]) for run in each])
        picked = np.minimum(picked, rows - 1)
        closer = from_rows(picked)  # [runs, candidates, n]
        np.minimum(closer, nearest[:, None], out=closer)
        best = closer.sum(axis=2).argmin(axis=1)
        chosen[:, step] = picked[each, best]
        nearest = closer[each, best]
    return chosen


def _lloyd(points: Points, centres: Points, max_iter: int) -> tuple[NDArray[np.int64], Points]:
    """Clusters ``[runs, n]`` and inertia ``[runs]``; runs that have settled take no further steps."""
    labels = np.full((len(centres), len(points)), -1, dtype=np.int64)
    inertia = np.empty(len(centres))
    moving = np.arange(len(centres))
    own = (points * points).sum(axis=1)[:, None]
    for _ in range(max_iter):
        flat = centres[moving].reshape(-1, points.shape[1])
        square = points @ (-2 * flat.T)
        square += (flat * flat).sum(axis=1)  # a row's own square is the same for all centres, and added behind
        square = square.reshape(len(points), len(moving), -1)
        nearest = square.argmin(axis=2)
        gap = np.take_along_axis(square, nearest[..., None], axis=2)[..., 0]  # [n, moving]
        gap = np.maximum(gap + own, 0)
        settled = (nearest.T == labels[moving]).all(axis=1)
        labels[moving], inertia[moving] = nearest.T, gap.sum(axis=0)
        moving, nearest, gap = moving[~settled], nearest[:, ~settled], gap[:, ~settled]
        if len(moving) == 0:
            break
        centres[moving] = _means(points, nearest, gap, centres.shape[1])
    return labels, inertia


def _means(points: Points, nearest: NDArray[np.int64], gap: Points, clusters: int) -> Points:
    """Means ``[runs, clusters, d]`` of the rows that ``nearest`` ``[n, runs]`` assigns; ``gap`` is their distance."""
    from scipy.sparse import csc_array

    rows, runs = nearest.shape
    codes = (nearest + clusters * np.arange(runs)).ravel()
    member = csc_array((np.ones(codes.size), codes, np.arange(0, codes.size + 1, runs)), shape=(runs * clusters, rows))
    counts = np.bincount(codes, minlength=runs * clusters)
    means = (member @ points) / np.maximum(counts, 1)[:, None]
    farthest = np.argsort(-gap, axis=0, kind="stable") if (counts == 0).any() else None
    for empty, code in enumerate(np.flatnonzero(counts == 0)):
        assert farthest is not None
        means[code] = points[farthest[empty % rows, code // clusters]]
    return means.reshape(runs, clusters, -1)
