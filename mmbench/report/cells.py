"""A measured cell as the record keeps it: its mean by trial with an interval, chance, and what it cost."""

from __future__ import annotations

import math
from typing import Any

from mmbench.metrics import METRICS
from mmbench.protocol import Cell
from mmbench.scores import Scores


def cell_part(cell: Cell, scores: Scores, *, fresh: bool) -> dict[str, Any]:
    """Plain JSON values of one cell, in the metric's printed unit."""
    low, high = interval(scores)
    return {
        "protocol": cell.protocol.name,
        "probe": cell.protocol.probe,
        "fingerprint": cell.protocol.fingerprint(),
        "reading": cell.protocol.reading,
        "model": cell.model,
        "dataset": cell.dataset,
        "metric": scores.metric,
        "unit": METRICS.get(scores.metric).unit,
        "trials": [round(float(mean), 6) for mean in scores.by_trial],
        "mean": round(scores.mean, 6),
        "low": low,
        "high": high,
        "chance": round(scores.chance * scores.scale, 6),
        "examples": scores.outcomes.shape[1],
        "seconds": scores.provenance.get("seconds"),
        "fresh": fresh,
    }


def interval(scores: Scores) -> tuple[float | None, float | None]:
    """Two-sided 95 % interval of the mean over crossed trials and examples; None where the spread is unknown."""
    from mmbench.stats import crossed_mean

    estimate = crossed_mean([scores.outcomes * scores.scale], [1.0], [scores.examples])
    low, high = (round(bound, 6) if math.isfinite(bound) else None for bound in estimate.interval())
    return low, high
