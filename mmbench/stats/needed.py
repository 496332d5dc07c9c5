"""How many more trials or examples would settle a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mmbench.stats import tails
from mmbench.stats.estimates import LEVEL, Estimate, mirrored, student_quantile

MOST_NEEDED = 1_000_000
Part = tuple[float, float]  # a variance and its degrees of freedom


@dataclass(frozen=True)
class Needed:
    """Factors by which something must grow to settle a margin as observed; None when even a million times do not.

    ``units`` are those of further levels: networks of each recipe.
    """

    trials: float | None
    examples: float | None
    units: float | None = None


def needed(estimate: Estimate, level: float = LEVEL, most: float = MOST_NEEDED) -> Needed:
    """How many times more trials, or examples, would settle ``estimate`` at one-sided ``level`` if it stayed as it is.

    Trials divide the trial component, but not its part that belongs to the training pool; examples divide the example
    component; units divide what further levels add. What one cannot shrink (the examples' own share and the pool's
    under more trials, the trials' under more examples) stays and may make settling impossible.
    """
    e = estimate if estimate.value > 0 else mirrored(estimate)
    if e.value == 0 or not math.isfinite(e.se):
        return Needed(None, None)
    pure_examples, pure_trials = max(e.examples - e.shared, 0.0), max(e.trials - e.shared, 0.0)

    def settled(scaled: Part, fixed: Sequence[Part], stays: float, factor: float, more: float) -> bool:
        parts = ((scaled[0] * ((1 - stays) / factor + stays), scaled[1] * factor), *fixed)
        total = sum(v for v, _ in parts)
        over = sum(v * v / df for v, df in parts if v > 0)
        df = total * total / over if over > 0 else math.inf
        if math.isfinite(e.most - e.least):
            return e.value >= -float(student_quantile(df, level)) * math.sqrt(total)
        # n times the examples: the third cumulant falls with n^2, one example counts for 1/n of what it did
        return float(tails.p_value(e.value, total, e.third / more**2, e.down / more, df)) <= level

    def search(scaled: Part, *fixed: Part, stays: float = 0.0, examples: bool = False) -> float | None:
        def enough(factor: float) -> bool:
            return settled(scaled, fixed, stays, factor, factor if examples else 1.0)

        if (scaled[0] <= 0 and not (examples and e.down > 0)) or not enough(most):
            return None
        low, high = 1.0, most
        while high / low > 1.005:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high

    units = (e.levels, e.df_levels)
    return Needed(
        search(
            (e.trials, e.df_trials),
            (pure_examples, e.df_examples),
            units,
            stays=e.pool / e.trials if e.trials > 0 else 0.0,
        ),
        search((e.examples, e.df_examples), (pure_trials, e.df_trials), units, examples=True),
        search(units, (e.trials, e.df_trials), (pure_examples, e.df_examples)),
    )
