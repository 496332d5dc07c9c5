"""The unit of a verdict's margin, as it stands behind the number: ``+2.9 points``, ``-0.31 r``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mmbench.conditions import Coefficient, Curved, Leaf, Margin, RankLead, cells_of
from mmbench.metrics import METRICS
from mmbench.protocol import Cell

POINTS, PLACES, PRINTED = "points", "places", "as printed"
WEIGHED = "weighed by the claim"
LETTERS = {"pearson": "r", "spearman": "rho"}


def of_metric(name: str) -> str:
    """The unit of a difference of two scores: percentage points, ``r`` or ``rho``, or the name of another metric."""
    letter = LETTERS.get(name.rpartition("_")[2], name)
    return of_printed(METRICS.get(name).unit) or letter


def of_printed(unit: str) -> str:
    """The unit of a difference of two numbers that are printed in ``unit``."""
    return POINTS if unit == "%" else unit


def unit_of(leaf: Leaf, units: Mapping[Cell, str]) -> str:
    """The unit of a comparison's margin; ``units`` are those of differences of its cells, as far as they are known.

    Correlations are in ``r`` or ``rho``, leads in mean rank in ``places``, joins of a dendrogram in ``of height``,
    another function in its own unit, which its name stands for. A unit that is not known is ``as printed``: that of
    the paper's table. Where units count differently, as accuracies in percent that are made shares beside correlations,
    it is said that the claim weighs them.
    """
    if isinstance(leaf, Coefficient):
        return _one(LETTERS[part.method] for part in leaf.parts)
    if isinstance(leaf, RankLead):
        return PLACES
    if isinstance(leaf, Curved):
        return leaf.unit or f"of {leaf.label}"
    assert isinstance(leaf, Margin), leaf
    said = _one(units.get(cell, PRINTED) for cell in cells_of(leaf))
    sizes: dict[str, float] = {}
    for cell, weight in leaf.term.weights:
        unit = units.get(cell, PRINTED)
        sizes[unit] = sizes.get(unit, 0.0) + abs(weight)
    return said if len({round(size, 9) for size in sizes.values()}) < 2 else f"{said}, {WEIGHED}"


def _one(units: Iterable[str]) -> str:
    """The unit that all have; several are named together, since a margin may be the smaller of two."""
    return " and ".join(dict.fromkeys(units))
