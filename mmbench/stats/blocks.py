"""Cells on the same examples, and what contrasts of them take from their components: spread, skewness, the unseen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmbench.stats.estimates import Array
from mmbench.stats.halves import Halves

RULE_OF_THREE = 3.0 / 1.8595480375228424  # 3 / t(0.95, 8): redrawn means have the tails of 8 degrees of freedom
TOGETHER = 2**20  # numbers in double precision at a time, 8 MB: more would leave the cache
FLAT = 1e-6  # of the range: pseudo-values whose mean has a smaller standard error do not vary (single precision)


@dataclass(frozen=True)
class Group:
    """Cells of a block that share their trials: covariances of the mean through trials and through residuals.

    ``alone`` is the latter as if every example were by itself, where examples are grouped. ``pool`` is the part of
    ``trial`` that belongs to the training pool and that more draws from it do not shrink.
    """

    cells: NDArray[np.intp]
    trial: Array
    residual: Array
    df: float
    alone: Array | None = None
    pool: Array | None = None


@dataclass(frozen=True)
class Block:
    """Cells on the same examples. ``n`` counts examples; 0 where there are none (printed numbers).

    ``widths`` are the cells' ranges in printed units, from the worst outcome to the best; ``pseudo`` says which cells
    hold pseudo-values of a statistic. ``moves`` is ``[cells, units]``: how far each of the units that are drawn
    independently of each other (an example, or all that were made from one thing) moves the means from where they would
    be without it, centred; their cubes are the third cumulant of the mean. Where examples are grouped, ``example`` and
    ``df`` rest on their groups, and ``alone`` is the example covariance as if each were by itself: no variance is taken
    below it. ``halves`` are covariances of cells that were measured on halves of the examples too.
    """

    cells: NDArray[np.intp]
    example: Array
    df: float
    n: int
    widths: Array
    pseudo: NDArray[np.bool_]
    groups: tuple[Group, ...] = ()
    moves: Array | None = field(default=None, repr=False)
    alone: Array | None = field(default=None, repr=False)
    halves: tuple[Halves, ...] = ()


def trial_parts(rows: Array, block: Block) -> tuple[Array, Array, Array, Array]:
    """Variances of each contrast by trial, residual and pool, and the first squared over its degrees of freedom."""
    parts = np.zeros((4, len(rows)))
    for group in block.groups:
        v_trial = quadratic(rows[:, group.cells], group.trial)
        v_residual = quadratic(rows[:, group.cells], group.residual)
        v_pool = np.zeros(len(rows)) if group.pool is None else quadratic(rows[:, group.cells], group.pool)
        parts += np.stack([v_trial, v_residual, v_pool, v_trial**2 / group.df])
    if block.alone is not None:  # what is subtracted never takes the sum below that of examples by themselves
        own = rows[:, block.cells]
        alone = sum(quadratic(rows[:, g.cells], g.alone) for g in block.groups if g.alone is not None)
        parts[1] = np.minimum(parts[1], alone + _spread(own, block) - quadratic(own, block.alone))
    return parts[0], parts[1], parts[2], parts[3]


def example_parts(rows: Array, block: Block) -> tuple[Array, Array, Array]:
    """Example variance of each contrast, its degrees of freedom, and its third cumulant.

    What halves decide has none: its skewness is not known.
    """
    own = rows[:, block.cells]
    variance, df, third = _spread(own, block), np.full(len(rows), block.df), _third(own, block)
    for halves in block.halves:
        variance, df = _with_halves(rows, block, halves, variance, df)
        third = np.where(halves.part(rows).any(axis=1), 0.0, third)
    return variance, df, third


def _spread(own: Array, block: Block) -> Array:
    """Example variance of each contrast; of grouped examples no less than if each were by itself."""
    variance = quadratic(own, block.example)
    return variance if block.alone is None else np.maximum(variance, quadratic(own, block.alone))


def _with_halves(rows: Array, block: Block, halves: Halves, variance: Array, df: Array) -> tuple[Array, Array]:
    """Example variance and degrees of freedom with what halves say beyond all the other components of their cells."""
    part = halves.part(rows)
    there = part.any(axis=1)
    own = part[:, block.cells]
    v_trials, v_shared, _, _ = trial_parts(part, block)
    grouped = _spread(own, block)
    known = v_trials + grouped - np.minimum(v_shared, np.minimum(v_trials, grouped))
    if not halves.whole and block.alone is not None:
        # Single examples were drawn, so that halves know nothing of groups: what these add comes on top.
        known += quadratic(own, block.alone) - grouped
    beyond = np.clip(halves.variance(rows) - known, 0.0, None)
    fitted = grouped + beyond
    over = fitted**2 / halves.df + np.clip(variance - grouped, 0.0, None) ** 2 / df
    return variance + beyond, np.where(there, ratio((variance + beyond) ** 2, over), df)


def _third(own: Array, block: Block) -> Array:
    """Third cumulant of each contrast through the examples of a block; pseudo-values are left out."""
    out = np.zeros(len(own))
    used = own.any(axis=0) & ~block.pseudo
    if block.moves is None or not used.any():
        return out
    weights, moves = own[:, used], block.moves[used]
    some = max(TOGETHER // moves.shape[1], 1)
    for first in range(0, len(own), some):
        moved = weights[first : first + some] @ moves
        out[first : first + some] = np.einsum("ij,ij,ij->i", moved, moved, moved)
    return out


def unseen(own: Array, block: Block, room: Array, variance: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """How far one more unit that turns over would move each contrast down, and up; where pseudo-values do not vary.

    ``room`` ``[2, cells]`` is how far the means lie from the ends of their ranges. The cells of a contrast may turn
    over together, each from its mean to the end of its range. A single pseudo-value cannot turn over, but where none
    varies the whole range stands in: no spread seen is no proof of none.
    """
    room = np.where(block.pseudo, 0.0, room)
    plus, minus = np.clip(own, 0.0, None), np.clip(-own, 0.0, None)
    down, up = plus @ room[0] + minus @ room[1], plus @ room[1] + minus @ room[0]
    flat = np.zeros(len(own), dtype=bool)
    if block.pseudo.any():
        reach = np.maximum(plus @ block.widths, minus @ block.widths)
        flat = variance <= (FLAT * reach) ** 2
        down, up = np.where(flat, reach, down), np.where(flat, reach, up)
    size = _units(own, block)
    return down / size, up / size, flat


def _units(own: Array, block: Block) -> Array:
    """How many units one that turns over is out of: groups where fewer than 2.6 of them differ, else examples.

    The effective number that differ is ``(sum of squares)^2 / sum of fourth powers`` of what each moves. Where many
    groups differ in part, the variance is small as well, but known.
    """
    if block.alone is None or block.moves is None:
        return np.full(len(own), float(max(block.n, 1)))
    squares = (own @ block.moves) ** 2
    fourth = (squares**2).sum(axis=1)
    number = np.divide(squares.sum(axis=1) ** 2, fourth, out=np.zeros(len(own)), where=fourth > 0)
    return np.where(number < RULE_OF_THREE**2, float(block.moves.shape[1]), float(block.n))


def block_root(block: Block) -> tuple[Array, float]:
    """The symmetric root of the covariance of a block's cell means, and its Satterthwaite df by traces."""
    cov, over = _widened(block)
    place = {int(cell): position for position, cell in enumerate(block.cells)}
    for group in block.groups:
        at = np.ix_(*[[place[int(cell)] for cell in group.cells]] * 2)
        cov[at] += group.trial - group.residual
        over += np.trace(group.trial) ** 2 / group.df
    if block.n:
        low = (RULE_OF_THREE * block.widths / _units(np.eye(len(cov)), block)) ** 2 - np.diag(cov)
        varies = block.pseudo & (np.diag(cov) > (FLAT * block.widths) ** 2)
        cov[np.diag_indices_from(cov)] += np.where(varies, 0.0, np.clip(low, 0.0, None))
    df = float(ratio(np.array(np.trace(cov) ** 2), np.array(over)))
    return symmetric_root(cov), df


