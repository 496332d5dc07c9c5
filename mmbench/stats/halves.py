"""Cells whose probe is fitted on its test examples: what random halves of these examples say about their means.

Clusters are found in the test examples, and their names with them. Another draw of examples gives other clusters, so
outcomes are not independent given the fit, and the spread over examples says too little. Such a cell is measured again
on random halves. A mean over half of n examples, drawn without replacement, varies around that over all of them by
``(1 - 1/2) / (n/2) = 1/n`` of the variance of an example: the standard deviation over halves is the standard error at
n (the delete-half jackknife; Shao and Wu 1989, whose d/r is 1 here).

A contrast of such cells has the larger of two variances: the covariance over halves, which are the same for all cells
on these examples, with one less degree of freedom than there are halves; and that of the usual components. The two are
not added: halves were fitted each with a seed of its own, so they hold what trials vary, and a little more (the seeds
of one trial, not their mean over trials). In a contrast of such cells and others, what the halves say beyond the usual
components is added for the former; what both kinds share is estimated from their outcomes, since the others have no
halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.stats.estimates import Array


@dataclass(frozen=True)
class Halves:
    """Covariance of cell means over halves. ``whole``: groups of examples, where there are any, were kept together."""

    cells: NDArray[np.intp]
    covariance: Array
    df: float
    whole: bool = True

    def variance(self, rows: Array) -> Array:
        """The variance of each contrast's part that is made of these cells; ``rows`` is ``[contrasts, cells]``."""
        own = rows[:, self.cells]
        return np.clip(np.einsum("ij,ij->i", own @ self.covariance, own), 0.0, None)

    def part(self, rows: Array) -> Array:
        """The contrasts with weights on these cells only."""
        out = np.zeros_like(rows)
        out[:, self.cells] = rows[:, self.cells]
        return out


def over_halves(
    halves: Sequence[NDArray | None], scales: Array, cells: NDArray[np.intp], whole: bool
) -> tuple[Halves, ...]:
    """Covariances over halves ``[halves]`` of those cells that have them; cells with as many halves have the same ones.

    ``scales`` turn outcomes into printed units.
    """
    by_number: dict[int, list[int]] = {}
    for position, values in enumerate(halves):
        if values is not None:
            by_number.setdefault(len(values), []).append(position)
    made = []
    for number, members in by_number.items():
        means = np.stack([scales[i] * np.asarray(halves[i], dtype=np.float64) for i in members])
        means -= means.mean(axis=1, keepdims=True)
        made.append(Halves(cells[members], means @ means.T / (number - 1), number - 1.0, whole))
    return tuple(made)
