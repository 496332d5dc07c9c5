"""The same test items under two models: images under an image encoder, their own texts under a text encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.source import Source, require_output

FEWEST = 5  # items: the debiased alignment without one of them still divides by 4 - 3


@dataclass(frozen=True)
class Items:
    """Features of the same items under two models, in the order of the cell's roles: float32 ``[n, d]``, ``[n, e]``.

    ``ids`` are those of the items, and ``left_out`` says how many test items are not among them.
    """

    sides: tuple[NDArray[np.float32], NDArray[np.float32]]
    ids: tuple[str, ...]
    left_out: str = ""

    @property
    def truth(self) -> NDArray[np.int64]:
        """The items by number: labels are not used."""
        return np.arange(len(self.ids))

    def examples(self, test: Split) -> str:
        return hashlib.sha256("\0".join(("items", *self.ids)).encode()).hexdigest()

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from self.sides

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no alignment can be computed from."""
        if len(self.ids) < FEWEST:
            raise BadDataset(
                f"an alignment of two models needs at least {FEWEST} items, got {len(self.ids)}; bind a larger dataset"
            )
        for side in self.sides:
            check_features("test features", side, side.shape[-1])
            if len(side) != len(self.ids):
                raise BadDataset(f"expected one row for each of {len(self.ids)} items, got {len(side)}")


def gather(source: Source, cell: Cell) -> Items:
    """Test features of both models, of at most ``items`` of them (a setting of the protocol), drawn with its seed."""
    require_output(cell, "items are compared at the output")
    test = source.dataset(cell.dataset).split("test")
    most: int = cell.protocol.settings.items  # type: ignore[attr-defined]
    kept = np.arange(len(test))
    if len(kept) > most:
        kept = np.sort(np.random.default_rng(cell.protocol.seed).choice(len(test), most, replace=False))
    first, second = (source.features(source.model(role), test, f"{cell.dataset}/test")[kept] for role in cell.models)
    left_out = len(test) - len(kept)
    said = f"{left_out:,} of {len(test):,} items are not among those drawn" if left_out else ""
    return Items((first, second), tuple(test.ids[row] for row in kept), said)


def parts(source: Source, cell: Cell) -> list[Any]:
    """Both feature keys in the order of the roles, and the dataset."""
    return [*(source.feature_key(source.model(role)) for role in cell.models), dataset_part(source, cell)]


FAMILIES.add(Family("items", gather, parts, own_truth=True, about="the same test items under two models"))
