"""A claim: one sentence of one paper in a form that can be judged, with the numbers the paper prints for it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from mmbench.conditions import Node, cells_of, measured_cells_of, with_cells
from mmbench.errors import BadScores
from mmbench.forms import Form, Scope
from mmbench.protocol import Cell, Models, Protocol, Reading
from mmbench.registry import Registry

EvidenceKind = Literal["published", "measured"]
PLANTED = "planted"  # the study of claims that are made up for tests


@dataclass(frozen=True)
class Place:
    """The place of a sentence. ``section`` as the paper numbers it, ``exhibit`` the figure or table behind it."""

    study: str
    section: str = ""
    exhibit: str = ""

    def __str__(self) -> str:
        return ", ".join(
            part for part in (self.study, self.section and f"section {self.section}", self.exhibit) if part
        )


@dataclass(frozen=True)
class Printed:
    """A printed number: ``value``, its standard deviation over ``n`` seeds if printed, in the paper's unit.

    ``pairs`` says that it is a correlation over so many pairs: it is tested by Fisher's z, ``arctanh`` of it with
    standard error ``1 / sqrt(pairs - 3)`` (Fisher 1921). ``se`` is a standard error that follows from the printed
    number otherwise, computed by us. ``exact``: a count or a size, taken as printed, which is no sample and has no
    error. A number with none of these is a score without spread, of which only the sign of a margin can be said.
    Raises BadScores on NaN, a negative spread, an exact number with a spread, and a correlation that has no z.
    """

    value: float
    std: float | None = None
    n: int | None = None
    se: float | None = None
    pairs: int | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if self.pairs is not None and not (self.pairs > 3 and abs(self.value) < 1):
            raise BadScores(
                f"Fisher's z needs a correlation between -1 and 1 over more than 3 pairs, got {self.value} over "
                f"{self.pairs}; leave pairs out to decide by its sign"
            )
        if self.value != self.value or (self.std is not None and not self.std >= 0):
            raise BadScores(f"a printed number must be finite with a spread of 0 or more, got {self}")
        if self.exact and (self.std, self.se, self.pairs) != (None, None, None):
            raise BadScores(
                f"an exact number is a count or a size and has no spread, got {self}; leave one of them out"
            )


Heading = tuple[str, str]  # of a row or a column: a role, or "" for none; and words beside it


@dataclass(frozen=True)
class Table:
    """One printed exhibit: its cells, and what was spread over.

    ``unit`` is that of all its numbers (``%``, ``F1``); empty where they have several, or one that says nothing.
    ``places`` says in which row and column of the paper's table a cell stands, where the table crosses two kinds of
    models; without it rows are models and columns datasets.
    """

    name: str
    place: Place
    cells: Mapping[Cell, Printed]
    spread: str = ""
    note: str = ""
    unit: str = ""
    places: Mapping[Cell, tuple[Heading, Heading]] = field(default_factory=dict)


def as_code(cell: Cell) -> Cell:
    """The cell as the authors' code makes it; the same one where paper and code agree."""
    return replace(cell, protocol=cell.protocol.code or cell.protocol)


@dataclass(frozen=True)
class Claim:
    """One sentence of one paper.

    ``says`` is the sentence in our words; ``where`` its place. ``expect`` is the form, over ``protocols``,
    ``datasets`` and ``models``; it must never be stronger than the sentence. ``expect_measured`` replaces it on
    measured scores where a new measurement cannot satisfy the printed form (an exact tie). ``published`` are
    the tables it can be judged on. ``waits_for`` names the protocol or data that mmbench does not have yet; such
    a claim is unmeasured and ``expect`` may then be None. ``disagreements`` are the places where text and table, or two
    texts, differ, each with its code in ``mmbench.claims.ledger``. ``leaves_open`` is what the paper does not say;
    ``ours`` says which thresholds or readings are ours.
    ``part_of`` names a catalogued claim that entails this one, ``beside`` one whose sentence this asks by a measure of
    ours, to see whether the conclusion rests on the paper's measure. ``status`` says whether the paper tests it,
    predicts it, or cites it from others.
    """

    id: str
    says: str
    where: Place
    expect: Form | None
    protocols: tuple[Protocol, ...] = ()
    datasets: tuple[str, ...] = ()
    models: tuple[Models, ...] = ()
    groups: Mapping[str, tuple[Models, ...]] = field(default_factory=dict)
    expect_measured: Form | None = None
    published: tuple[Table, ...] = ()
    waits_for: str = ""
    disagreements: tuple[str, ...] = ()
    leaves_open: str = ""
    ours: str = ""
    part_of: str = ""
    beside: str = ""
    status: Literal["tested", "predicted", "cited"] = "tested"

    @property
    def name(self) -> str:
        return self.id

    @property
    def study(self) -> str:
        return self.where.study

    @property
    def made_up(self) -> bool:
        """Whether it is made up for tests, of no paper: left out of catalogues, pages and figures."""
        return self.study == PLANTED

    @property
    def scope(self) -> Scope:
        return Scope(self.protocols, self.datasets, self.models, self.groups)

    def condition(self, evidence: EvidenceKind, reading: Reading = "paper") -> Node | None:
        """The compiled form for this kind of evidence and this reading.

        None when the claim has no form yet, or when ``reading`` is ``code`` and paper and code agree on every cell.
        """
        if (evidence, reading) not in self._conditions:
            self._conditions[evidence, reading] = self._compiled(evidence, reading)
        return self._conditions[evidence, reading]

    def _compiled(self, evidence: EvidenceKind, reading: Reading) -> Node | None:
        form = self.expect_measured if evidence == "measured" and self.expect_measured else self.expect
        if form is None:
            return None
        if reading == "paper":
            return form.compile(self.scope)
        node = self.condition(evidence)
        if node is None or not any(cell.protocol.code for cell in cells_of(node)):
            return None
        return with_cells(node, as_code)

    @functools.cached_property
    def _conditions(self) -> dict[tuple[EvidenceKind, Reading], Node | None]:
        """Compiling all claims takes a quarter of a second, and a run asks for each several times."""
        return {}

    @functools.cached_property
    def cells(self) -> Mapping[EvidenceKind, tuple[Cell, ...]]:
        """The cells that the claim rests on under the paper's reading; none when it has no form yet.

        Of a chance level, the cell that it is the chance level of.
        """
        nodes = {kind: self.condition(kind) for kind in get_args(EvidenceKind)}
        return {kind: () if node is None else measured_cells_of(node) for kind, node in nodes.items()}

    def printed(self) -> dict[Cell, Printed]:
        """Every printed number of the claim's tables by cell."""
        return {cell: number for table in self.published for cell, number in table.cells.items()}

    @property
    def measurable(self) -> bool:
        """Whether mmbench has every probe the claim needs (a lineup may still lack roles)."""
        node = self.condition("measured")
        return not self.waits_for and node is not None and not any(c.protocol.printed_only for c in cells_of(node))


CLAIMS: Registry[Claim] = Registry(
    "claim", package="mmbench.claims", modules="mmbench.claims", order=lambda claim: claim.study
)
