"""Random halves of test rows, for probes that are fitted on them (``Probe.fits_test``).

``mmbench.stats.halves`` says what they are for. They are drawn from the examples and a seed alone, so that all models
are measured on the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.seeds import trial_seeds

COUNT = 16  # 15 degrees of freedom: the 95 % interval is 9 % wider than with a known error

Rows = NDArray[np.int64]


def draw(truth: NDArray[Any], groups: Rows | None, seed: int, examples: str) -> list[Rows]:
    """``COUNT`` halves of rows, each in rising order, stratified by class; ``truth`` is ``[n]``, or ``[n, classes]``.

    Of every class half of its ``groups`` int ``[n]`` (-1: a row by itself; None: every row is) is taken with all of
    their rows: of an odd number sometimes more and sometimes less than half, but never none. A group of rows of several
    classes counts to the one of its first row. Rows of several labels are one class. ``examples`` is the digest of the
    rows' ids and labels.
    """
    classes = truth if truth.ndim == 1 else np.zeros(len(truth), dtype=np.int64)
    unit = _units(len(truth), groups)
    _, first = np.unique(unit, return_index=True)
    of_class = classes[first]
    words = hashlib.sha256(f"{seed}\0{examples}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(words[:16], "big"))
    return [np.flatnonzero(np.isin(unit, np.concatenate(list(_half(of_class, rng))))) for _ in range(COUNT)]


def seeds(seed: int) -> list[int]:
    """The seed of the probe on each half: other ones than those of the trials."""
    return trial_seeds(seed + 0x4A1F, COUNT)


def _units(rows: int, groups: Rows | None) -> Rows:
    if groups is None:
        return np.arange(rows)
    own = groups.max() + 1 + np.arange(rows)
    return np.unique(np.where(groups < 0, own, groups), return_inverse=True)[1]


def _half(of_class: Rows, rng: np.random.Generator) -> Iterator[Rows]:
    """Half of the units of each class."""
    for label in np.unique(of_class):
        members = np.flatnonzero(of_class == label)
        wanted = max(len(members) // 2 + (len(members) % 2) * int(rng.integers(2)), 1)
        yield rng.permutation(members)[:wanted]
