"""A dataset within one run: found and loaded once, and what is read is what its identity says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mmbench.datasets.entry import Dataset, DatasetEntry
from mmbench.errors import BadDataset, MMBenchError

T = TypeVar("T")


@dataclass(frozen=True)
class OneRun:
    """``entry`` for one run, and ``require_same``, which raises BadDataset where its files have changed since."""

    entry: DatasetEntry
    require_same: Callable[[], None]


def once_a_run(entry: DatasetEntry) -> OneRun:
    """``entry`` for one run: its identity is found once, and what is loaded must still have it.

    An error of either is kept and raised again: a dataset that cannot be fetched is not asked for with every cell.
    """
    identity = _once(entry.identity)

    def require_same() -> None:
        if entry.identity() != identity():
            raise BadDataset(
                f"{entry.name} changed during this run: its files are no longer those that the run began with; start "
                "the run again"
            )

    def load() -> Dataset:
        identity()
        try:
            dataset = entry.load()
        except UnicodeDecodeError as error:
            raise BadDataset(f"{entry.name} holds a file that is not UTF-8 text ({error}); convert it") from error
        require_same()
        return dataset

    return OneRun(dataclasses.replace(entry, identity=identity, load=_once(load)), require_same)


def _once(function: Callable[[], T]) -> Callable[[], T]:
    answers: list[T] = []
    errors: list[MMBenchError] = []

    def asked() -> T:  # a plain function: the code behind a loader is found through it
        if errors:
            raise errors[0]
        if not answers:
            try:
                answers.append(function())
            except MMBenchError as error:
                errors.append(error)
                raise
        return answers[0]

    return asked
