"""Units of a network that know a concept in every form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores
from mmbench.metrics.entry import METRICS, Metric, Outcomes

KNOWN = 0.9  # area under the curve from which a unit knows a concept in a form (ours)


def invariant_units(predictions: NDArray, concepts: NDArray) -> Outcomes:
    """1 for each concept whose unit reaches an area under the curve of 0.9 in its worst form, else 0.

    ``predictions`` ``[trials, concepts, forms]`` in [0, 1]. Raises BadScores for another shape.
    """
    if predictions.ndim != 3 or predictions.shape[1] != len(concepts):
        raise BadScores(f"expected areas [trials, {len(concepts)}, forms], got shape {list(predictions.shape)}")
    return (predictions.min(axis=2) >= KNOWN).astype(np.float32)


METRICS.add(
    Metric(
        "invariant_units",
        invariant_units,
        "%",
        100.0,
        over="classes",
        about="concepts with a unit that separates them in every form with an area under the curve of 0.9 or more",
    )
)
