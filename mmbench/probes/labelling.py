"""Naming clusters after classes, greedily, in the two ways of Devillers et al. 2021 (D-04b)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TAKEN = -1  # less than any overlap


def overlap(labels: NDArray[Any], clusters: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Counts ``[classes, clusters]`` of rows that are of a class and in a cluster; as many clusters as classes."""
    return np.bincount(labels.astype(np.int64) * classes + clusters, minlength=classes * classes).reshape(
        classes, classes
    )


def one_to_one(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of each cluster, int64 ``[clusters]``, as the paper words it (section 3.2).

    The largest overlap names its cluster after its class; both are then taken; and so on until every cluster has a
    name. Ties go to the lower class, then to the lower cluster.
    """
    names = np.full(counts.shape[1], -1, dtype=np.int64)
    left = counts.copy()
    for _ in range(min(counts.shape)):
        label, cluster = divmod(int(left.argmax()), counts.shape[1])  # of equal ones the first
        names[cluster] = label
        left[label], left[:, cluster] = TAKEN, TAKEN
    return names


def class_first(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of each cluster, int64 ``[clusters]``, as the released code has it.

    A class takes its largest cluster and is then closed, but the cluster stays open: of the classes that took the same
    one, the highest number names it, and a cluster that no class took is named 0. Ties go to the lower cluster (the
    code leaves them to an unstable sort).
    """
    names = np.zeros(counts.shape[1], dtype=np.int64)
    for label, cluster in enumerate(counts.argmax(axis=1)):
        names[cluster] = label
    return names
