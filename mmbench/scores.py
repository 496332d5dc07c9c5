"""Outcomes of one cell by trial and example, with what made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores
from mmbench.metrics import METRICS


@dataclass(frozen=True)
class Scores:
    """``outcomes`` float32 ``[trials, examples]`` in [0, 1]; ``examples`` is the digest of the ordered example ids.

    Cells with the same ``examples`` are paired by example; with the same number of trials, also by trial. Raises
    BadScores on NaN, on values outside [0, 1] and on wrong shapes.
    """

    outcomes: NDArray[np.float32]
    metric: str
    examples: str
    chance: float
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.outcomes.ndim != 2 or 0 in self.outcomes.shape:
            raise BadScores(f"outcomes must be [trials, examples] and not empty, got shape {self.outcomes.shape}")
        if not np.isfinite(self.outcomes).all():
            bad = int((~np.isfinite(self.outcomes)).sum())
            raise BadScores(f"{bad} of {self.outcomes.size} outcomes are not finite; a score with NaN is not judged")
        if self.outcomes.min() < 0 or self.outcomes.max() > 1:
            raise BadScores(f"outcomes must lie in [0, 1], got {self.outcomes.min()} to {self.outcomes.max()}")

    @property
    def trials(self) -> int:
        return self.outcomes.shape[0]

    @property
    def scale(self) -> float:
        """From outcomes to the printed unit (100 for accuracy in percent)."""
        return METRICS.get(self.metric).scale

    @property
    def mean(self) -> float:
        """Mean over trials and examples, in the metric's unit."""
        return float(self.outcomes.mean(dtype=np.float64)) * self.scale

    @property
    def by_trial(self) -> NDArray[np.float64]:
        """Mean over examples of each trial, in the metric's unit."""
        return self.outcomes.mean(axis=1, dtype=np.float64) * self.scale
