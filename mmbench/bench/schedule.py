"""Which cells are solved together, and which groups at the same time.

Cells that differ in settings only have the same inputs, so one probe call solves them all. A probe that is faster so
solves the next planned groups as well, two at a time, each on half of the cores.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from mmbench.bench.lineup_source import LineupSource
from mmbench.bench.solving import Solved, gather, probe_of, solve
from mmbench.errors import MMBenchError
from mmbench.inputs.entry import Inputs
from mmbench.inputs.labelled import raw_roles
from mmbench.protocol import Cell
from mmbench.two_workers import two_at_a_time

AHEAD = 7  # groups queued behind the current one
Group = list[Cell]


class Schedule:
    """The cells that will be asked for, in groups with the same inputs."""

    def __init__(self, *, side_by_side: bool = True) -> None:
        self.side_by_side = side_by_side
        self._groups: dict[tuple[Any, ...], dict[Cell, None]] = {}
        self._alone: set[Cell] = set()  # failed beside another group: solved by themselves when asked for

    def add(self, cell: Cell) -> None:
        self._groups.setdefault(same_inputs(cell), {})[cell] = None

    def group(self, cell: Cell) -> Group:
        """``cell``, then the planned cells that one probe call solves with it."""
        return [cell, *(other for other in self._groups.get(same_inputs(cell), {}) if other != cell)]

    def leave(self, group: Group) -> None:
        """Solve these cells by themselves from now on, since they failed beside others."""
        self._alone.update(group)

    def solve(
        self, source: LineupSource, cells: Group, wanted: Callable[[Cell], bool]
    ) -> list[tuple[Group, Inputs, Solved]]:
        """Solve a group, and beside it the next planned groups of the same probe whose cells are still ``wanted``.

        An error of the group itself is raised; a group beside it that fails is left for when it is asked for.
        """
        groups = [(cells, gather(source, cells[0]))]
        for group in self._beside(source, cells[0], wanted):
            try:
                groups.append((group, gather(source, group[0])))
            except MMBenchError:
                self.leave(group)

        def work(given: tuple[Group, Inputs]) -> Solved | MMBenchError:
            return solve(*given, source.device)

        found = list(map(work, groups) if len(groups) == 1 else two_at_a_time(work, groups))
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

    def _beside(self, source: LineupSource, cell: Cell, wanted: Callable[[Cell], bool]) -> list[Group]:
        if not self.side_by_side or source.device != "cpu" or not probe_of(cell.protocol).side_by_side:
            return []
        left = ([c for c in group if c not in self._alone and wanted(c)] for group in self._others(cell))
        return list(itertools.islice(filter(None, left), AHEAD))

    def _others(self, cell: Cell) -> Iterator[Group]:
        own = same_inputs(cell)
        for key, group in self._groups.items():
            if key != own and key[0] == cell.protocol.probe:
                yield list(group)


def same_inputs(cell: Cell) -> tuple[Any, ...]:
    """Cells with equal keys differ in settings only, on the same inputs: one probe call solves them all."""
    p = cell.protocol
    how = (p.probe, type(p.settings), p.metric, p.multilabel_metric, p.trials, p.seed, p.layer, p.settings.for_inputs())
    return (*how, raw_roles(cell), cell.models, cell.dataset)
