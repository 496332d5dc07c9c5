"""A dataset within one run: found and loaded once, and what is loaded is what its identity says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Generic, TypeVar

from mmbench.datasets.entry import Dataset, DatasetEntry
from mmbench.errors import BadDataset, MMBenchError

T = TypeVar("T")


def once_a_run(entry: DatasetEntry) -> DatasetEntry:
    """``entry`` for one run: its identity is found once, and what is loaded must still have it.

    An error of either is kept and raised again: a dataset that cannot be fetched is not asked for with every cell.
    """
    identity = _Once(entry.identity)

    def load() -> Dataset:
        before, dataset = identity(), entry.load()
        if entry.identity() != before:
            raise BadDataset(
                f"{entry.name} changed during this run: its files are no longer those that the run began with; start "
                "the run again"
            )
        return dataset

    return dataclasses.replace(entry, identity=identity, load=_Once(load))


class _Once(Generic[T]):
    """A function of no arguments that is called once; its error is raised each time."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._answer: list[T] = []
        self._error: MMBenchError | None = None

    def __call__(self) -> T:
        if self._error is not None:
            raise self._error
        if not self._answer:
            try:
                self._answer.append(self._function())
            except MMBenchError as error:
                self._error = error
                raise
        return self._answer[0]
