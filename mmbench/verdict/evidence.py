"""From evidence to rows of cell means and their joint uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mmbench import stats
from mmbench.claims.claim import Claim, EvidenceKind, Printed
from mmbench.errors import BadScores, Unmeasured
from mmbench.protocol import Cell
from mmbench.scores import Scores, joint
from mmbench.verdict.networks import THESE, About, Networks
from mmbench.verdict.outcome import Row


@dataclass(frozen=True)
class Published:
    """The paper's own printed numbers: those of the claim's tables, or ``numbers`` instead."""

    numbers: Mapping[Cell, Printed] | None = None
    kind: EvidenceKind = "published"


@dataclass(frozen=True)
class Measured:
    """Cells of a lineup. ``scores_of`` raises Unmeasured, saying what is missing, for what the lineup lacks.

    ``networks`` says which networks are played by a training recipe, and how its seeds vary; without it a verdict is
    about these networks alone.
    """

    scores_of: Callable[[Cell], Scores]
    networks: Networks | None = None
    kind: EvidenceKind = "measured"


Evidence = Published | Measured


@dataclass(frozen=True)
class Gathered:
    """What was found: rows and means by cell, their joint uncertainty (None: no spread), what is missing.

    ``networks`` says what measured networks stand for: themselves, or their training recipes.
    """

    rows: Mapping[Cell, Row]
    joint: stats.Joint | None
    missing: tuple[str, ...] = ()
    note: str = ""
    networks: str = THESE

    @property
    def means(self) -> dict[Cell, float]:
        return {cell: row.mean for cell, row in self.rows.items()}


def gather(claim: Claim, evidence: Evidence, cells: Iterable[Cell]) -> Gathered:
    """The cells as far as the evidence holds them. Raises BadScores when a score is not finite."""
    return _printed(claim, evidence, tuple(cells)) if isinstance(evidence, Published) else _measured(evidence, cells)


def _measured(evidence: Measured, cells: Iterable[Cell]) -> Gathered:
    found: dict[Cell, Scores] = {}
    missing: dict[str, None] = {}
    for cell in cells:
        try:
            found[cell] = evidence.scores_of(cell)
        except Unmeasured as error:
            missing[str(error)] = None
    rows = {}
    for cell, scores in found.items():
        if not np.isfinite(scores.outcomes).all():
            raise BadScores(f"{cell} has outcomes that are not finite; a score with NaN is not judged")
        spread = float(scores.by_trial.std(ddof=1)) if scores.trials > 1 else None
        rows[cell] = Row(cell, scores.mean, spread, scores.trials, scores.outcomes.shape[1])
    about = (
        evidence.networks.about({cell: scores.metric for cell, scores in found.items()})
        if evidence.networks is not None
        else About()
    )
    known = joint(list(found.values()))
    if about.level is not None:
        known = replace(known, levels=(*known.levels, about.level))
    note = "; ".join(filter(None, [_measured_note(rows.values()), about.note]))
    return Gathered(rows, known, tuple(missing), note, about.words)


def _measured_note(rows: Iterable[Row]) -> str:
    notes = []
    single = sum(row.trials == 1 for row in rows)
    if single:
        notes.append(f"{single} cells have a single trial: their interval holds the spread over examples only")
    if any(row.examples == 1 for row in rows):
        notes.append("a cell with a single example says nothing about other examples")
    return "; ".join(notes)


def _printed(claim: Claim, evidence: Published, cells: tuple[Cell, ...]) -> Gathered:
    tables = [table.cells for table in claim.published] if evidence.numbers is None else [evidence.numbers]
    numbers: dict[Cell, Printed] = {}
    errors: dict[Cell, tuple[float, float]] = {}
    for table in tables:
        dust = _half_digit(table.values())
        numbers.update(table)
        for cell, number in table.items():
            errors.pop(cell, None)
            if number.se is not None:
                errors[cell] = (number.se, math.inf)
            elif number.std is not None and number.n is not None and number.n > 1:
                errors[cell] = (max(number.std, dust) / math.sqrt(number.n), number.n - 1.0)
    rows = {c: Row(c, numbers[c].value, numbers[c].std, numbers[c].n) for c in cells if c in numbers}
    for cell in rows:
        if not math.isfinite(rows[cell].mean):
            raise BadScores(f"{cell} is printed as {rows[cell].mean}; a number that is not finite is not judged")
    absent = [cell for cell in cells if cell not in numbers]
    missing = (f"the paper prints no number for {_some(absent)}",) if absent else ()
    bare = [cell for cell in rows if cell not in errors]
    if bare or not rows:
        note = f"{len(bare)} of {len(rows)} printed numbers have no spread: decided by the sign of the margin"
        return Gathered(rows, None, missing, note)
    known = stats.printed(
        [row.mean for row in rows.values()], [errors[c][0] for c in rows], [errors[c][1] for c in rows]
    )
    return Gathered(rows, known, missing)


def _half_digit(numbers: Iterable[Printed]) -> float:
    """Half of the last digit of a table's printed spreads: what a printed 0.0 may stand for at most."""
    decimals = [len(repr(n.std).partition(".")[2]) for n in numbers if n.std is not None and "e" not in repr(n.std)]
    return 0.5 * 10.0 ** -max(decimals, default=9)


def _some(cells: list[Cell], most: int = 3) -> str:
    more = f" and {len(cells) - most} more" if len(cells) > most else ""
    return ", ".join(map(str, cells[:most])) + more
