"""What a metric is: a function with its unit, its bounds and its better end, registered under a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores
from mmbench.metrics.jackknife import Jackknifed, Outcomes
from mmbench.registry import Registry, by_name

SLACK = 1e-5  # outcomes are stored in single precision


@dataclass(frozen=True)
class Metric:
    """A way to judge predictions.

    ``outcome(predictions, labels)`` gives one float32 outcome per trial and example, ``[trials, examples]``; their mean
    times ``scale`` is the number as papers print it, in ``unit`` (accuracy in %, F1 without a unit).

    Either each outcome is a score of its own example (accuracy: 0 or 1), or ``outcome`` is ``jackknifed(statistic)``
    and gives pseudo-values, of which only the mean is a score: the statistic. ``low`` and ``high`` bound the outcomes
    in the first case and the statistic in the second, both before scaling.

    ``over`` says what one example is: a row of the test split, or a class. ``chance_of(labels)`` is the mean outcome of
    the best answer that ignores the input; 0 when not given.
    """

    name: str
    outcome: Callable[[NDArray, NDArray], Outcomes]
    unit: str
    scale: float
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    over: Literal["rows", "classes"] = "rows"
    chance_of: Callable[[NDArray], float] | None = None
    about: str = ""

    @property
    def jackknifed(self) -> bool:
        """Whether outcomes are pseudo-values of a statistic instead of scores of single examples."""
        return isinstance(self.outcome, Jackknifed)

    @property
    def width(self) -> float:
        """From the worst possible score to the best, in the printed unit."""
        return (self.high - self.low) * self.scale

    def chance(self, labels: NDArray) -> float:
        """Mean outcome of the best answer that ignores the input, for ``labels`` ``[n]`` or ``[n, classes]``."""
        return float(self.chance_of(labels)) if self.chance_of else 0.0

    def check(self, outcomes: NDArray) -> None:
        """Raise BadScores unless every outcome (of pseudo-values: every trial's mean) lies within the bounds."""
        values = outcomes.mean(axis=1, dtype=np.float64) if self.jackknifed else outcomes
        found = float(values.min()), float(values.max())
        slack = SLACK if self.jackknifed else 0.0
        if found[0] < self.low - slack or found[1] > self.high + slack:
            what = "values by trial" if self.jackknifed else "outcomes"
            raise BadScores(
                f"metric {self.name}: expected {what} from {self.low:g} to {self.high:g}, found {found[0]:g} to "
                f"{found[1]:g}; the outcomes are damaged, or the metric's function or bounds are wrong"
            )


METRICS: Registry[Metric] = Registry("metric", package="mmbench.metrics", group="mmbench.metrics", order=by_name)

# The metric in which a dataset's ceilings are given, by its task.
USUAL = {"single": "accuracy", "multi": "f1_samples"}
