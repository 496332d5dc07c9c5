"""Statistics that are no means of single examples, as one pseudo-value per example (the jackknife).

An NMI, a correlation or a ratio of sums gives one number for all examples together. Its jackknife pseudo-values
(Tukey 1958; Efron and Stein 1981) say how much each example contributes, so that two models can be compared in pairs
and intervals come from the same variance components as for any other score::

    pseudo_i = value + (n - 1) * (mean of all leave-one-out values - value without example i)

They are centred: their mean is the statistic itself, not the bias-corrected statistic of the textbook
(``n * value - (n - 1) * mean``). The number shown is then the number that a reference library gives, and the variance
is the same. ``reports/calibration.md`` shows what the intervals cover.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores

Outcomes = NDArray[np.float32]
Array = NDArray[np.float64]
Statistic = Callable[[NDArray, NDArray], Array]


@dataclass(frozen=True)
class Jackknifed:
    """Predictions and labels to pseudo-values, float32 ``[trials, n]``, whose mean over a trial is the statistic.

    ``statistic`` gives float64 ``[trials]``; ``leave_one_out`` the statistic without each example, ``[trials, n]``.
    ``spread(predictions, pseudo-values)`` gives ``[trials]`` factors for the pseudo-values' distance from their mean,
    where the jackknife's variance is known to be too large or too small; 1 when not given.
    """

    statistic: Statistic
    leave_one_out: Statistic
    spread: Callable[[NDArray, Array], Array] | None = None

    def __call__(self, predictions: NDArray, labels: NDArray) -> Outcomes:
        """Raises BadScores for fewer than 2 examples and where a value is not finite."""
        value = np.asarray(self.statistic(predictions, labels), dtype=np.float64)
        self._require_finite(value, "on all examples")
        without = np.asarray(self.leave_one_out(predictions, labels), dtype=np.float64)
        if without.shape[1] < 2:
            raise BadScores(f"{self._name} needs at least 2 examples to be jackknifed, found {without.shape[1]}")
        self._require_finite(without, "when one example is left out")
        pseudo = pseudo_values(value, without)
        if self.spread:
            factor = self.spread(predictions, pseudo)
            pseudo = value[:, None] + factor[:, None] * (pseudo - value[:, None])
        return pseudo.astype(np.float32)

    def _require_finite(self, values: Array, when: str) -> None:
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise BadScores(
                f"{self._name} is not finite {when} ({bad} of {values.size} values); it needs more examples, or "
                "predictions that vary"
            )

    @property
    def _name(self) -> str:
        return getattr(self.statistic, "__name__", "the statistic")


def jackknifed(
    statistic: Statistic,
    leave_one_out: Statistic | None = None,
    spread: Callable[[NDArray, Array], Array] | None = None,
) -> Jackknifed:
    """The outcome function of a metric whose value is ``statistic(predictions, labels)``, float64 ``[trials]``.

    ``leave_one_out(predictions, labels)`` gives the statistic without each example, ``[trials, n]``. Without it the
    statistic is computed n times with a row of ``predictions`` (axis 1) and ``labels`` (axis 0) removed: right for any
    statistic over rows, and slow for many rows. See ``Jackknifed`` for ``spread``.
    """
    return Jackknifed(statistic, leave_one_out or _one_by_one(statistic), spread)


def pseudo_values(value: Array, without: Array) -> Array:
    """Centred pseudo-values ``[trials, n]`` from the statistic ``[trials]`` and its values without each example."""
    n = without.shape[1]
    return value[:, None] + (n - 1) * (without.mean(axis=1, keepdims=True) - without)


def of_sums(parts: Callable[[NDArray, NDArray], NDArray], combine: Callable[[Array], Array]) -> Jackknifed:
    """A statistic that is a function of sums over examples, as BLEU, micro-averaged F1 or a ratio of means are.

    ``parts(predictions, labels)`` gives the terms of each example, ``[trials, n, sums]``; ``combine`` maps sums
    ``[..., sums]`` to values ``[...]``. All leave-one-out values take one pass.
    """

    def statistic(predictions: NDArray, labels: NDArray) -> Array:
        return combine(np.asarray(parts(predictions, labels), dtype=np.float64).sum(axis=1))

    def leave_one_out(predictions: NDArray, labels: NDArray) -> Array:
        terms = np.asarray(parts(predictions, labels), dtype=np.float64)
        return combine(terms.sum(axis=1, keepdims=True) - terms)

    statistic.__name__ = getattr(parts, "__name__", "statistic")
    statistic.__module__ = parts.__module__  # whose code decides the value
    return Jackknifed(statistic, leave_one_out)


def ratio_of_sums(parts: Callable[[NDArray, NDArray], NDArray]) -> Jackknifed:
    """The sum of ``parts[..., 0]`` over the sum of ``parts[..., 1]``; ``parts`` gives ``[trials, n, 2]``."""

    def ratio(sums: Array) -> Array:
        top, bottom = sums[..., 0], sums[..., 1]
        return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)

    return of_sums(parts, ratio)


def _one_by_one(statistic: Statistic) -> Statistic:
    def leave_one_out(predictions: NDArray, labels: NDArray) -> Array:
        return np.stack(
            [
                statistic(np.delete(predictions, row, axis=1), np.delete(labels, row, axis=0))
                for row in range(predictions.shape[1])
            ],
            axis=1,
        )

    return leave_one_out
