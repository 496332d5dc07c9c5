"""A margin that may jump or bend where means tie: p-values and bounds by the multiscale bootstrap.

Means are redrawn around those seen, with noise of several scales. The share of redraws on one side of a border says how
far the border lies, however large the jump of the margin there. At one scale that share is biased where the border is
bent; how it changes with the scale tells distance and bend apart (Shimodaira 2002; for hierarchical clusters Suzuki and
Shimodaira 2006)::

    -scale * ndtri(share at scale) = distance + bend * scale**2        p of "it is true" = ndtr(bend - distance)

A border of many parts is more than bent: to be no cluster it is enough that one stranger comes too near to one member,
and the nearest of many has come near by its noise. So the margin is given in parts, of which it is the smallest (or the
largest). The side on which one part is enough pays for their number (Bonferroni); the other side needs them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmbench.stats.estimates import Array

FIRST = 250  # redraws of the first look at a share; each next one takes as many as all before it
SCALES = np.sqrt([0.5, 0.7, 1.0, 1.4, 2.0])  # of the noise's standard deviation
ENOUGH = 10  # redraws on the rarer side, for a share to tell how it changes with the scale
FINENESS = 1e-3  # of a bound, relative to the range of the margins


def share(hits: Callable[[slice], NDArray[np.bool_]], draws: int, enough: float = 1.0) -> float:
    """The share of ``draws`` redraws that are hits, one more counted among both: a p-value.

    ``hits`` says which of a slice of them are. Counting ends when the share is above ``enough``, and what was counted
    until then is given.
    """
    count, done = 0, 0
    while done < draws and (count + 1) / (draws + 1) <= enough:
        end = draws if enough >= 1 else min(max(2 * done, FIRST), draws)
        count += int(np.count_nonzero(hits(slice(done, end))))
        done = end
    return (count + 1) / (draws + 1)


@dataclass(frozen=True, eq=False)
class Redrawn:
    """The margin ``value`` at the means seen, and its parts' ``margins`` ``[scales, draws, parts]`` at redrawn means.

    The margin is the smallest of its parts, with ``largest`` the largest. ``strict``: a margin of exactly 0 is not on
    the claim's side.
    """

    value: float
    margins: Array
    largest: bool = False
    strict: bool = False

    @classmethod
    def of(
        cls,
        value: float,
        margins_at: Callable[[Array], Array],
        means: Array,
        noise: Array,
        *,
        largest: bool = False,
        strict: bool = False,
    ) -> Redrawn:
        """``margins_at`` maps means ``[draws, n]`` to ``[draws, parts]``; ``noise`` ``[draws, n]`` is scaled."""
        return cls(value, np.stack([margins_at(means + scale * noise) for scale in SCALES]), largest, strict)

    def p_above(self, limit: float = 0.0) -> float:
        """One-sided p-value of "the margin exceeds ``limit``"."""
        p = 1.0 - self._true(limit)
        return min(1.0, len(p) * float(p.min())) if self.largest else float(p.max())

    def p_below(self, limit: float = 0.0) -> float:
        """One-sided p-value of "the margin is below ``limit``"."""
        p = self._true(limit)
        return float(p.max()) if self.largest else min(1.0, len(p) * float(p.min()))

    def low(self, level: float) -> float:
        """Lower one-sided bound of the margin: above 0 where ``p_above`` is less than ``level``."""
        return self._bound(lambda limit: self.p_above(limit) <= level, up=False)

    def high(self, level: float) -> float:
        """Upper one-sided bound of the margin."""
        return self._bound(lambda limit: self.p_below(limit) <= level, up=True)

    @cached_property
    def _by_part(self) -> Array:
        """The margins, ``[scales, parts, draws]``: numpy counts fastest along the last axis."""
        return np.ascontiguousarray(np.moveaxis(self.margins, 1, 2))

    def _true(self, limit: float) -> Array:
        """How plausible means are at which each part reaches ``limit``, ``[parts]``."""
        from scipy.special import ndtr, ndtri

        draws = self.margins.shape[1]
        there = self._by_part > limit if self.strict else self._by_part >= limit
        inside = there.sum(axis=-1, dtype=np.int32)  # [scales, parts]
        share = (inside + 0.5) / (draws + 1)  # never 0 or 1
        z = -SCALES[:, None] * ndtri(share)
        known = np.minimum(inside, draws - inside) >= ENOUGH
        density = np.exp(-((z / SCALES[:, None]) ** 2) / 2)
        weight = np.where(known, density**2 / (share * (1 - share)) / SCALES[:, None] ** 2, 0.0)
        x = SCALES[:, None] ** 2
        total = weight.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mx, mz = (weight * x).sum(axis=0) / total, (weight * z).sum(axis=0) / total
            bend = (weight * (x - mx) * (z - mz)).sum(axis=0) / (weight * (x - mx) ** 2).sum(axis=0)
            fitted = ndtr(bend - (mz - bend * mx))
        # far from the border the shares do not tell how it bends: as if it were flat, by the widest noise
        flat = ndtr(-z[-1])
        return np.asarray(np.where(known.sum(axis=0) >= 3, fitted, flat))

    def _bound(self, beyond: Callable[[float], bool], *, up: bool) -> float:
        """The limit nearest to the value, on that side, from which on ``beyond`` is true."""
        ends = float(self.margins.min()), float(self.margins.max())
        width = max(ends[1] - ends[0], 1e-12)
        inner, outer = self.value, ends[1] + width if up else ends[0] - width
        while abs(outer - inner) > FINENESS * width:
            middle = (inner + outer) / 2
            inner, outer = (inner, middle) if beyond(middle) else (middle, outer)
        return outer
