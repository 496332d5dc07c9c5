"""Estimates of contrasts: p-values and bounds, one at a time or many at once.

An estimate is tested by Student's t. Where it is a single statistic between two bounds (a correlation between -1 and 1,
an NMI between 0 and 1), t is taken after Fisher's transformation of that range, ``arctanh`` of the value rescaled to
-1 to 1, with the standard error that follows to first order. Bounds then stay inside the range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
LEVEL = 0.05
EDGE = 1e-9  # nearest that a transformed value comes to the end of its range


@dataclass(frozen=True)
class Estimate:
    """A contrast with its standard error; ``p_above`` is the one-sided p-value of ``value > 0``.

    ``trials``, ``examples``, ``shared`` are the variance components of the mean: from trial means, from example means,
    and what both contain (subtracted). ``se`` is infinite when nothing about the spread can be estimated. ``least`` and
    ``most`` are the ends of the range of a single bounded statistic, infinite for anything else. ``levels`` is what
    further random levels add to the variance (networks of a recipe).
    """

    value: float
    se: float
    df: float
    trials: float = 0.0
    examples: float = 0.0
    shared: float = 0.0
    df_trials: float = math.inf
    df_examples: float = math.inf
    least: float = -math.inf
    most: float = math.inf
    levels: float = 0.0
    df_levels: float = math.inf

    def p_above(self) -> float:
        """P of an estimate this large or larger if the truth were 0."""
        return float(_p_above(self.value, self.se, self.df, self.least, self.most))

    def p_below(self) -> float:
        """P of an estimate this small or smaller if the truth were 0."""
        return float(_p_above(-self.value, self.se, self.df, -self.most, -self.least))

    def bound(self, level: float) -> float:
        """The one-sided confidence bound: lower for ``level`` < 0.5 (0.05: 95 % of bounds lie below the truth)."""
        if self.se == 0.0:
            return self.value
        if not math.isfinite(self.se) or level <= 0 or level >= 1:
            return math.copysign(math.inf, level - 0.5)
        t = float(student_quantile(self.df, level))
        if not math.isfinite(self.most - self.least):
            return self.value + self.se * t
        z, scale = (float(x) for x in _transformed(self.value, self.least, self.most))
        middle, half = (self.least + self.most) / 2, (self.most - self.least) / 2
        return middle + half * math.tanh(z + self.se / scale * t)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The two-sided interval of that confidence."""
        tail = (1 - confidence) / 2
        return self.bound(tail), self.bound(1 - tail)


@dataclass(frozen=True)
class Contrasts:
    """Estimates of many contrasts at once; every field is ``[contrasts]``."""

    value: Array
    se: Array
    df: Array
    trials: Array
    examples: Array
    shared: Array
    df_trials: Array
    df_examples: Array
    least: Array
    most: Array
    levels: Array
    df_levels: Array

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: int) -> Estimate:
        return Estimate(*(float(getattr(self, name)[index]) for name in Estimate.__dataclass_fields__))

    def p_above(self) -> Array:
        """One-sided p-values of ``value > 0``; 1 where the spread is unknown."""
        return _p_above(self.value, self.se, self.df, self.least, self.most)

    def p_below(self) -> Array:
        """One-sided p-values of ``value < 0``; 1 where the spread is unknown."""
        return _p_above(-self.value, self.se, self.df, -self.most, -self.least)


def _p_above(value: ArrayLike, se: ArrayLike, df: ArrayLike, least: ArrayLike, most: ArrayLike) -> Array:
    """Upper tail of Student's t for "above 0"; an exact number (``se`` 0) is decided by its sign."""
    value, se, df, least, most = (np.asarray(x, dtype=np.float64) for x in (value, se, df, least, most))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(se > 0, value / se, np.where(value > 0, np.inf, -np.inf))
        bounded = np.isfinite(most - least) & (se > 0)
        if bounded.any():
            z, scale = _transformed(value, least, most)
            null = np.arctanh(np.clip(-(least + most) / (most - least), -1.0, 1.0))
            t = np.where(bounded, (z - null) * scale / se, t)
    p = _special().stdtr(np.minimum(df, 1e9), -t)
    return np.where(np.isinf(se), 1.0, p)


def _transformed(value: ArrayLike, least: ArrayLike, most: ArrayLike) -> tuple[Array, Array]:
    """Fisher's transformation of values between ``least`` and ``most``, and what divides their standard errors."""
    value, least, most = (np.asarray(x, dtype=np.float64) for x in (value, least, most))
    half = (most - least) / 2
    inside = np.clip((value - least) / half - 1, -1 + EDGE, 1 - EDGE)
    return np.arctanh(inside), half * (1 - inside**2)


def student_quantile(df: ArrayLike, level: ArrayLike) -> Array:
    """The quantile of Student's t, ``level`` of it below."""
    return _special().stdtrit(np.minimum(df, 1e9), level)


def _special():  # type: ignore[no-untyped-def]
    from scipy import special

    return special
