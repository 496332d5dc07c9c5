"""The papers' printed tables beside what the lineup measured in the same cells; chance and untrained scores."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from mmbench.claims import CLAIMS, Printed, Table
from mmbench.lineups.roles import KINDS, Kind, kind_of
from mmbench.protocol import Cell, Roles
from mmbench.records.schema import Binding, CellPart, Record


@dataclass(frozen=True)
class Heading:
    """The heading of a row or a column: ``roles`` are shown with who plays them, ``words`` beside them."""

    roles: Roles
    words: str = ""


Entry = tuple[Printed | None, CellPart | None]  # printed and measured


@dataclass(frozen=True)
class Exhibit:
    """One printed table.

    Rows are models, columns datasets with the protocol; or, as the paper crosses them, rows are image encoders and
    columns text encoders. ``datasets`` are those that then stand in no heading.
    """

    title: str
    note: str
    columns: tuple[Heading, ...]
    rows: tuple[tuple[Heading, tuple[Entry, ...]], ...]
    datasets: tuple[str, ...] = ()

    @property
    def measured(self) -> int:
        return sum(part is not None for _, entries in self.rows for _, part in entries)


@dataclass(frozen=True)
class Floor:
    """The lowest scores that mean anything on a dataset: one constant answer, and the untrained encoder by protocol.

    ``left_out`` says how many of its items are not among the examples, where some are not.
    """

    binding: Binding
    chance: float | None
    unit: str
    untrained: tuple[tuple[str, float], ...]
    examples: int | None
    left_out: str = ""


def exhibits_of(record: Record) -> tuple[Exhibit, ...]:
    """The tables behind the judged claims whose cells a probe makes, each once, in the catalogue's order."""
    judged = {verdict.claim for verdict in record.verdicts}
    tables: dict[tuple[str, str], Table] = {}
    for claim in CLAIMS:
        if claim.id in judged and not claim.made_up:
            for table in claim.published:
                probes = {cell.protocol.probe for cell in table.cells if not cell.protocol.printed_only}
                if probes - {"written_captions"}:  # those stand in a table of their own (mmbench.report.captions)
                    tables.setdefault((table.place.study, table.name), table)
    measured = {(cell.fingerprint, cell.model, cell.dataset): cell for cell in record.cells}
    return tuple(_exhibit(table, measured) for table in tables.values())


def _exhibit(table: Table, measured: dict[tuple[str, str, str], CellPart]) -> Exhibit:
    cells = [cell for cell in table.cells if not cell.protocol.printed_only]
    places = {cell: _place(cell, table) for cell in cells}
    entries: dict[tuple[Heading, Heading], Entry] = {
        places[cell]: (
            table.cells[cell],
            measured.get((cell.protocol.fingerprint(), str(cell.models), cell.dataset)),
        )
        for cell in cells
    }
    rows, columns = (
        sorted(dict.fromkeys(place[side] for place in entries), key=lambda heading: bool(heading.roles))
        for side in (0, 1)
    )
    title = f"{table.place.study}, {table.name}"
    note = "; ".join(part for part in (table.note, table.spread and f"printed spread over {table.spread}") if part)
    return Exhibit(
        title,
        note,
        tuple(columns),
        tuple((row, tuple(entries.get((row, column), (None, None)) for column in columns)) for row in rows),
        tuple(dict.fromkeys(cell.dataset for cell in cells)) if table.places else (),
    )


def _place(cell: Cell, table: Table) -> tuple[Heading, Heading]:
    """Row and column of a cell, those without a role first."""
    if cell not in table.places:
        return Heading(cell.models), Heading(Roles(cell.dataset), cell.protocol.name)
    row, column = (
        Heading(Roles(role) if role else Roles(), words or ("" if role else f"no {what}"))
        for (role, words), what in zip(table.places[cell], ("image", "text"), strict=True)
    )
    return row, column


def floors_of(record: Record) -> tuple[Floor, ...]:
    """Chance and untrained scores of every dataset role of the lineup."""
    stated = stated_kinds(record)
    cells = [cell for cell in record.cells if cell.reading == "paper"]
    untrained = {cell.model for cell in cells if kind_of(Roles(*cell.models), stated) == "untrained"}
    return tuple(_floor(binding, cells, untrained) for binding in record.lineup.datasets)


def stated_kinds(record: Record) -> dict[str, Kind]:
    """The kinds of its models' roles that a record holds."""
    return {bound.role: kind for bound in record.lineup.models for kind in KINDS if kind == bound.kind}


def _floor(binding: Binding, cells: Iterable[CellPart], untrained: Container[str]) -> Floor:
    own = [cell for cell in cells if cell.dataset == binding.role]
    first = own[0] if own else None
    return Floor(
        binding,
        first.chance if first else None,
        first.unit if first else "",
        tuple((cell.protocol, cell.mean) for cell in own if cell.model in untrained),
        first.examples if first else None,
        "; ".join(filter(None, (str(first.made_of.get("left_out", "")) if first else "", binding.left_out))),
    )
