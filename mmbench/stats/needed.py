"""How many more trials or examples would settle a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmbench.stats.estimates import LEVEL, Estimate, student_quantile

MOST_NEEDED = 1_000_000


@dataclass(frozen=True)
class Needed:
    """Factors by which trials or examples must grow to settle a margin as observed; None when even a million do not."""

    trials: float | None
    examples: float | None


def needed(estimate: Estimate, level: float = LEVEL, most: float = MOST_NEEDED) -> Needed:
    """How many times more trials, or examples, would settle ``estimate`` at one-sided ``level`` if it stayed as it is.

    Trials divide the trial component, but not its part that belongs to the training pool; examples divide the example
    component. What one cannot shrink (the examples' own share and the pool's under more trials, the trials' under more
    examples) stays and may make settling impossible.
    """
    e = estimate
    if e.value == 0 or not math.isfinite(e.se):
        return Needed(None, None)
    pure_examples, pure_trials = max(e.examples - e.shared, 0.0), max(e.trials - e.shared, 0.0)

    def settled(scaled: float, fixed: float, df_scaled: float, df_fixed: float, stays: float, factor: float) -> bool:
        parts = ((scaled * ((1 - stays) / factor + stays), df_scaled * factor), (fixed, df_fixed))
        total = sum(v for v, _ in parts)
        over = sum(v * v / df for v, df in parts if v > 0)
        df = total * total / over if over > 0 else math.inf
        return abs(e.value) >= -float(student_quantile(df, level)) * math.sqrt(total)

    def search(scaled: float, fixed: float, df_scaled: float, df_fixed: float, stays: float = 0.0) -> float | None:
        if scaled <= 0 or not settled(scaled, fixed, df_scaled, df_fixed, stays, most):
            return None
        low, high = 1.0, most
        while high / low > 1.005:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if settled(scaled, fixed, df_scaled, df_fixed, stays, middle) else (middle, high)
        return high

    return Needed(
        search(e.trials, pure_examples, e.df_trials, e.df_examples, e.pool / e.trials if e.trials > 0 else 0.0),
        search(e.examples, pure_trials, e.df_examples, e.df_trials),
    )
