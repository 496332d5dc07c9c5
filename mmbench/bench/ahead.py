"""Trainings that planned cells will ask for, fitted one after another while other cells are measured.

Word vectors take one core for minutes in all, and much of a run keeps one core busy and leaves another idle: encoders
are loaded, tables are made, claims are judged. A thread of its own fits in this time what is asked for later. It calls
what a cell would call, so the weights are the same, and who asks for weights that are being fitted waits for them
(``mmbench.bench.trainings``). Timings of the same run are taken beside this work.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from queue import SimpleQueue

from mmbench.bench.lineup_source import LineupSource
from mmbench.bench.solving import family_of
from mmbench.errors import MMBenchError
from mmbench.protocol import Cell
from mmbench.training.entry import TRAININGS, Fit


class Ahead:
    """One thread that fits what it was given. It ends with the process, and takes up nothing more after ``stop``."""

    def __init__(self, source: LineupSource) -> None:
        self._source, self._stopped = source, threading.Event()
        self._waiting: SimpleQueue[Fit | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self, cells: Iterable[Cell]) -> None:
        """Begin with the trainings of ``cells``, in their order. What they learn from is encoded by the caller.

        Where something is wrong with a cell or a training, it is left out: that is said when it is asked for.
        """
        seen: set[tuple[object, ...]] = set()
        for cell in cells:
            trainings = family_of(cell).trainings
            fits = [] if trainings is None else trainings(self._source, cell)
            new = [fit for fit in fits if fit[:-1] not in seen]
            seen |= {fit[:-1] for fit in fits}
            if new and self._is_ready(new[0]):
                for fit in new:
                    self._waiting.put(fit)
                self._start()
        self._waiting.put(None)

    def stop(self) -> None:
        """Take up no other training."""
        self._stopped.set()

    def wait(self) -> None:
        """Until all is fitted that ``begin`` was given, or ``stop`` was called and the training at work has ended."""
        if self._thread is not None:
            self._thread.join()

    def _is_ready(self, fit: Fit) -> bool:
        """Whether the weights can be stored; encodes and reads what they learn from, which is stored too."""
        name, models, dataset, _ = fit
        try:
            if self._source.training_key(name, models, dataset) is None:  # they would be fitted once more for the cell
                return False
            TRAININGS.get(name).gather(self._source, models, dataset)
        except MMBenchError:
            return False
        return True

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="mmbench-ahead", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (fit := self._waiting.get()) is not None and not self._stopped.is_set():
            try:
                self._source.trained(*fit)
            except Exception:
                continue  # raised again, with its cell, where the weights are asked for
