"""k-means for many seeds at once.

scikit-learn's KMeans is an optional extra here and runs one start after another; scipy's kmeans2 has no stopping rule
and no inertia to choose a start by. This one solves all starts of all trials as one product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.probes.tensors import blocks

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
    for some in blocks(len(draws), len(points) * max(clusters, candidates), limit=2**20):
        centres = _plus_plus(points, draws[some])
        found[some], inertia[some] = _lloyd(points, centres, max_iter)
    best = inertia.reshape(len(seeds), n_init).argmin(axis=1) + n_init * np.arange(len(seeds))
    return found[best]


def _distances(points: Points, centres: Points) -> Points:
    """Squared distances ``[n, runs, clusters]`` to centres ``[runs, clusters, d]``."""
    flat = centres.reshape(-1, centres.shape[-1])
    square = points @ (-2 * flat.T)
    square += (points * points).sum(axis=1)[:, None]
    square += (flat * flat).sum(axis=1)
    return np.maximum(square, 0, out=square).reshape(len(points), *centres.shape[:2])


def _plus_plus(points: Points, draws: Points) -> Points:
    """Centres ``[runs, clusters, d]``; ``draws`` are uniform numbers ``[runs, clusters, candidates]``."""
    runs, clusters, _ = draws.shape
    centres = np.empty((runs, clusters, points.shape[1]))
    centres[:, 0] = points[(draws[:, 0, 0] * len(points)).astype(int)]
    nearest = _distances(points, centres[:, :1])[..., 0]  # [n, runs]
    for step in range(1, clusters):
        heap = np.cumsum(nearest, axis=0)
        wanted = draws[:, step] * heap[-1][:, None]  # [runs, candidates]
        picked = np.stack([np.searchsorted(heap[:, run], wanted[run]) for run in range(runs)])
        tried = points[np.minimum(picked, len(points) - 1)]
        closer = np.minimum(_distances(points, tried), nearest[..., None])  # [n, runs, candidates]
        best = closer.sum(axis=0).argmin(axis=1)
        centres[:, step] = tried[np.arange(runs), best]
        nearest = closer[:, np.arange(runs), best]
    return centres


def _lloyd(points: Points, centres: Points, max_iter: int) -> tuple[NDArray[np.int64], Points]:
    """Clusters ``[runs, n]`` and inertia ``[runs]``; runs that have settled take no further steps."""
    labels = np.full((len(centres), len(points)), -1, dtype=np.int64)
    inertia = np.empty(len(centres))
    moving = np.arange(len(centres))
    for _ in range(max_iter):
        square = _distances(points, centres[moving])
        nearest = square.argmin(axis=2)
        gap = np.take_along_axis(square, nearest[..., None], axis=2)[..., 0]  # [n, moving]
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
