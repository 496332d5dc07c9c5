"""Several tests at once: conditions on several parts, and adjusted p-values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def quorum_p(p_values: ArrayLike, n: int) -> float:
    """P-value of "at least ``n`` of these hold": partial conjunction, Bonferroni form (Benjamini & Heller 2008).

    ``(N - n + 1)`` times the n-th smallest, at most 1. With n = N it is the largest (intersection-union test, nothing
    to pay); with n = 1 it is Bonferroni. A part that is missing counts as 1. No independence is asked for.
    """
    p = np.sort(np.asarray(p_values, dtype=np.float64))
    return float(min(1.0, (len(p) - n + 1) * p[n - 1]))


def holm(p_values: ArrayLike) -> Array:
    """Holm's step-down adjusted p-values, in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
