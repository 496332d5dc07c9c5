"""A margin that may jump where means tie: p-values and bounds from its values at redrawn means.

The share of redraws on the other side is the p-value. Where the margin is monotone in one difference of means, and
jumps from one side to the other where they tie, that is the p-value of the difference itself, however large the jump.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmbench.stats.estimates import Array


@dataclass(frozen=True, eq=False)
class Redrawn:
    """The margin ``value`` at the means seen and ``margins`` ``[draws]`` at means to which noise was added.

    ``strict``: a margin of exactly 0 is not on the claim's side.
    """

    value: float
    margins: Array
    strict: bool = False

    def p_above(self) -> float:
        """The share of redraws whose margin is not on the claim's side; never 0 (Davison and Hinkley 1997, 4.2)."""
        against = self.margins <= 0 if self.strict else self.margins < 0
        return float((1 + against.sum()) / (1 + len(self.margins)))

    def p_below(self) -> float:
        """The share of redraws whose margin is on the claim's side."""
        against = self.margins > 0 if self.strict else self.margins >= 0
        return float((1 + against.sum()) / (1 + len(self.margins)))

    def low(self, level: float) -> float:
        """Lower one-sided bound: so large a share of redraws lies below it."""
        return float(min(self.value, np.quantile(self.margins, level)))

    def high(self, level: float) -> float:
        """Upper one-sided bound."""
        return float(max(self.value, np.quantile(self.margins, 1 - level)))
