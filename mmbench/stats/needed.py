"""How many more trials or examples would settle a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mmbench.stats.estimates import LEVEL, Estimate, mirrored

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

    Trials divide the trial component, but not its part that belongs to the training pool; examples divide the example
    component; units divide what further levels add. What one cannot shrink (the examples' own share and the pool's
    under more trials, the trials' under more examples) stays and may make settling impossible.
    """
    e = estimate if estimate.value > 0 else mirrored(estimate)
    if e.value == 0 or not math.isfinite(e.se):
        return Needed(None, None)

    def search(there: bool, part: str) -> float | None:
        def enough(factor: float) -> bool:
            return _grown(e, **{part: factor}).p_above() <= level

        if not there or not enough(most):
            return None
        low, high = 1.0, most
        while high / low > 1.005:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high

    return Needed(
        search(e.trials > 0, "trials"),
        search(e.examples > 0 or e.down > 0, "examples"),
        search(e.levels > 0, "units"),
    )


def _grown(e: Estimate, trials: float = 1.0, examples: float = 1.0, units: float = 1.0) -> Estimate:
    """The estimate with so many times the trials, examples and units: its own variance and df where all are 1."""
    stays = e.pool / e.trials if e.trials > 0 else 0.0
    drawn = (1 - stays) / trials + stays
    shared = e.shared * drawn / examples
    v_trials = max(e.trials - e.shared, 0.0) * drawn + shared
    v_examples = max(e.examples - e.shared, 0.0) / examples + shared
    levels = e.levels / units
    total = v_trials + v_examples - shared + levels
    own, df_trials = v_trials - shared / 2, e.df_trials * trials
    parts = ((own, df_trials), (v_examples, e.df_examples * examples), (levels, e.df_levels * units))
    over = sum(v * v / df for v, df in parts if v > 0)
    df = total * total / over if over > 0 else math.inf
    if own > 0 and math.isfinite(df_trials):  # the cap of few trials, see stats.crossed
        df = min(df, df_trials * (total / own) ** (1 - 2 / (1 + df_trials) ** 2))
    # n times the examples: the third cumulant falls with n^2, one example counts for 1/n of what it did
    return replace(e, se=math.sqrt(total), df=df, third=e.third / examples**2, down=e.down / examples)