def symmetric_root(cov: Array) -> Array:
    """The symmetric ``root`` with ``root @ root = cov``, negative eigenvalues set to 0.

    Noise is drawn with it. It is the only one, where eigenvectors may have either sign, or be any of a plane: with
    them, another processor or another number of threads drew other noise from the same seed.
    """
    values, vectors = np.linalg.eigh(cov)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T)


def _widened(block: Block) -> tuple[Array, float]:
    """The example covariance with the variance of each cell that its contrast has; its trace squared over its df."""
    if block.alone is None and not block.halves:
        return block.example.copy(), np.trace(block.example) ** 2 / block.df
    now = np.diag(block.example)
    single = np.zeros((len(block.cells), int(block.cells.max()) + 1))
    single[np.arange(len(block.cells)), block.cells] = 1.0
    wanted, df, _ = example_parts(single, block)
    scale = np.sqrt(np.divide(wanted, now, out=np.zeros_like(wanted), where=now > 0))
    cov = block.example * scale[:, None] * scale
    cov[np.diag_indices_from(cov)] = wanted
    return cov, float(wanted.sum() * (wanted / df).sum())


def quadratic(rows: Array, cov: Array) -> Array:
    """The variance of each contrast, ``[contrasts]``, never below 0."""
    return np.clip(np.einsum("ij,ij->i", rows @ cov, rows), 0.0, None)


def ratio(top: Array, bottom: Array) -> Array:
    """``top / bottom``, infinite where ``bottom`` is 0."""
    return np.divide(top, bottom, out=np.full(np.shape(top), np.inf), where=bottom > 0)
