"""The papers' printed tables beside what the lineup measured in the same cells; chance and untrained scores."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from mmbench.claims import CLAIMS, Printed, Table
from mmbench.lineups.roles import KINDS, Kind, kind_of
from mmbench.protocol import Cell, Roles
from mmbench.records.schema import Binding, CellPart, Record


@dataclass(frozen=True)
class Exhibit:
    """One printed table: ``rows`` are models, ``columns`` protocol and dataset, entries printed and measured."""

    title: str
    note: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Roles, tuple[tuple[Printed | None, CellPart | None], ...]], ...]

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
    columns = dict.fromkeys((cell.protocol, cell.dataset) for cell in cells)
    models = dict.fromkeys(cell.models for cell in cells)
    rows = []
    for model in models:
        entries = []
        for protocol, dataset in columns:
            printed = table.cells.get(Cell(protocol, model, dataset))
            found = measured.get((protocol.fingerprint(), str(model), dataset)) if printed else None
            entries.append((printed, found))
        rows.append((model, tuple(entries)))
    title = f"{table.place.study}, {table.name}"
    note = "; ".join(part for part in (table.note, table.spread and f"printed spread over {table.spread}") if part)
    return Exhibit(title, note, tuple((p.name, d) for p, d in columns), tuple(rows))


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
        str(first.made_of.get("left_out", "")) if first else "",
    )
