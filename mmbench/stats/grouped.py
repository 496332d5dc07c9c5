"""Means over examples that share what they were made from: views of one drawing, images of one person, pairs of two.

Example means of one group stand or fall together, so the variance of their mean comes from sums over groups::

    V = sum over groups of S_g^2 / (1 - n_g/n) / n^2,    S_g = the sum of its n_g centred example means

(Liang and Zeger 1986; the factor is Bell and McCaffrey's CR2 (2002) for a mean: for groups of one size, G/(G-1), and
n/(n-1) where every example is by itself). An example that joins several things is correlated with all that share one
with it. Then the variance is the sum over every two examples that share something (Aronow, Samii and Assenova 2015,
equation 5; Cameron and Miller 2014)::

    V = sum over pairs (i, j) that share one or more of u_i u_j / n^2

computed by inclusion and exclusion: sums over the examples of each thing, minus those of each two things, plus those of
each three, and so on, with the same factor each. Such a sum may be negative; ``stats.joint`` never goes below the
variance of independent examples.

Degrees of freedom: the effective number of groups less one, ``(sum of n_g^2)^2 / sum of n_g^4`` (Carter, Schnepel and
Steigerwald 2017, for groups whose members are the same), which is G - 1 for groups of one size.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.stats.estimates import Array


@dataclass(frozen=True)
class Grouping:
    """Sums over the examples of each thing, of each two, of each three: ``units`` in this order, ``groups`` things.

    ``order`` holds the examples of one unit after those of another, ``starts`` where each begins; ``factors`` are signs
    and finite-sample factors ``[units]``. ``df`` are the degrees of freedom of the variance. ``whole``: an example was
    made from one thing at most, so that things can be drawn with all of their examples.
    """

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    factors: Array
    groups: int
    examples: int
    df: float
    whole: bool

    def sums(self, rows: Array) -> Array:
        """Sums over units, ``[..., n]`` to ``[..., units]``."""
        return np.add.reduceat(rows[..., self.order], self.starts, axis=-1)

    def covariance(self, centred: Array) -> Array:
        """Covariance ``[cells, cells]`` of the means of ``centred`` example means ``[cells, n]``."""
        return self.products(centred) / self.examples**2

    def products(self, rows: Array) -> Array:
        """Sums of products over pairs of examples that share something, ``[cells, ..., n]`` to ``[cells, cells]``."""
        sums = self.sums(rows)
        size = len(sums)
        return np.asarray((sums * self.factors).reshape(size, -1) @ sums.reshape(size, -1).T)

    def group_sums(self, rows: Array) -> Array:
        """Sums over the examples of each group, ``[cells, n]`` to ``[cells, groups]``: units that are independent.

        An example of two things is in both sums. Their third moments say how skewed the mean is.
        """
        return self.sums(rows)[..., : self.groups]


def grouping(groups: NDArray[np.int64]) -> Grouping:
    """Which examples to sum together, from ``groups`` int ``[n]`` or ``[n, k]``; -1 is no (further) thing."""
    things = np.sort(groups.reshape(len(groups), -1), axis=1)
    things[:, 1:][things[:, 1:] == things[:, :-1]] = -1
    alone = (things < 0).all(axis=1)
    things[alone, 0] = things.max(initial=-1) + 1 + np.arange(alone.sum())
    things = np.sort(things, axis=1)
    order, starts, sizes, signs = [], [], [], []
    place, singles = 0, 0
    for size, rows, unit in _units(things):
        by_unit = np.argsort(unit, kind="stable")
        counts = np.bincount(unit)
        order.append(rows[by_unit])
        starts.append(place + np.concatenate([[0], np.cumsum(counts)[:-1]]))
        sizes.append(counts)
        signs.append(np.full(len(counts), 1.0 if size % 2 else -1.0))
        place += len(rows)
        singles = singles or len(counts)
    n = len(groups)
    share = np.concatenate(sizes) / n
    factors = np.concatenate(signs) / np.where(share < 1, 1 - share, 1.0)
    squares = sizes[0].astype(np.float64) ** 2
    df = max(float(squares.sum() ** 2 / (squares**2).sum()) - 1, 1.0)
    return Grouping(np.concatenate(order), np.concatenate(starts), factors, singles, n, df, things.shape[1] == 1)


def _units(things: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.intp]]]:
    """By size: the examples that hold as many things, once for each choice of them, and the number of the choice."""
    for size in range(1, things.shape[1] + 1):
        chosen = [things[:, list(columns)] for columns in itertools.combinations(range(things.shape[1]), size)]
        keys = np.concatenate(chosen)
        rows = np.tile(np.arange(len(things)), len(chosen))
        there = (keys >= 0).all(axis=1)
        if there.any():
            yield size, rows[there], np.unique(keys[there], axis=0, return_inverse=True)[1].ravel()
