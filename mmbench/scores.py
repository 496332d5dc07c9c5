"""Outcomes of one cell by trial and example, with what made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import stats
from mmbench.errors import BadScores
from mmbench.metrics import METRICS, Metric


@dataclass(frozen=True)
class Scores:
    """Outcomes of one cell.

    ``outcomes`` is float32 ``[trials, examples]``, as the metric gives them: scores of single examples within its
    bounds, or pseudo-values of a jackknifed statistic, which may lie outside. ``examples`` is the digest of the ordered
    example ids. Cells with the same ``examples`` are paired by example; with the same number of trials, also by trial.
    What follows from outcomes is kept, so they must not change afterwards.
    ``chance`` is the mean outcome of the best answer that ignores the input. ``classes`` is the label of each example,
    int ``[examples]``; None where an example has several labels, or none. ``groups`` int ``[examples]`` or
    ``[examples, k]``, ``halves`` float32 ``[halves]`` and ``pool`` say how far outcomes are independent
    (``stats.Sample``). ``grouped_by`` is the plural word for what examples were made from ("drawings"); empty where
    each is by itself.

    Raises BadScores on NaN, on values outside the metric's bounds and on wrong shapes; UnknownName on a metric that is
    not registered.
    """

    outcomes: NDArray[np.float32]
    metric: str
    examples: str
    chance: float
    provenance: dict[str, Any] = field(default_factory=dict)
    classes: NDArray[np.int64] | None = None
    groups: NDArray[np.int64] | None = None
    halves: NDArray[np.float32] | None = None
    pool: float | None = None
    grouped_by: str = ""

    def __post_init__(self) -> None:
        if self.outcomes.ndim != 2 or 0 in self.outcomes.shape:
            raise BadScores(f"outcomes must be [trials, examples] and not empty, got shape {self.outcomes.shape}")
        if not np.isfinite(self.outcomes).all():
            bad = int((~np.isfinite(self.outcomes)).sum())
            raise BadScores(f"{bad} of {self.outcomes.size} outcomes are not finite; a score with NaN is not judged")
        self.definition.check(self.outcomes)
        if self.classes is not None and self.classes.shape != self.outcomes.shape[1:]:
            raise BadScores(
                f"expected one class for each of {self.outcomes.shape[1]} examples, got shape {self.classes.shape}; "
                "leave classes out where an example has several labels"
            )
        if self.groups is not None and self.groups.shape[:1] != self.outcomes.shape[1:]:
            raise BadScores(f"expected groups for each of {self.outcomes.shape[1]} examples, got {self.groups.shape}")
        if (self.groups is None) != (not self.grouped_by):
            raise BadScores(f"groups of examples come with the word for them, got {self.grouped_by!r} as grouped_by")
        if self.halves is not None:
            self._check_halves(self.halves)
        if self.pool is not None and not 0 < self.pool < 1:
            raise BadScores(f"a trial draws a share above 0 and below 1 of its training pool, got {self.pool:g}")

    def _check_halves(self, halves: NDArray[np.float32]) -> None:
        if halves.ndim != 1 or len(halves) < 2 or not np.isfinite(halves).all():
            raise BadScores(f"expected a finite mean outcome for each of 2 halves or more, got {halves!r}")

    @cached_property
    def definition(self) -> Metric:
        """The metric by its name."""
        return METRICS.get(self.metric)

    @property
    def trials(self) -> int:
        return self.outcomes.shape[0]

    @property
    def scale(self) -> float:
        """From outcomes to the printed unit (100 for accuracy in percent)."""
        return self.definition.scale

    @cached_property
    def mean(self) -> float:
        """Mean over trials and examples, in the metric's unit."""
        return float(self.outcomes.mean(dtype=np.float64)) * self.scale

    @cached_property
    def by_trial(self) -> NDArray[np.float64]:
        """Mean over examples of each trial, in the metric's unit."""
        found = self.outcomes.mean(axis=1, dtype=np.float64) * self.scale
        found.flags.writeable = False  # it is kept
        return found

    @cached_property
    def spread(self) -> float | None:
        """Standard deviation of ``by_trial``; None for a single trial."""
        return float(self.by_trial.std(ddof=1)) if self.trials > 1 else None

    @cached_property
    def sample(self) -> stats.Sample:
        """The outcomes with all that says how far they are independent."""
        metric = self.definition
        bounds = stats.Range(metric.low, metric.high, metric.jackknifed)
        return stats.Sample(
            self.outcomes, metric.scale, self.examples, bounds, groups=self.groups, halves=self.halves, pool=self.pool
        )

    def by_class(self) -> dict[int, NDArray[np.float64]]:
        """Mean over the examples of each class, by trial ``[trials]``, in the metric's unit; in order of the labels.

        Raises BadScores where the classes of examples were not kept, and for a jackknifed metric, whose pseudo-values
        are no scores of single examples.
        """
        if self.definition.jackknifed:
            raise BadScores(
                f"{self.metric} is one number for all examples and has none by class; ask a metric that scores "
                "single examples, such as accuracy"
            )
        if self.classes is None:
            raise BadScores(
                "these scores do not hold the classes of their examples (several labels an example, or stored by an "
                "earlier version); measure a cell of a single-label dataset anew"
            )
        classes = [int(label) for label in np.unique(self.classes)]
        columns = (self.outcomes[:, self.classes == label] for label in classes)
        return {label: x.mean(axis=1, dtype=np.float64) * self.scale for label, x in zip(classes, columns, strict=True)}

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided interval of the mean over crossed trials and examples, in the metric's unit, within its bounds."""
        return joint([self]).contrasts([[1.0]])[0].interval(confidence)


def joint(scores: Sequence[Scores], kept: stats.Residuals | None = None) -> stats.Joint:
    """The cells' means, in printed units, with their joint uncertainty; ``kept`` as ``stats.crossed``."""
    return stats.crossed([each.sample for each in scores], kept)
