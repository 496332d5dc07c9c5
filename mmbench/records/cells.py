"""From a cell's scores to what the record keeps of it (means, interval, outcomes, digests), and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mmbench.errors import BadScores
from mmbench.metrics import METRICS
from mmbench.protocol import Cell
from mmbench.records.outcome_codec import pack, pack_groups
from mmbench.records.schema import BadRecord, CellPart
from mmbench.scores import Scores

# The parts of a score's provenance that show where two runs differ: digests by stage, and how it was computed.
MADE_OF = (
    "items",
    "head",
    "preprocessed",
    "features",
    "predictions",
    "code",
    "device",
    "precision",
    "left_out",
    "shown",
)


def cell_part(cell: Cell, scores: Scores, *, fresh: bool, seed_sd: float | None = None) -> dict[str, Any]:
    """Plain JSON values of one cell, in the metric's printed unit."""
    low, high = interval(scores)
    seeds = {} if seed_sd is None else {"seed_sd": seed_sd}
    return seeds | {
        "protocol": cell.protocol.name,
        "probe": cell.protocol.probe,
        "fingerprint": cell.protocol.fingerprint(),
        "reading": cell.protocol.reading,
        "models": list(cell.models),
        "dataset": cell.dataset,
        "metric": scores.metric,
        "unit": METRICS.get(scores.metric).unit,
        "trials": [round(float(mean), 6) for mean in scores.by_trial],
        "mean": round(scores.mean, 6),
        "low": low,
        "high": high,
        "chance": round(scores.chance * scores.scale, 6),
        "examples": scores.outcomes.shape[1],
        "seconds": _brief(scores.provenance.get("seconds")),
        "fresh": fresh,
        "outcomes": pack(scores.outcomes),
        "paired_by": scores.examples,
        "groups": None if scores.groups is None else pack_groups(scores.groups),
        "grouped_by": scores.grouped_by,
        "halves": None if scores.halves is None else [round(float(x) * scores.scale, 6) for x in scores.halves],
        "pool": scores.pool,
        "made_of": {name: scores.provenance[name] for name in MADE_OF if name in scores.provenance},
    }


def cell_name(cell: Cell) -> str:
    """The cell's name in a record (``str`` of its CellPart); it names the reading, which ``str(cell)`` does not."""
    return str(cell) if cell.protocol.reading == "paper" else f"{cell} ({cell.protocol.reading})"


def scores_of(part: CellPart) -> Scores:
    """The scores that a record keeps of a cell, to be compared in pairs.

    Raises BadRecord when the cell has no outcomes by example (schema 1) or its means are not theirs, and BadOutcomes
    when the file of outcomes beside the record is missing or was altered.
    """
    if part.outcomes is None or part.paired_by is None:
        raise BadRecord(f"{part} is recorded without its outcomes by example; run it again with this mmbench")
    if part.grouped_by and part.groups is None:
        raise BadRecord(f"{part} is recorded without its groups by {part.grouped_by}; run it again with this mmbench")
    scale = METRICS.get(part.metric).scale
    made = {"fingerprint": part.fingerprint, "reading": part.reading}
    try:
        scores = Scores(
            part.outcomes.array,
            part.metric,
            part.paired_by,
            part.chance / scale,
            made,
            groups=None if part.groups is None else part.groups.array,
            halves=None if part.halves is None else np.array(part.halves, dtype=np.float32) / np.float32(scale),
            grouped_by=part.grouped_by,
            pool=part.pool,
        )
    except BadScores as error:
        raise BadRecord(f"{part}: {error}") from None
    recorded = (len(part.trials), part.examples)
    if scores.outcomes.shape != recorded or not np.allclose(scores.by_trial, part.trials, rtol=0, atol=1e-6):
        raise BadRecord(f"{part}: its means by trial are not those of its outcomes; the record was changed")
    return scores


def interval(scores: Scores) -> tuple[float | None, float | None]:
    """Two-sided 95 % interval of the mean, within the metric's bounds; None where the spread is unknown."""
    low, high = (round(bound, 6) if math.isfinite(bound) else None for bound in scores.interval())
    return low, high


def _brief(seconds: float | None) -> float | None:
    """Four significant digits, which is more than a clock repeats."""
    return None if seconds is None else float(f"{seconds:.4g}")
