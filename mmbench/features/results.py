"""What an extraction gives back: the features, and an account of every item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadItem


@dataclass(frozen=True)
class Left:
    """An item without features: its row in the split, its id and the reason."""

    row: int
    id: str
    reason: str


@dataclass(frozen=True)
class Census:
    """Every item of a split: ``items`` = ``encoded`` + failed + excluded.

    ``failed`` is what stopped a run (policy ``stop``), ``excluded`` what could not be read and was left out (policy
    ``exclude``). ``fresh`` counts items that this call put through the encoder; equal items count once, and the
    number of layers does not matter.
    """

    items: int
    encoded: int
    fresh: int
    failed: tuple[Left, ...] = ()
    excluded: tuple[Left, ...] = ()


class UnreadableItem(BadItem):
    """The item that stopped an extraction, with the census at that moment."""

    def __init__(self, message: str, census: Census) -> None:
        super().__init__(message)
        self.census = census


@dataclass(frozen=True)
class Features:
    """``array`` float32 ``[n, dim]``: a row for each of ``rows`` int64 ``[n]``, the split's rows that have features.

    ``seconds`` is what this call spent on encoding, decoding included (0 when all was stored); ``recorded_seconds``
    what the same rows cost when they were encoded, by whichever run. A forward pass that gave several layers counts in
    equal shares for each. ``key`` is None when nothing could be stored. ``shards`` names the files of the store that
    hold the rows, each ``KEY/SHA256``.
    """

    array: NDArray[np.float32]
    rows: NDArray[np.int64]
    census: Census
    seconds: float
    recorded_seconds: float
    key: str | None
    shards: tuple[str, ...] = ()
