"""Average linkage (UPGMA; Sokal and Michener 1958) of a few things, and the heights at which sets of them are joined.

Distances are condensed, ``[n (n - 1) / 2]`` in the order of ``itertools.combinations``, as scipy has them. The height
of a join is the mean distance between the members of its two sides.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mmbench.stats.estimates import Array


@dataclass(frozen=True)
class Join:
    """Two sides, as bit masks of their members, and the height at which they are joined."""

    one: int
    other: int
    height: float

    @property
    def all(self) -> int:
        return self.one | self.other


def joins(distances: Array) -> tuple[Join, ...]:
    """The joins of ``n`` things from the lowest to the highest. Where two are tied, scipy's order decides."""
    return _joins(np.ascontiguousarray(distances, dtype=np.float64).tobytes())


@functools.lru_cache(maxsize=256)  # several questions are asked of one tree and of those near it
def _joins(data: bytes) -> tuple[Join, ...]:
    from scipy.cluster.hierarchy import linkage

    distances = np.frombuffer(data)
    sets, found = [1 << thing for thing in range(count_of(distances))], []
    for first, second, height, _ in linkage(distances, "average").tolist():
        join = Join(sets[int(first)], sets[int(second)], height)
        sets.append(join.all)
        found.append(join)
    return tuple(found)


@functools.lru_cache(maxsize=32)
def _cophenetic(data: bytes, pairs: int) -> Array:
    """All trees at once, a join at a time: scipy makes one tree a call, and checking its arguments takes longest."""
    rows = np.frombuffer(data).reshape(-1, pairs)
    n, trees = count_of(rows[0]), np.arange(len(rows))
    first, second = np.triu_indices(n, 1)
    apart = np.full((len(rows), n, n), np.inf)
    apart[:, first, second] = apart[:, second, first] = rows
    heights, cluster, size = np.zeros_like(apart), np.tile(np.arange(n), (len(rows), 1)), np.ones((len(rows), n))
    for _ in range(n - 1):
        one, other = np.divmod(apart.reshape(len(rows), -1).argmin(axis=1), n)
        in_one, in_other = cluster == one[:, None], cluster == other[:, None]
        across = in_one[:, :, None] & in_other[:, None, :]
        across |= across.transpose(0, 2, 1)
        heights = np.where(across, apart[trees, one, other][:, None, None], heights)
        weight = size[trees, one] / (size[trees, one] + size[trees, other])
        joined = weight[:, None] * apart[trees, one] + (1 - weight)[:, None] * apart[trees, other]
        apart[trees, one], apart[trees, :, one] = joined, joined
        apart[trees, one, one] = apart[trees, other] = apart[trees, :, other] = np.inf
        size[trees, one] += size[trees, other]
        cluster = np.where(in_other, one[:, None], cluster)
    return heights[:, first, second]


def cophenetic(distances: Array) -> Array:
    """Heights at which every two things are joined, ``[trees, pairs]``, for as many trees of ``[trees, pairs]``.

    Kept for the next call with the same distances: several questions are asked of the same redrawn trees.
    """
    return _cophenetic(np.ascontiguousarray(distances, dtype=np.float64).tobytes(), distances.shape[1])


def count_of(distances: Array) -> int:
    """How many things have so many distances."""
    return int((1 + (1 + 8 * len(distances)) ** 0.5) / 2)


def mask(things: Iterable[int]) -> int:
    return sum(1 << thing for thing in set(things))


def together(tree: Iterable[Join], members: int) -> Join:
    """The first join after which all members (a bit mask, two or more) are in one cluster."""
    return next(join for join in tree if join.all & members == members)


def first_stranger(tree: Iterable[Join], members: int, others: int) -> Join:
    """The first join that brings one of the members and one of the others into one cluster."""
    return next(join for join in tree if join.all & members and join.all & others)


def slope(join: Join, n: int) -> Array:
    """Derivatives of the join's height by the distances while no other join comes first: a mean over its pairs."""
    first, second = np.triu_indices(n, 1)
    one, other = (np.array([side >> thing & 1 for thing in range(n)], dtype=bool) for side in (join.one, join.other))
    across = (one[first] & other[second]) | (other[first] & one[second])
    return across / across.sum()
