"""Ask for cells: each is measured when it is first asked for, stored, and read back from then on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.bench import examples
from mmbench.bench.ahead import Ahead
from mmbench.bench.costs import Cost
from mmbench.bench.keys import cell_key
from mmbench.bench.lineup_source import LineupSource
from mmbench.bench.read_back import ReadBack
from mmbench.bench.reductions import require_reductions, require_training_settings
from mmbench.bench.schedule import Schedule
from mmbench.bench.solving import gather, metric_of, probe_of, score
from mmbench.errors import MMBenchError, NotEnoughShots
from mmbench.features.devices import require_device
from mmbench.features.store import Store
from mmbench.inputs.entry import Inputs
from mmbench.protocol import Cell, Models, Roles
from mmbench.scores import Scores

if TYPE_CHECKING:
    from mmbench.lineups import Lineup


class Bench:
    """A lineup measured into a store. ``source`` loads and encodes; ``source.costs`` lists what was paid.

    With ``side_by_side``, planned groups of probes that allow it are solved two at a time. Raises UnknownName
    or BadSpec for a lineup that lowers settings of an unknown probe, or settings that the probe does not read.
    """

    def __init__(
        self,
        lineup: Lineup,
        store: Store,
        *,
        device: str = "cpu",
        precision: str = "float32",
        progress: bool = True,
        side_by_side: bool = True,
    ) -> None:
        require_reductions(lineup)
        require_training_settings(lineup)
        self.source = LineupSource(lineup, store, device=device, precision=precision, progress=progress)
        self._schedule = Schedule(side_by_side=side_by_side)
        self._known: dict[Cell, Scores] = {}
        self._failed: dict[Cell, MMBenchError] = {}
        self._read_back = ReadBack(self.source)
        self._keys: dict[Cell, str] = {}
        self._ahead: Ahead | None = None

    @classmethod
    def open(
        cls,
        lineup: str | Path = "embedded",
        *,
        models: Sequence[str] = (),
        seeds: Sequence[str] = (),
        datasets: Sequence[str] = (),
        store: Path | str | None = None,
        device: str = "cpu",
        precision: str = "float32",
        progress: bool = True,
        side_by_side: bool = True,
        skip_bad_items: bool = False,
    ) -> Bench:
        """The bench of a lineup (a name or a TOML file) with ``ROLE=SPEC`` bindings laid over it.

        ``seeds`` are ``ROLE=SPEC,SPEC``: further trainings of the recipe that a role was bound to. Raises BadSpec or
        UnknownName for a lineup, role or spec that cannot be read, and BadSpec for a device that torch does not have.
        ``skip_bad_items`` leaves out images that cannot be decoded (``mmbench.datasets.bad_items``).
        """
        from mmbench.lineups import load_lineup
        from mmbench.lineups.more_seeds import bind_seeds

        require_device(device)
        bound = load_lineup(str(lineup))
        for binding in models:
            bound = bound.bind_model(binding)
        for option in seeds:
            bound = bind_seeds(bound, option)
        for binding in datasets:
            bound = bound.bind_dataset(binding)
        bound = bound.skipping_bad_items() if skip_bad_items else bound
        options = {"device": device, "precision": precision}
        return cls(bound, Store(store), progress=progress, side_by_side=side_by_side, **options)

    @property
    def lineup(self) -> Lineup:
        return self.source.lineup

    @property
    def store(self) -> Store:
        return self.source.store

    @property
    def costs(self) -> list[Cost]:
        return self.source.costs

    def plan(self, cells: Iterable[Cell]) -> None:
        """Note cells that will be asked for, so that those with the same inputs are solved together."""
        for cell in cells:
            self._schedule.add(cell)
            self.source.expect(cell)

    def scores(self, cell: Cell) -> Scores:
        """The scores of ``cell``: known, stored, or measured now together with the planned cells of its group.

        Raises Unmeasured when the lineup or mmbench lacks something (the message says what and how to get it), and
        the error of the thing that broke when an item, a model or a dataset is at fault.
        """
        probe_of(cell.protocol)  # a printed number names no role: say first that nothing measures it
        if cell in self._failed:
            raise self._failed[cell]
        if cell not in self._known:
            missing = [c for c in self._schedule.group(cell) if not self._recall(c) and c not in self._failed]
            if missing:
                self._measure_or_remember(cell, missing)
        return self._known[cell]

    def fresh(self, cell: Cell) -> bool:
        """Whether asking for ``cell`` would have to measure it."""
        return cell not in self._known and not self._recall(cell)

    def expects(self, cell: Cell) -> bool:
        """Whether this run was told that it will ask for ``cell``."""
        return cell in self._schedule

    def features(self, models: Models, dataset: str, split: str) -> NDArray[np.float32]:
        """Features ``[n, dim]`` of one split under one role, or under several joined (text first)."""
        from mmbench.inputs.labelled import joined
        from mmbench.probes.prototypes import FEW_SHOT

        return joined(self.source, Cell(FEW_SHOT, Roles.of(models), dataset), split)

    def inputs(self, cell: Cell) -> Inputs:
        """What the cell's probe is given: for timing a probe on inputs that exist already."""
        return gather(self.source, cell)

    def _recall(self, cell: Cell) -> bool:
        """Load the cell from memory or store; False when it must be measured."""
        if cell in self._known:
            return True
        key = self._key(cell)
        started = time.perf_counter()
        stored = self.store.load_scores(key, lambda found: self._read_back.fault(cell, found)) if key else None
        if stored is None:
            return False
        self._known[cell] = stored
        self.costs.append(Cost("cell", str(cell), time.perf_counter() - started, fresh=False))
        return True

    def _measure_or_remember(self, cell: Cell, missing: list[Cell]) -> None:
        """Measure the group; where another cell of it asks for too many shots, ``cell`` by itself."""
        try:
            self._measure(missing)
        except MMBenchError as error:
            if len(missing) == 1 or not isinstance(error, NotEnoughShots):
                self._failed[cell] = error
                raise
            self._measure([cell])

    def _measure(self, cells: list[Cell]) -> None:
        """Solve a group, and the groups that the scheduler puts beside it, and store every cell."""
        self._begin_ahead()
        for group, inputs, solved in self._schedule.solve(self.source, cells, self._wanted):
            try:
                scored = score(self.source, group, inputs, solved)
            except MMBenchError:
                if group is cells:
                    raise
                self._schedule.leave(group)  # beside the one that was asked for: said when it is asked for itself
                continue
            for cell, scores in scored.items():
                key = self._key(cell)
                if key is not None:
                    self.store.save_scores(key, scores)
                    examples.note(self.source, cell, examples.Examples.of(scores))
                self._known[cell] = scores
                self.costs.append(Cost("cell", str(cell), scores.provenance["seconds"], fresh=True))

    def _begin_ahead(self) -> None:
        """Once something must be measured, begin with the trainings of planned cells if there is a core for them."""
        if self._ahead is not None:
            return
        import torch

        self._ahead = Ahead(self.source)
        if self.source.device == "cpu" and torch.get_num_threads() > 1:
            self._ahead.begin(cell for cell in self._schedule.with_trainings() if self._wanted(cell))

    def close(self) -> None:
        """Begin no more trainings ahead; nothing else of a bench needs closing."""
        if self._ahead is not None:
            self._ahead.stop()

    def _key(self, cell: Cell) -> str | None:
        """Found once a run where it is known; it is asked for before and after a cell is measured."""
        key = self._keys.get(cell)
        if key is None:
            key = cell_key(self.source, cell, probe_of(cell.protocol), metric_of(self.source, cell))
            if key is not None:
                self._keys[cell] = key
        return key

    def _wanted(self, cell: Cell) -> bool:
        """Whether the cell could be measured beside another; what is wrong with it is said when it is asked for."""
        try:
            return cell not in self._failed and not self._recall(cell)
        except MMBenchError:
            return False
