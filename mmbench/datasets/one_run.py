"""A dataset within one run: found and loaded once, and what is loaded is what its identity says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from mmbench.datasets.entry import Dataset, DatasetEntry
from mmbench.errors import BadDataset, MMBenchError

T = TypeVar("T")


def once_a_run(entry: DatasetEntry) -> DatasetEntry:
    """``entry`` for one run: its identity is found once, and what is loaded must still have it.

    An error of either is kept and raised again: a dataset that cannot be fetched is not asked for with every cell.
    """
    identity = _once(entry.identity)

    def load() -> Dataset:
        before = identity()
        try:
            dataset = entry.load()
        except UnicodeDecodeError as error:
            raise BadDataset(f"{entry.name} holds a file that is not UTF-8 text ({error}); convert it") from error
        if entry.identity() != before:
            raise BadDataset(
                f"{entry.name} changed during this run: its files are no longer those that the run began with; start "
                "the run again"
            )
        return dataset

    return dataclasses.replace(entry, identity=identity, load=_once(load))


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
