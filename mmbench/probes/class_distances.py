"""Distances of classes: Euclidean ones of their means, and the Welch distance (Devillers et al. 2021, equation 1).

Memory beyond inputs and result is a few arrays ``[classes, classes]`` and blocks of bounded size.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mmbench.training.tensors import blocks
from mmbench.two_workers import one_blas_thread

Array = NDArray[np.float64]
TILE = 2**16  # elements of the pairwise differences at a time (256 KB in float32): they stay in the processor's cache
PAIRS = 2**20  # elements of the differences of single pairs at a time (8 MB in float64)
SAFE = 1e-6  # of a squared distance, as a share of the squared lengths: below it too many digits cancel
WORKERS = 2  # threads; numpy computes without Python's lock


def euclidean(rows: Array) -> Array:
    """Distances ``[n, n]`` of rows ``[n, d]``, symmetric with a zero diagonal.

    From products of the centred rows. Where the squares of these cancel to less than ``SAFE`` of themselves, the
    differences are computed one by one, so that nine digits are right or more.
    """
    centred = rows - rows.mean(axis=0)
    squares = np.einsum("ij,ij->i", centred, centred)
    both = squares[:, None] + squares
    with one_blas_thread():
        found = both - 2 * (centred @ centred.T)
    near = np.argwhere(np.triu(found <= SAFE * both, 1))
    for some in blocks(len(near), rows.shape[1], PAIRS):
        one, other = near[some].T
        apart = rows[one] - rows[other]
        found[one, other] = np.einsum("ij,ij->i", apart, apart)
    found = np.triu(found, 1)
    return np.asarray(np.sqrt(found + found.T))


def welch(means: Array, errors: Array) -> Array:
    """``|| (m_i - m_j) / sqrt(e_i + e_j) ||`` of means ``[n, d]`` and squared errors ``[n, d]`` or ``[n, 1]``.

    A dimension in which both means and both errors agree to be nothing adds nothing (0 / 0 is 0).
    """
    if errors.shape[1] == 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = euclidean(means) / np.sqrt(errors + errors.T)
        return np.where(np.isnan(found), 0.0, found)
    # The distance does not change with the origin or the unit; near 0 and 1 single precision is enough.
    means = means - means.mean(axis=0)
    unit = float(np.abs(means).max()) or 1.0
    m, e = (means / unit).astype(np.float32), (errors / unit**2).astype(np.float32)
    constant, squares = bool((e == 0).any()), np.zeros((len(m), len(m)), dtype=np.float32)

    def fill(first: int) -> None:
        _fill(squares, m, e, range(first, len(m) - 1, WORKERS), constant)

    with ThreadPoolExecutor(WORKERS, "mmbench-welch") as pool:
        list(pool.map(fill, range(WORKERS)))
    return np.sqrt(squares + squares.T, dtype=np.float64)


def _fill(
    squares: NDArray[np.float32], m: NDArray[np.float32], e: NDArray[np.float32], mine: Iterable[int], constant: bool
) -> None:
    """The rows ``mine`` of the upper triangle of the squared distances."""
    n, d = m.shape
    apart, spread = (np.empty((max(1, TILE // d), d), dtype=np.float32) for _ in range(2))
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in mine:
            for some in blocks(n - i - 1, d, TILE):
                part = slice(i + 1 + some.start, i + 1 + some.stop)
                a, s = apart[: some.stop - some.start], spread[: some.stop - some.start]
                np.subtract(m[part], m[i], out=a)
                np.add(e[part], e[i], out=s)
                np.divide(a, s, out=s)
                if constant:
                    np.nan_to_num(s, copy=False, nan=0.0, posinf=np.inf, neginf=-np.inf)
                np.einsum("ij,ij->i", a, s, out=squares[i, part])
