"""How many more trials or examples would settle a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmbench.stats.estimates import LEVEL, Estimate, student_quantile

MOST_NEEDED = 1_000_000


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

    Trials divide the trial component; examples divide the example component; units divide what further levels add. What
    one cannot shrink (the examples' own share under more trials, the trials' under more examples) stays and may make
    settling impossible.
    """
    e = estimate
    if e.value == 0 or not math.isfinite(e.se):
        return Needed(None, None)
    pure_examples, pure_trials = max(e.examples - e.shared, 0.0), max(e.trials - e.shared, 0.0)

    Part = tuple[float, float]  # a variance and its degrees of freedom

    def settled(scaled: Part, fixed: tuple[Part, ...], factor: float) -> bool:
        parts = ((scaled[0] / factor, scaled[1] * factor), *fixed)
        total = sum(v for v, _ in parts)
        over = sum(v * v / df for v, df in parts if v > 0)
        df = total * total / over if over > 0 else math.inf
        return abs(e.value) >= -float(student_quantile(df, level)) * math.sqrt(total)

    def search(scaled: Part, *fixed: Part) -> float | None:
        if scaled[0] <= 0 or not settled(scaled, fixed, most):
            return None
        low, high = 1.0, most
        while high / low > 1.005:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if settled(scaled, fixed, middle) else (middle, high)
        return high

    units = (e.levels, e.df_levels)
    return Needed(
        search((e.trials, e.df_trials), (pure_examples, e.df_examples), units),
        search((e.examples, e.df_examples), (pure_trials, e.df_trials), units),
        search(units, (e.trials, e.df_trials), (pure_examples, e.df_examples)),
    )
