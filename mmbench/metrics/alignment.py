"""Centred kernel alignment of two Gram matrices (Kornblith et al. 2019), jackknifed over the classes.

Predictions are ``[trials, 2, n, n]``: the products of the same n things, in the same order, in two representations.
The estimate is the debiased one (Nguyen et al. 2021, section 3.1): each Hilbert-Schmidt criterion is Song et al.'s
unbiased estimator (2012), so that independent representations have an alignment of 0 in the mean, however few things
and however many dimensions there are. Labels are not used.

With both matrices centred in Székely and Rizzo's way (2014, which is the same estimator) the alignment is the
correlation of their entries above the diagonal. So its jackknife has the same fault as that of ``rdm_pearson``, a
too large variance for few classes, and the same half correction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores
from mmbench.metrics.dissimilarities import single_pairs_factor
from mmbench.metrics.entry import METRICS, Metric
from mmbench.metrics.jackknife import Array, jackknifed

FEWEST = 5  # things: with one left out the estimator still divides by 4 - 3


def cka(predictions: NDArray, labels: NDArray) -> Array:
    """The debiased alignment, float64 ``[trials]``, from -1 to 1. NaN where a representation does not vary."""
    return np.array([_cosine(*map(centred, pair)) for pair in _checked(predictions)])


def centred(gram: NDArray) -> Array:
    """A Gram matrix ``[n, n]``, its rows and columns without the diagonal brought to a sum of 0, the diagonal to 0."""
    n = len(gram)
    off = np.array(gram, dtype=np.float64)
    np.fill_diagonal(off, 0.0)
    rows = off.sum(axis=0) / (n - 2)
    found = off - rows[:, None] - rows[None] + off.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(found, 0.0)
    return found


def _cka_without(predictions: NDArray, labels: NDArray) -> Array:
    """The alignment without each thing: the sums over all entries less the sums over the thing's own."""
    out = []
    for pair in _checked(predictions):
        one, other = (centred(gram) for gram in pair)  # centring changes no criterion and keeps digits
        found = [_criterion_without(x, y) for x, y in ((one, other), (one, one), (other, other))]
        size = np.sqrt(np.clip(found[1], 0.0, None) * np.clip(found[2], 0.0, None))
        floor = 1e-12 * np.sqrt((one * one).sum() * (other * other).sum()) / len(one) ** 2
        out.append(np.divide(found[0], size, out=np.full(len(one), np.nan), where=size > floor))
    return np.clip(np.stack(out), -1.0, 1.0)


def _criterion_without(x: Array, y: Array) -> Array:
    """Song et al. 2012, equation 5, without each thing; ``x`` and ``y`` are symmetric with a zero diagonal."""
    n = len(x) - 1
    own_x, own_y = x.sum(axis=0), y.sum(axis=0)
    both = x * y
    products = both.sum() - 2 * both.sum(axis=0)
    sums = (x.sum() - 2 * own_x) * (y.sum() - 2 * own_y)
    # sum over j other than i of (row sum of x less x_ij) times the same of y
    rows = (own_x @ own_y - own_x * own_y) - y @ own_x - x @ own_y + both.sum(axis=0)
    return np.asarray((products + sums / ((n - 1) * (n - 2)) - 2 * rows / (n - 2)) / (n * (n - 3)))


def _cosine(x: Array, y: Array) -> float:
    size = np.sqrt((x * x).sum() * (y * y).sum())
    return float(np.clip((x * y).sum() / size, -1.0, 1.0)) if size > 0 else float("nan")


def _checked(predictions: NDArray) -> NDArray:
    shape = predictions.shape
    if predictions.ndim != 4 or shape[1] != 2 or shape[2] != shape[3]:
        raise BadScores(f"expected two Gram matrices, [trials, 2, classes, classes], found shape {shape}")
    if shape[3] < FEWEST:
        raise BadScores(f"an alignment of Gram matrices needs at least {FEWEST} classes, found {shape[3]}")
    return predictions


def _factor(predictions: NDArray, pseudo: Array) -> Array:
    upper = np.triu_indices(predictions.shape[-1], 1)
    entries = np.array([[centred(gram)[upper] for gram in pair] for pair in predictions])
    return single_pairs_factor(entries, pseudo, predictions.shape[-1])


METRICS.add(
    Metric(
        "cka",
        jackknifed(cka, _cka_without, _factor),
        "",
        1.0,
        low=-1.0,
        over="classes",
        about="debiased linear centred kernel alignment of two representations",
    )
)
METRICS.add(
    Metric(
        "cka_items",
        jackknifed(cka, _cka_without, _factor),
        "",
        1.0,
        low=-1.0,
        about="debiased linear centred kernel alignment of two representations of the same items",
    )
)
