"""Margins from measured seeds: how far two trainings of one recipe differ on a protocol and a dataset.

A candidate is a training of its own, even where nothing about the recipe was changed, and so is the base. A gate that
is to leave an unchanged recipe alone needs room for that. The rule, for a cell whose base records the standard
deviation between seeds (``CellPart.seed_sd``)::

    margin = max(5 % of the metric's range, FACTOR * SD * sqrt((1 / k_base + 1 / k_candidate) / 2))

with k seeds a side, whose mean is compared. A cell without such a record (a published checkpoint, or a record made
before seeds were kept) has 5 % of the metric's range, and the gate says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from mmbench.gate.decision import DEFAULT_SHARE, Margins
from mmbench.metrics import METRICS
from mmbench.records.schema import CellPart

FACTOR = 3.0
MOST = 0.5  # of the metric's range: a wider margin would let almost anything pass


def seed_margin(metric: str, sd: float, seeds: tuple[int, int] = (1, 1)) -> float:
    """The margin of a cell in the metric's printed unit; ``sd`` is in that unit, ``seeds`` of base and candidate."""
    width = METRICS.get(metric).width
    room = FACTOR * sd * math.sqrt((1 / seeds[0] + 1 / seeds[1]) / 2)
    return float(f"{min(max(DEFAULT_SHARE * width, room), MOST * width):.3g}")


def with_seeds(margins: Margins, base: Mapping[str, CellPart], seeds: Mapping[str, tuple[int, int]]) -> Margins:
    """The margins with those of the cells whose seeds the base has on record; ``seeds`` counts them by cell."""
    known = {name: part for name, part in base.items() if part.seed_sd is not None and name in seeds}
    by_cell = {name: seed_margin(part.metric, part.seed_sd or 0.0, seeds[name]) for name, part in known.items()}
    return replace(margins, by_cell={**by_cell, **margins.by_cell})
