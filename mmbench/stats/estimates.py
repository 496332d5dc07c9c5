"""Estimates of contrasts: p-values and bounds, one at a time or many at once.

An estimate is tested by Student's t, corrected for skewness and for what was not seen (``stats.tails``). Where it is a
single statistic between two bounds (a correlation between -1 and 1, an NMI between 0 and 1), t is taken after Fisher's
transformation of that range instead, ``arctanh`` of the value rescaled to -1 to 1, with the standard error that follows
to first order: one correction, not two. Bounds then stay inside the range. Other bounds are cut where no mean can lie;
that never changes the sign of a bound, and so no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbench.stats import tails

Array = NDArray[np.float64]
Both = TypeVar("Both", "Estimate", "Contrasts")
LEVEL = 0.05
EDGE = 1e-9  # nearest that a transformed value comes to the end of its range


@dataclass(frozen=True)
class Estimate:
    """A contrast with its standard error; ``p_above`` is the one-sided p-value of ``value > 0``.

    ``trials``, ``examples``, ``shared`` are the variance components of the mean: from trial means, from example means,
    and what both contain (subtracted). ``pool`` is the part of ``trials`` that no further draws from the same training
    pool can shrink. ``se`` is infinite when nothing about the spread can be estimated. ``least`` and
    ``most`` are the ends of the range of a single bounded statistic, infinite for anything else. ``third`` is the third
    cumulant of the estimate; ``down`` and ``up`` are how far one unseen example would move it (``stats.tails``).
    ``lowest`` and ``highest`` are the ends of what the contrast can be. ``levels`` is what further random
    levels add to the variance (networks of a recipe).
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
    third: float = 0.0
    down: float = 0.0
    up: float = 0.0
    lowest: float = -math.inf
    highest: float = math.inf
    pool: float = 0.0
    levels: float = 0.0
    df_levels: float = math.inf

    @property
    def exact(self) -> bool:
        """Whether nothing about it is uncertain: no spread was seen, and none can be unseen."""
        return self.se == 0.0 and self.down == 0.0 and self.up == 0.0

    @property
    def z(self) -> float:
        """The value in standard errors, with one unseen example towards 0; infinite for an exact number."""
        size = math.hypot(self.se, self.down if self.value > 0 else self.up)
        return self.value / size if size > 0 else math.copysign(math.inf, self.value)

    def p_above(self) -> float:
        """P of an estimate this large or larger if the truth were 0."""
        return float(_p_above(self))

    def p_below(self) -> float:
        """P of an estimate this small or smaller if the truth were 0."""
        return float(_p_above(mirrored(self)))

    def bound(self, level: float) -> float:
        """The one-sided confidence bound: lower for ``level`` < 0.5 (0.05: 95 % of bounds lie below the truth)."""
        return float(_bound(self, level))

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
    third: Array
    down: Array
    up: Array
    lowest: Array
    highest: Array
    pool: Array
    levels: Array
    df_levels: Array

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: int) -> Estimate:
        return Estimate(*(float(getattr(self, name)[index]) for name in Estimate.__dataclass_fields__))

    def __iter__(self) -> Iterator[Estimate]:
        columns = (getattr(self, name).tolist() for name in Estimate.__dataclass_fields__)
        return map(Estimate, *columns)

    def p_above(self) -> Array:
        """One-sided p-values of ``value > 0``; 1 where the spread is unknown."""
        return _p_above(self)

    def p_below(self) -> Array:
        """One-sided p-values of ``value < 0``; 1 where the spread is unknown."""
        return _p_above(mirrored(self))

    def bound(self, level: float) -> Array:
        """One-sided confidence bounds, as of an ``Estimate``."""
        return _bound(self, level)


def mirrored(of: Both) -> Both:
    """The estimate of the negated contrast."""
    return replace(
        of,
        value=-of.value,
        third=-of.third,
        least=-of.most,
        most=-of.least,
        down=of.up,
        up=of.down,
        lowest=-of.highest,
        highest=-of.lowest,
    )


def _p_above(of: Estimate | Contrasts) -> Array:
    """P-values of "above 0": on Fisher's scale where there is a range, else by ``tails.p_value``."""
    value, se, least, most = (np.asarray(x, dtype=np.float64) for x in (of.value, of.se, of.least, of.most))
    p = tails.p_value(value, se**2, of.third, of.down, of.df)
    bounded = np.isfinite(most - least) & (se > 0) & np.isfinite(se)
    if not bounded.any():
        return p
    least, most, scaled = np.where(bounded, least, -1.0), np.where(bounded, most, 1.0), np.where(bounded, se, 1.0)
    z, scale = _transformed(np.where(bounded, value, 0.0), least, most)
    with np.errstate(divide="ignore"):  # a range that ends at 0 or before it: decided
        null = np.arctanh(np.clip(-(least + most) / (most - least), -1.0, 1.0))
    fisher = _special().stdtr(np.minimum(of.df, tails.MOST_DF), -(z - null) * scale / scaled)
    return np.where(bounded, fisher, p)


def _bound(of: Both, level: float) -> Array:
    """Lower one-sided bounds for ``level`` up to 0.5, else upper ones: where ``_p_above`` is ``level``."""
    if level > 0.5:
        return -_bound(mirrored(of), 1 - level)
    value, se, least, most = (np.asarray(x, dtype=np.float64) for x in (of.value, of.se, of.least, of.most))
    exact = (se == 0) & (np.asarray(of.down) == 0) & (np.asarray(of.up) == 0)
    known = np.isfinite(se) & (level > 0)
    se = np.where(known, se, 1.0)
    low = value - tails.distance(level, se**2, of.third, of.down, of.df)
    low = np.maximum(low, np.minimum(np.minimum(of.lowest, value), 0.0))
    bounded = np.isfinite(most - least) & (se > 0)
    if bounded.any():
        least, most = np.where(bounded, least, -1.0), np.where(bounded, most, 1.0)
        z, scale = _transformed(np.where(bounded, value, 0.0), least, most)
        moved = np.tanh(z + se / scale * student_quantile(of.df, level))
        low = np.where(bounded, (least + most) / 2 + (most - least) / 2 * moved, low)
    return np.where(exact, value, np.where(known, low, -np.inf))


def _transformed(value: ArrayLike, least: ArrayLike, most: ArrayLike) -> tuple[Array, Array]:
    """Fisher's transformation of values between ``least`` and ``most``, and what divides their standard errors."""
    value, least, most = (np.asarray(x, dtype=np.float64) for x in (value, least, most))
    half = (most - least) / 2
    inside = np.clip((value - least) / half - 1, -1 + EDGE, 1 - EDGE)
    return np.arctanh(inside), half * (1 - inside**2)


def student_quantile(df: ArrayLike, level: ArrayLike) -> Array:
    """The quantile of Student's t, ``level`` of it below."""
    return _special().stdtrit(np.minimum(df, tails.MOST_DF), level)


def _special():  # type: ignore[no-untyped-def]
    from scipy import special

    return special
