"""From evidence to rows of cell means and their joint uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mmbench import stats
from mmbench.claims.claim import Claim, EvidenceKind, Printed
from mmbench.errors import BadScores, Unmeasured
from mmbench.protocol import Cell, ChanceCell
from mmbench.scores import Scores, joint
from mmbench.verdict.about import About, about_print, about_scores
from mmbench.verdict.chance import KnownFloors, UntrainedOf
from mmbench.verdict.networks import THESE, Meaning, Networks
from mmbench.verdict.outcome import Row
from mmbench.verdict.unit import LETTERS, of_metric, of_printed


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
    ``untrained`` gives the scores of an untrained network in the cell's place, None where the run has none. ``floors``
    keeps, from claim to claim, which cells are not better than chance or than it, ``residuals`` their products.
    """

    scores_of: Callable[[Cell], Scores]
    networks: Networks | None = None
    kind: EvidenceKind = "measured"
    untrained: UntrainedOf | None = None
    floors: KnownFloors = field(default_factory=KnownFloors, repr=False, compare=False)
    residuals: stats.Residuals = field(default_factory=stats.Residuals, repr=False, compare=False)


Evidence = Published | Measured


@dataclass(frozen=True)
class Gathered:
    """What was found: rows and means by cell, their joint uncertainty (None: no spread), what is missing.

    ``bare`` are cells without a spread; ``joint`` holds the others, in the order of ``rows``. ``scores`` are those of
    measured cells, ``numbers`` the printed ones, ``chances`` the chance levels that were asked for, in printed units.
    ``networks`` says what the interval takes networks for. ``units`` are those of differences of cells, as far as they
    are known.
    """

    rows: Mapping[Cell, Row]
    joint: stats.Joint | None
    missing: tuple[str, ...] = ()
    note: str = ""
    networks: str = THESE
    bare: frozenset[Cell] = frozenset()
    scores: Mapping[Cell, Scores] = field(default_factory=dict)
    numbers: Mapping[Cell, Printed] = field(default_factory=dict)
    units: Mapping[Cell, str] = field(default_factory=dict)
    chances: Mapping[Cell, float] = field(default_factory=dict)

    def settled(self, cell: Cell) -> Cell | float:
        """The number of a chance level that is known; any other cell as it is."""
        return self.chances.get(cell, cell)

    @property
    def means(self) -> dict[Cell, float]:
        return {cell: row.mean for cell, row in self.rows.items()}

    @property
    def place(self) -> dict[Cell, int]:
        """Where each cell is in ``joint``."""
        return {cell: i for i, cell in enumerate(cell for cell in self.rows if cell not in self.bare)}

    def about(self, cells: Iterable[Cell]) -> About:
        """What an interval over these cells is about."""
        asked = list(dict.fromkeys(cells))
        if self.numbers:
            return about_print(self.numbers, asked, self.bare)
        found = [cell for cell in asked if cell in self.scores]
        return about_scores((self.scores[c] for c in found), (c.protocol.probe for c in found), self.networks)


def gather(claim: Claim, evidence: Evidence, cells: Iterable[Cell]) -> Gathered:
    """The cells as far as the evidence holds them. Raises BadScores when a score is not finite."""
    return _printed(claim, evidence, tuple(cells)) if isinstance(evidence, Published) else _measured(evidence, cells)


def _measured(evidence: Measured, cells: Iterable[Cell]) -> Gathered:
    found: dict[Cell, Scores] = {}
    missing: dict[str, None] = {}
    asked = tuple(cells)
    for cell in dict.fromkeys(cell.measured for cell in asked):
        try:
            found[cell] = evidence.scores_of(cell)
        except Unmeasured as error:
            missing[str(error)] = None
    rows = {}
    for cell, scores in found.items():
        if not math.isfinite(scores.mean):
            raise BadScores(f"{cell} has outcomes that are not finite; a score with NaN is not judged")
        rows[cell] = Row(cell, scores.mean, scores.spread, scores.trials, scores.outcomes.shape[1])
    meant = (
        evidence.networks.about({cell: scores.metric for cell, scores in found.items()})
        if evidence.networks is not None
        else Meaning()
    )
    known = joint(list(found.values()), evidence.residuals)
    if meant.level is not None:
        known = replace(known, levels=(*known.levels, meant.level))
    note = "; ".join(filter(None, [_measured_note(rows.values()), meant.note]))
    units = {cell: of_metric(scores.metric) for cell, scores in found.items()}
    levels = {cell: found[cell.measured] for cell in asked if isinstance(cell, ChanceCell) and cell.measured in found}
    chances: dict[Cell, float] = {cell: scores.chance * scores.scale for cell, scores in levels.items()}
    return Gathered(rows, known, tuple(missing), note, meant.words, scores=found, units=units, chances=chances)


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
            if number.exact:
                errors[cell] = (0.0, math.inf)
            elif number.pairs is not None:  # to first order; tested on Fisher's scale, where it is exact
                errors[cell] = ((1 - number.value**2) / math.sqrt(number.pairs - 3), math.inf)
            elif number.se is not None:
                errors[cell] = (number.se, math.inf)
            elif number.std is not None and number.n is not None and number.n > 1:
                errors[cell] = ((number.std + dust) / math.sqrt(number.n), number.n - 1.0)
    rows = {c: Row(c, numbers[c].value, numbers[c].std, numbers[c].n) for c in cells if c in numbers}
    for cell in rows:
        if not math.isfinite(rows[cell].mean):
            raise BadScores(f"{cell} is printed as {rows[cell].mean}; a number that is not finite is not judged")
    absent = [cell for cell in cells if cell not in numbers]
    missing = (f"the paper prints no number for {_some(absent)}",) if absent else ()
    bare = frozenset(cell for cell in rows if cell not in errors)
    note = (
        f"{len(bare)} of {len(rows)} printed numbers have no spread; only signs can be read from them" if bare else ""
    )
    spread = [cell for cell in rows if cell not in bare]
    known = None
    if spread:
        known = stats.printed(
            [rows[c].mean for c in spread],
            [errors[c][0] for c in spread],
            [errors[c][1] for c in spread],
            [(-math.inf, math.inf) if numbers[c].pairs is None else (-1.0, 1.0) for c in spread],
        )
    used = {cell: numbers[cell] for cell in rows}
    return Gathered(rows, known, missing, note, bare=bare, numbers=used, units=_units(claim, evidence, used))


def _units(claim: Claim, evidence: Published, used: Mapping[Cell, Printed]) -> dict[Cell, str]:
    """Units of differences of printed numbers, where a number is a correlation or its table says one."""
    tables = claim.published if evidence.numbers is None else ()
    stated = {cell: of_printed(table.unit) for table in tables if table.unit for cell in table.cells}
    correlations = {cell: LETTERS["pearson"] for cell, number in used.items() if number.pairs is not None}
    return {cell: unit for cell, unit in (stated | correlations).items() if cell in used}


def _half_digit(numbers: Iterable[Printed]) -> float:
    """Half of the last digit of a table's printed spreads: what one may be larger than it is printed."""
    decimals = [len(repr(n.std).partition(".")[2]) for n in numbers if n.std is not None and "e" not in repr(n.std)]
    return 0.5 * 10.0 ** -max(decimals, default=9)


def _some(cells: list[Cell], most: int = 3) -> str:
    more = f" and {len(cells) - most} more" if len(cells) > most else ""
    return ", ".join(map(str, cells[:most])) + more
