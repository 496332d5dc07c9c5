"""Which cells are solved together, and which groups at the same time.

Cells that differ in settings or metric only have the same inputs, so one probe call solves them all. The next planned
groups of a probe with ``side_by_side`` are solved with them, two at a time, each on half of the cores.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from mmbench.bench.lineup_source import LineupSource
from mmbench.bench.solving import Rows, Solved, family_of, gather, halves_of, probe_of, solve
from mmbench.errors import MMBenchError
from mmbench.inputs.entry import Inputs
from mmbench.inputs.labelled import raw_roles
from mmbench.probes.entry import PROBES
from mmbench.protocol import Cell
from mmbench.two_workers import two_at_a_time

MOST_QUEUED = 7  # groups solved in one go with the one that is asked for
Group = list[Cell]


class Schedule:
    """The cells that will be asked for, in groups with the same inputs."""

    def __init__(self, *, side_by_side: bool = True) -> None:
        self.side_by_side = side_by_side
        self._groups: dict[tuple[Any, ...], dict[Cell, None]] = {}
        self._separate: set[Cell] = set()  # their queue failed: solved by themselves when asked for

    def add(self, cell: Cell) -> None:
        self._groups.setdefault(same_inputs(cell), {})[cell] = None

    def __contains__(self, cell: Cell) -> bool:
        return cell in self._groups.get(same_inputs(cell), {})

    def with_trainings(self) -> list[Cell]:
        """One planned cell of each group whose inputs ask for long trainings; none where work runs one by one."""
        if not self.side_by_side:
            return []
        first = (next(iter(group)) for group in self._groups.values())
        return [cell for cell in first if cell.protocol.probe in PROBES and family_of(cell).trainings]

    def group(self, cell: Cell) -> Group:
        """``cell``, then the planned cells that one probe call solves with it."""
        return [cell, *(other for other in self._groups.get(same_inputs(cell), {}) if other != cell)]

    def leave(self, group: Group) -> None:
        """Solve these cells by themselves from now on, since they failed beside others."""
        self._separate.update(group)

    def solve(
        self, source: LineupSource, cells: Group, wanted: Callable[[Cell], bool]
    ) -> list[tuple[Group, Inputs, Solved]]:
        """Solve a group, and with it the next planned groups of the same probe whose cells are still ``wanted``.

        An error of the group itself is raised; another group that fails is left for when it is asked for.
        """
        groups = [(cells, gather(source, cells[0]))]
        for group in self._queued(source, cells[0], wanted):
            try:
                groups.append((group, gather(source, group[0])))
            except MMBenchError:
                self.leave(group)

        def work(given: tuple[Group, Inputs, list[Rows]]) -> Solved | MMBenchError:
            return solve(*given, source.device)

        given = [(group, inputs, halves_of(source, group[0], inputs)) for group, inputs in groups]
        found = list(map(work, given) if len(given) == 1 else two_at_a_time(work, given))
        if isinstance(found[0], MMBenchError):
            self.leave([cell for group, _ in groups[1:] for cell in group])
            raise found[0]
        solved = []
        for (group, inputs), one in zip(groups, found, strict=True):
            if isinstance(one, MMBenchError):
                self.leave(group)
            else:
                solved.append((group, inputs, one))
        return solved

    def _queued(self, source: LineupSource, cell: Cell, wanted: Callable[[Cell], bool]) -> list[Group]:
        if not self.side_by_side or source.device != "cpu" or not probe_of(cell.protocol).side_by_side:
            return []
        left = ([c for c in group if c not in self._separate and wanted(c)] for group in self._other_groups(cell))
        return list(itertools.islice(filter(None, left), MOST_QUEUED))

    def _other_groups(self, cell: Cell) -> Iterator[Group]:
        own = same_inputs(cell)
        for key, group in self._groups.items():
            if key != own and key[0] == cell.protocol.probe:
                yield list(group)


def same_inputs(cell: Cell) -> tuple[Any, ...]:
    """Cells with equal keys differ in settings or metric only, on the same inputs: one probe call solves them all."""
    p = cell.protocol
    how = (p.probe, type(p.settings), p.trials, p.seed, p.layer, p.settings.for_inputs())
    return (*how, raw_roles(cell), cell.models, cell.dataset)
