"""The gate and the intervals on real seeds: two trainings of one recipe, judged by what other recipes' seeds show.

Leave one recipe out: margins, and the variance between seeds, come from the other recipes of a table of seed scores;
the pairs of seeds that are judged come from the one left out. Scores are real; the error of a difference that is due to
examples and draws is the table's.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import stats
from mmbench.gate.decision import DEFAULT_MARGINS, LEVEL
from mmbench.gate.seed_margins import seed_margin
from mmbench.lineups.seed_table import SeedRow, SeedTable

Array = NDArray[np.float64]
LOSS = 2.0  # margins


def leave_one_out(table: SeedTable) -> dict[str, Any]:
    """How often the gate fails an unchanged recipe, and catches a loss of twice the margin on one dataset.

    ``pairs`` are ordered pairs of seeds as base and candidate, ``losses`` those with each dataset whose cells can all
    lose as much. Margins are those of the gate, from the other recipes' seeds; ``before`` uses 5 % of the range alone.
    """
    rows = [number for number, row in enumerate(table.rows) if _gated(row)]
    out: dict[str, Any] = {"rows": len(rows), "pairs": 0, "failed": 0, "losses": 0, "caught": 0}
    before = {"failed": 0, "losses": 0, "caught": 0}
    for recipe, members in table.recipes.items():
        margins = _margins(table.only([name for name in table.recipes if name != recipe]), rows)
        plain = np.array([DEFAULT_MARGINS[table.rows[number].metric] for number in rows])
        for base, candidate in itertools.permutations(members, 2):
            out["pairs"] += 1
            for found, chosen in ((out, margins), (before, plain)):
                failed, losses, caught = _judged(table, rows, base, candidate, chosen)
                found["failed"] += failed
                found["losses"] += losses
                found["caught"] += caught
    return out | {"before": before}


def _gated(row: SeedRow) -> bool:
    return row.metric in DEFAULT_MARGINS and row.reading == "paper"


def _margins(others: SeedTable, rows: list[int]) -> Array:
    parts = [others.rows[number] for number in rows]
    sds = [others.seed_sd(number, row.probe, row.metric) for number, row in zip(rows, parts, strict=True)]
    return np.array([seed_margin(row.metric, sd or 0.0) for row, sd in zip(parts, sds, strict=True)])


def _judged(table: SeedTable, rows: list[int], base: int, candidate: int, margins: Array) -> tuple[int, int, int]:
    """Whether the pair fails as it is; on how many datasets it can lose LOSS margins, and how often that is caught."""
    parts = [table.rows[number] for number in rows]
    old, new = (np.array([row.scores[network] for row in parts]) for network in (base, candidate))
    errors = np.sqrt([row.sampling for row in parts])
    losses = caught = 0
    for dataset in dict.fromkeys(row.dataset for row in parts):
        hurt = np.array([row.dataset == dataset for row in parts])
        if (old >= LOSS * margins)[hurt].all():
            losses += 1
            caught += _fails(new - old - LOSS * margins * hurt, margins, errors)
    return _fails(new - old, margins, errors), losses, caught


def _fails(gains: Array, margins: Array, errors: Array) -> bool:
    from scipy.special import ndtr

    return bool((stats.holm(ndtr((gains + margins) / errors)) <= LEVEL).any())


def intervals_without_zero(table: SeedTable) -> dict[str, float]:
    """The share of pairs of seeds and cells whose 95 % interval of the difference excludes 0, which it should in 5 %.

    ``before``: from examples and draws alone; ``after``: with the variance between the seeds of the other recipes.
    """
    rows = [number for number, row in enumerate(table.rows) if row.reading == "paper"]
    at = np.ix_(rows, rows)
    found: dict[str, list[bool]] = {"before": [], "after": []}
    for recipe, members in table.recipes.items():
        others = table.only([name for name in table.recipes if name != recipe])
        level = stats.Level(2 * others.total[at], 2 * table.sampling[at], float(others.df))
        for levels, outside in (((), found["before"]), ((level,), found["after"])):
            for one, other in itertools.combinations(members, 2):
                means = np.array([table.rows[n].scores[one] - table.rows[n].scores[other] for n in rows])
                known = stats.printed(means, np.sqrt(2 * np.diag(table.sampling)[rows]), np.full(len(rows), np.inf))
                contrasts = stats.Joint(known.means, known.blocks, levels=levels).contrasts(np.eye(len(rows)))
                for number in range(len(rows)):
                    low, high = contrasts[number].interval()
                    outside.append(not low <= 0 <= high)
    return {name: float(np.mean(outside)) for name, outside in found.items()} | {"pairs": float(len(found["after"]))}
