"""What examples share that come with groups of two kinds: those of their dataset, and those of a family of inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.groups import ALONE, Groups


def joined(one: Groups | None, other: Groups | None) -> Groups | None:
    """Items that share a thing of either. Raises BadDataset for more than 4 things an item.

    Where each thing of one lies within a thing of the other (drawings of a class), the other says all there is; both
    together would count the smaller things as independent too.
    """
    if one is None or other is None:
        return one if other is None else other
    for inner, outer in ((one, other), (other, one)):
        if _lies_within(inner.of, outer.of):
            return outer
    first, second = (each.of.reshape(len(each), -1) for each in (one, other))
    apart = np.where(second == ALONE, ALONE, second + first.max(initial=ALONE) + 1)
    return Groups(np.concatenate([first, apart], axis=1), f"{one.kind} and {other.kind}")


def _lies_within(inner: NDArray[np.int64], outer: NDArray[np.int64]) -> bool:
    """Whether items that share a thing of ``inner`` share one of ``outer``, both of one thing an item."""
    if inner.ndim > 1 or outer.ndim > 1:
        return False
    own = inner != ALONE
    pairs = np.unique(np.stack([inner[own], outer[own]]), axis=1)
    return bool((pairs[1] != ALONE).all()) and pairs.shape[1] == len(np.unique(pairs[0]))
