"""Class names and label arrays from the labels of a table, a shard or a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset

OURS = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "test": "test"}


def single(
    columns: Mapping[str, Sequence[str]], where: str, classes: Sequence[str] | None = None
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """Class names and int64 ``[n]`` labels by split. Without ``classes`` they are the values, sorted.

    Raises BadDataset for a value that is not a class, and when there are fewer than two classes.
    """
    names = _names(classes, (value for column in columns.values() for value in column), where)
    place = {name: number for number, name in enumerate(names)}
    return names, {split: np.array([place[v] for v in column], np.int64) for split, column in columns.items()}


def several(
    columns: Mapping[str, Sequence[Sequence[str]]], where: str, classes: Sequence[str] | None = None
) -> tuple[tuple[str, ...], dict[str, NDArray[np.bool_]]]:
    """Class names and bool ``[n, classes]`` labels by split, for items with any number of labels; as ``single``."""
    names = _names(classes, (value for column in columns.values() for row in column for value in row), where)
    place = {name: number for number, name in enumerate(names)}
    found = {split: np.zeros((len(column), len(names)), dtype=bool) for split, column in columns.items()}
    for split, column in columns.items():
        for row, values in enumerate(column):
            found[split][row, [place[value] for value in values]] = True
    return names, found


def _names(classes: Sequence[str] | None, values: Iterable[str], where: str) -> tuple[str, ...]:
    seen = set(values)
    names = tuple(classes) if classes is not None else tuple(sorted(seen, key=_order))
    if stray := sorted(seen - set(names)):
        raise BadDataset(f"{where} has the label {stray[0]!r}, which is not one of its {len(names)} classes")
    if len(names) < 2:
        only = f"only the class {names[0]!r}" if names else "no labels"
        raise BadDataset(f"{where} has {only}; there must be two classes or more")
    return names


def _order(value: str) -> tuple[int, int, str]:
    """A sort key: whole numbers first, by value."""
    return (0, int(value), "") if value.isascii() and value.isdigit() else (1, 0, value)


def splits_of(names: Iterable[str], where: str, wanted: str = "") -> dict[str, str]:
    """Our split names by the collection's: ``wanted`` alone as test, or train, validation and test by usual names.

    Raises BadDataset when there is no ``wanted``, or when no split can serve as test.
    """
    theirs = list(names)
    if wanted:
        if wanted not in theirs:
            raise BadDataset(f"{where} has no split {wanted!r}; it has {', '.join(map(repr, theirs)) or 'none'}")
        return {wanted: "test"}
    found = {name: OURS[name] for name in theirs if name in OURS}
    if "test" not in found.values():
        raise BadDataset(
            f"{where} has no split 'test'; it has {', '.join(map(repr, theirs)) or 'none'}: name one with ?split=NAME"
        )
    if len(set(found.values())) < len(found):
        raise BadDataset(f"{where} has several splits that mean the same: {', '.join(map(repr, found))}")
    return found


def texts(values: Iterable[Any], where: str) -> tuple[str, ...]:
    """A column of texts. Raises BadDataset for the first that is empty or not a text."""
    found = tuple(values)
    for row, value in enumerate(found):
        if not isinstance(value, str) or not value.strip():
            raise BadDataset(f"{where}, row {row} has no text")
    return found
