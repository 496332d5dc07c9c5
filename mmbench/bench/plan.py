"""Which cells one probe call can solve together, and which come next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mmbench.protocol import Cell


@dataclass
class Plan:
    """Cells that will be asked for, in groups that differ in settings only and so have the same features."""

    _groups: dict[tuple[Any, ...], dict[Cell, None]] = field(default_factory=dict)

    def add(self, cells: Iterable[Cell]) -> None:
        for cell in cells:
            self._groups.setdefault(_together(cell), {})[cell] = None

    def group(self, cell: Cell) -> list[Cell]:
        """``cell``, then the planned cells that one probe call solves with it."""
        return [cell, *(other for other in self._groups.get(_together(cell), {}) if other != cell)]

    def others(self, cell: Cell) -> Iterator[list[Cell]]:
        """The planned groups of the same probe that ``cell`` is not in, in the order of the plan."""
        for key, group in self._groups.items():
            if key != _together(cell) and key[0] == cell.protocol.probe:
                yield list(group)


def _together(cell: Cell) -> tuple[Any, ...]:
    """Cells with equal keys differ in settings only, on the same features: one probe call solves them all."""
    p = cell.protocol
    how = (p.probe, type(p.settings), p.metric, p.multilabel_metric, p.trials, p.seed)
    return (*how, raw_roles(cell), cell.models, cell.dataset)


def raw_roles(cell: Cell) -> tuple[str, ...]:
    """The cell's roles whose input is not normalised under its reading (D-10)."""
    named = getattr(cell.protocol.settings, "raw_input", ())
    return tuple(role for role in cell.models if role in named)
