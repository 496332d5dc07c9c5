"""What the items of a split were made from: views of one drawing, images of one person, pairs of two things.

Items that share a thing are not independent, and an interval that takes them for independent is too narrow. Classes are
fixed with the dataset, so a thing that is a class of its own is no group: where a class is one drawing, the views of it
are independent draws from that class.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset

ALONE = -1  # in ``of``: no thing, or no further one
MOST = 4  # things that one item may be made of: each way to share some of them is counted


@dataclass(frozen=True)
class Groups:
    """Which things items were made from.

    ``of`` is int64 ``[n]``, the thing of each item, or ``[n, k]`` for items that join up to ``k`` things (2 for pairs,
    at most 4); -1 stands for no thing. ``kind`` is the plural word for the things, such as "drawings" or "persons".
    Raises BadDataset for anything else, and where no two items share a thing: leave groups out there.
    """

    of: NDArray[np.int64]
    kind: str

    def __post_init__(self) -> None:
        of = self.of
        if not isinstance(of, np.ndarray) or of.dtype != np.int64 or of.ndim not in (1, 2):
            what = f"{of.dtype} {list(of.shape)}" if isinstance(of, np.ndarray) else type(of).__name__
            raise BadDataset(f"groups of items must be int64 [n] or [n, k], got {what}")
        if of.ndim == 2 and not 2 <= of.shape[1] <= MOST:
            raise BadDataset(f"an item joins 2 to {MOST} things, got groups of shape {list(of.shape)}")
        if of.size and of.min() < ALONE:
            raise BadDataset(f"groups of items are numbered from 0 ({ALONE}: none), got {of.min()}")
        if not self.kind.strip():
            raise BadDataset("groups of items need the plural word for what they are, such as kind='drawings'")
        if not shared(of):
            raise BadDataset(f"no two of {len(of)} items share one of their {self.kind}; leave the groups out")

    def __len__(self) -> int:
        return len(self.of)


def shared(of: NDArray[np.int64]) -> bool:
    """Whether two items share a thing."""
    if of.size == 0:
        return False
    rows = np.sort(of.reshape(len(of), -1), axis=1)
    rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = ALONE  # an item shares nothing with itself
    counts = np.unique(rows[rows != ALONE], return_counts=True)[1]
    return bool((counts > 1).any())


def grouped(things: Sequence[Any], kind: str) -> Groups | None:
    """Groups from what each item was made of; None where no two items share a thing.

    A thing is any value that can be compared (a name, a row number); None stands for an item that shares nothing. For
    items of several things each entry is a list or a tuple of them.
    """
    several = any(isinstance(thing, list | tuple) for thing in things)
    rows = [tuple(dict.fromkeys(thing)) if isinstance(thing, list | tuple) else (thing,) for thing in things]
    width = max(map(len, rows), default=1)
    if width > MOST:
        raise BadDataset(f"an item is made of {width} {kind}; groups hold at most {MOST} an item")
    numbers: dict[Hashable, int] = {}
    of = np.full((len(rows), width), ALONE, dtype=np.int64)
    for row, found in enumerate(rows):
        for place, thing in enumerate(found):
            if thing is not None:
                of[row, place] = numbers.setdefault(thing, len(numbers))
    if not several or width == 1:
        of = of[:, 0].copy()
    return Groups(of, kind) if shared(of) else None


def of_rows(groups: Groups | None, rows: Sequence[int] | NDArray[np.int64]) -> Groups | None:
    """The groups of some items, by row; None where no two of them share a thing any more."""
    if groups is None:
        return None
    of = groups.of[np.asarray(rows, dtype=np.int64)]
    return Groups(of, groups.kind) if shared(of) else None
