"""What examples share that come with groups of two kinds: those of their dataset, and those of a family of inputs."""

from __future__ import annotations

import numpy as np

from mmbench.datasets.groups import ALONE, Groups


def joined(one: Groups | None, other: Groups | None) -> Groups | None:
    """Items that share a thing of either. Raises BadDataset for more than 4 things an item."""
    if one is None or other is None:
        return one if other is None else other
    first, second = (each.of.reshape(len(each), -1) for each in (one, other))
    apart = np.where(second == ALONE, ALONE, second + first.max(initial=ALONE) + 1)
    return Groups(np.concatenate([first, apart], axis=1), f"{one.kind} and {other.kind}")
