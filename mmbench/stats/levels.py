"""A further random level of cell means: units beyond trials and examples, such as networks trained from several seeds.

A cell is measured on one unit (this network); a sentence about the recipe is about all units that it could have given.
How cells vary between units is estimated elsewhere, from replicates that were measured on the same cells: ``total``,
the covariance between units. A replicate's mean holds the noise of trials and examples as well, so ``total`` does;
``sampling`` is that part of it, which the crossed components of a joint hold already. To the variance of a contrast
with weights w the level adds::

    max(w' (total - sampling) w, 0)      w by unit: entries of cells of different units are 0 in both matrices

It is clipped contrast by contrast, not as a matrix: a matrix estimated from 6 replicates has 6 directions, and taking
the positive part of its difference to a full matrix would hardly subtract anything.

Degrees of freedom: what is subtracted is known well, so the error of the excess is that of w' total w, with ``df`` of
the replicates. That is used even where the clipped excess is small, since a small excess may be chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mmbench.stats.blocks import symmetric_root
from mmbench.stats.estimates import Array


@dataclass(frozen=True, eq=False)
class Level:
    """What varies between units: covariances ``[cells, cells]`` in squared printed units, 0 between different units.

    ``total`` holds sampling, ``sampling`` is that part; ``df`` are the degrees of freedom of ``total``.
    """

    total: Array = field(repr=False)
    sampling: Array = field(repr=False)
    df: float

    def excess(self, rows: Array) -> Array:
        """The variance that the level adds to each contrast; ``rows`` is ``[contrasts, cells]``."""
        return np.clip(_quadratic(rows, self.total) - _quadratic(rows, self.sampling), 0.0, None)

    def over_df(self, rows: Array) -> Array:
        """The squared variance of each contrast over its degrees of freedom, for Satterthwaite's sum."""
        return _quadratic(rows, self.total) ** 2 / self.df

    @cached_property
    def covariance(self) -> Array:
        """``total - sampling`` with negative eigenvalues set to 0: at least what ``excess`` adds to any contrast."""
        root = self._root
        return root @ root

    @cached_property
    def _root(self) -> Array:
        return symmetric_root(self.total - self.sampling)

    def noise(self, count: int, rng: np.random.Generator) -> Array:
        """``[count, cells]`` errors redrawn with this covariance and the tails of Student's t."""
        noise = rng.standard_normal((count, len(self.total))) @ self._root
        if math.isfinite(self.df):
            noise *= np.sqrt(self.df / rng.chisquare(self.df, (count, 1)))
        return noise


def parts(levels: Iterable[Level], rows: Array) -> tuple[Array, Array]:
    """What all levels add to the variance of each contrast, and their terms of Satterthwaite's sum."""
    added, over = np.zeros((2, len(rows)))
    for level in levels:
        added += level.excess(rows)
        over += level.over_df(rows)
    return added, over


def pooled(deviations: Array, df: float) -> Array:
    """Covariance between replicates, ``[cells, cells]``, from deviations ``[replicates, cells]`` from their means."""
    return np.asarray(deviations).T @ np.asarray(deviations) / df


def _quadratic(rows: Array, cov: Array) -> Array:
    return np.einsum("ij,ij->i", rows @ cov, rows)
