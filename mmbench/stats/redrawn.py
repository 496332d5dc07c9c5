"""A margin that may jump or bend where means tie: p-values and bounds by the multiscale bootstrap.

Means are redrawn around those seen, with noise of several scales. The share of redraws on the claim's side says how far
the nearest place lies where the claim begins to be false, however large the jump of the margin there. At one scale that
share is biased where the border is bent: to be no cluster it is enough that one of many strangers comes too near, and
the nearest of many has come near by its noise. How the share changes with the scale tells distance and bend apart
(Shimodaira 2002; for hierarchical clusters Suzuki and Shimodaira 2006)::

    -scale * ndtri(share at scale) = distance + bend * scale**2        p of "the claim is true" = ndtr(bend - distance)

Simulated: where one difference of means decides, 5 % of verdicts are false at the border. Where two do at once, at a
corner of the border, 8 % are (21 % at one scale); it is the worst place of all (``tests/stats/test_redrawn.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmbench.stats.estimates import Array

SCALES = np.sqrt([0.5, 0.7, 1.0, 1.4, 2.0])  # of the noise's standard deviation
ENOUGH = 10  # redraws on the rarer side, for a share to tell how it changes with the scale
FINENESS = 1e-4  # of a bound, relative to the range of the margins


@dataclass(frozen=True, eq=False)
class Redrawn:
    """The margin ``value`` at the means seen, and ``margins`` ``[scales, draws]`` at redrawn means, NaN if undefined.

    ``strict``: a margin of exactly 0 is not on the claim's side.
    """

    value: float
    margins: Array
    strict: bool = False

    @classmethod
    def of(
        cls, value: float, margins_at: Callable[[Array], Array], means: Array, noise: Array, strict: bool = False
    ) -> Redrawn:
        """``margins_at`` maps means ``[draws, n]`` to margins; ``noise`` ``[draws, n]`` is the same at all scales."""
        return cls(value, np.stack([margins_at(means + scale * noise) for scale in SCALES]), strict)

    def p_above(self, limit: float = 0.0) -> float:
        """One-sided p-value of "the margin exceeds ``limit``"."""
        return 1.0 - self.p_below(limit)

    def p_below(self, limit: float = 0.0) -> float:
        """One-sided p-value of "the margin is below ``limit``": how plausible means are where it is not."""
        from scipy.special import ndtr, ndtri

        draws = np.isfinite(self.margins).sum(axis=1)
        inside = (self.margins > limit if self.strict else self.margins >= limit).sum(axis=1)
        share = (inside + 0.5) / (draws + 1)  # never 0 or 1
        known = np.minimum(inside, draws - inside) >= ENOUGH
        if known.sum() < 3:  # far from the border: what the widest noise says, which is nearest to one half
            return float(share[np.argmin(np.abs(share - 0.5))])
        z = -SCALES * ndtri(share)
        density = np.exp(-((z / SCALES) ** 2) / 2)
        weight = np.where(known, density**2 * draws / (share * (1 - share)) / SCALES**2, 0.0)
        columns = np.stack([np.ones_like(SCALES), SCALES**2], axis=1)
        distance, bend = np.linalg.solve(columns.T * weight @ columns, columns.T * weight @ z)
        return float(ndtr(bend - distance))

    def low(self, level: float) -> float:
        """Lower one-sided bound of the margin: above 0 where ``p_above`` is less than ``level``."""
        return self._bound(lambda limit: self.p_above(limit) <= level, up=False)

    def high(self, level: float) -> float:
        """Upper one-sided bound of the margin."""
        return self._bound(lambda limit: self.p_below(limit) <= level, up=True)

    def _bound(self, beyond: Callable[[float], bool], *, up: bool) -> float:
        """The limit nearest to the value, on that side, from which on ``beyond`` is true."""
        ends = float(np.nanmin(self.margins)), float(np.nanmax(self.margins))
        inner, outer = self.value, ends[1] if up else ends[0]
        width = max(ends[1] - ends[0], 1e-12)
        while abs(outer - inner) > FINENESS * width:
            middle = (inner + outer) / 2
            inner, outer = (inner, middle) if beyond(middle) else (middle, outer)
        return outer
