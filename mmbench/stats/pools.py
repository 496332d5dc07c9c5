"""Draws from one training pool, and what they say about fresh pools.

A few-shot trial draws k of the N training rows of a class. All trials draw from the same pool, so they share rows, and
their spread shows how scores vary within this pool only. To first order a score is a mean over the rows drawn, plus a
constant (the linear term of Hoeffding's decomposition). Let V be the variance of such a mean over fresh pools. The mean
of k rows drawn without replacement from N has the variance (1 - f) V around the pool's own mean, with f = k/N (Cochran
1977, section 2.6), and the pool's own mean has the variance f V. The mean of T trials then has, over fresh pools::

    Var = (1 - f) V / T + f V = S/T (1 + T f / (1 - f)),     E[S] = (1 - f) V

S being the variance between trials. Two trials correlate by f; with that, this is the correction of Nadeau & Bengio
(2003, section 3) for training sets that overlap, ``1/T + rho / (1 - rho)``. What trials and examples share (residuals)
comes from the same draws and is multiplied alike: of the variance between examples the drawn rows hold
(1 - f) V' / (T n) + f V' / n. Terms of higher order vary between trials more than they vary between pools (by f^2 and
less in place of f), so the error is on the safe side.

Several classes: with pools of N_c rows, scores vary by the sum of V_c over classes, (1 - f_c) V_c within this pool and
f_c V_c with the pool. If no class matters more than another, the mean of k/N_c over classes stands for f.

Two cells of other shots: the first k rows of a draw are its draw of k, so the covariance within the pool is that of the
larger draw, and the larger f belongs to the pair. Estimated so, the pool's matrix need not be a covariance; negative
eigenvalues are set to 0, which makes no contrast more certain.

Simulated with images of digits (``tests/stats/test_pools.py``).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from mmbench.errors import BadScores
from mmbench.stats.blocks import Group
from mmbench.stats.estimates import Array


def over_fresh_pools(group: Group, shares: Sequence[float | None]) -> Group:
    """The group's covariances over fresh training pools instead of over draws from this one.

    ``shares`` are, by cell, the shares of the pool that a trial draws; None leaves a cell as it is. One trial shows no
    spread, and nothing is added to it. Raises BadScores for a share that is not above 0 and below 1.
    """
    at = np.array([i for i, share in enumerate(shares) if share is not None], dtype=np.intp)
    drawn = np.array([share for share in shares if share is not None])
    if ((drawn <= 0) | (drawn >= 1)).any():
        raise BadScores(
            f"a trial draws a share above 0 and below 1 of its training pool, got {drawn.tolist()}; give None where "
            "trials have the whole pool"
        )
    if not len(at) or math.isinf(group.df):
        return group
    pairs, larger = np.ix_(at, at), np.maximum.outer(drawn, drawn)
    widening = (group.df + 1) * larger / (1 - larger)
    pool, factors = np.zeros_like(group.trial), np.ones_like(group.trial)
    pool[pairs] = widening * group.trial[pairs]
    factors[pairs] += widening
    if drawn.min() < drawn.max():
        pool[pairs] = _covariance(pool[pairs])
    alone = None if group.alone is None else group.alone * factors
    return dataclasses.replace(
        group, trial=group.trial + pool, residual=group.residual * factors, alone=alone, pool=pool
    )


def _covariance(matrix: Array) -> Array:
    """The nearest matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.clip(values, 0.0, None)) @ vectors.T
