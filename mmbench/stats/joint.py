"""Cell means with their joint uncertainty, and contrasts of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbench.stats.estimates import Array, Contrasts

RULE_OF_THREE = 3.0 / 1.8595480375228424  # 3 / t(0.95, 8): redrawn means have the tails of 8 degrees of freedom
TOGETHER = 2**20  # numbers in double precision at a time, 8 MB: more would leave the cache
FLAT = 1e-6  # of the range: pseudo-values whose mean has a smaller standard error do not vary (single precision)


@dataclass(frozen=True)
class Group:
    """Cells of a block that share their trials: covariances of the mean through trials and through residuals."""

    cells: NDArray[np.intp]
    trial: Array
    residual: Array
    df: float


@dataclass(frozen=True)
class Block:
    """Cells on the same examples. ``n`` counts examples for the floor; 0 where no floor applies (printed numbers).

    ``widths`` are the cells' ranges in printed units, from the worst outcome to the best; ``pseudo`` says which cells
    hold pseudo-values of a statistic. ``moves`` is ``[cells, units]``: how far each of the units that are drawn
    independently of each other (an example) moves the means from where they would be without it, centred; their cubes
    are the third cumulant of the mean.
    """

    cells: NDArray[np.intp]
    example: Array
    df: float
    n: int
    widths: Array
    pseudo: NDArray[np.bool_]
    groups: tuple[Group, ...] = ()
    moves: Array | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Joint:
    """Cell means with their joint uncertainty. ``means`` is ``[cells]``, in printed units.

    ``ends`` is ``[cells, 2]``, the least and the largest mean that a cell can have; infinite where none is known.
    ``limits`` are those of cells that are tested on Fisher's scale (a jackknifed statistic, a printed correlation),
    infinite for others.
    """

    means: Array
    blocks: tuple[Block, ...] = field(repr=False)
    limits: Array | None = field(default=None, repr=False)
    ends: Array | None = field(default=None, repr=False)

    def contrasts(self, weights: ArrayLike, constants: ArrayLike = 0.0) -> Contrasts:
        """``weights @ means + constants`` with standard errors; ``weights`` is ``[contrasts, cells]``."""
        rows = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        constants = np.broadcast_to(np.asarray(constants, dtype=np.float64), len(rows))
        trials, examples, shared, own_trials, over_trials, over_examples = np.zeros((6, len(rows)))
        third, down, up = np.zeros((3, len(rows)))
        flat = np.zeros(len(rows), dtype=bool)
        for block in self.blocks:
            if not rows[:, block.cells].any():
                continue
            v_trials, v_shared, d_trials = _trial_parts(rows, block)
            v_examples = _quadratic(rows[:, block.cells], block.example)
            kept = np.minimum(v_shared, np.minimum(v_trials, v_examples))
            trials += v_trials
            examples += v_examples
            shared += kept
            own = v_trials - kept / 2
            own_trials += own
            over_trials += d_trials * np.divide(own, v_trials, out=np.zeros(len(rows)), where=v_trials > 0) ** 2
            over_examples += v_examples**2 / block.df
            if block.n:
                one_down, one_up, one_flat = _unseen(rows[:, block.cells], block, self._room(block), v_examples)
                down, up, flat = np.maximum(down, one_down), np.maximum(up, one_up), flat | one_flat
                third += _third(rows[:, block.cells], block)
        total = trials + examples - shared
        df_trials = _ratio(own_trials**2, over_trials)
        df = _ratio(total**2, over_trials + over_examples)
        df = np.minimum(df, df_trials * _ratio(total, own_trials) ** (1 - 2 / (1 + df_trials) ** 2))
        least, most = self._range(rows, constants, ~flat)
        lowest, highest = self._reachable(rows, constants)
        return Contrasts(
            value=rows @ self.means + constants,
            se=np.sqrt(total),
            df=df,
            trials=trials,
            examples=examples,
            shared=shared,
            df_trials=df_trials,
            df_examples=_ratio(examples**2, over_examples),
            least=least,
            most=most,
            third=third,
            down=down,
            up=up,
            lowest=lowest,
            highest=highest,
        )

    def _range(self, rows: Array, constants: Array, varies: NDArray[np.bool_]) -> tuple[Array, Array]:
        """The range of each contrast that is a single jackknifed statistic, infinite for others."""
        least, most = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)
        if self.limits is not None:
            single = np.flatnonzero(((rows != 0).sum(axis=1) == 1) & varies)
            cell = np.argmax(rows[single] != 0, axis=1)
            weight = rows[single, cell]
            ends = np.sort(weight[:, None] * self.limits[cell], axis=1)
            shift = constants[single]
            least[single], most[single] = ends[:, 0] + shift, ends[:, 1] + shift
        return least, most

    def _reachable(self, rows: Array, constants: Array) -> tuple[Array, Array]:
        """The least and the largest value that each contrast can have."""
        if self.ends is None:
            return np.full(len(rows), -np.inf), np.full(len(rows), np.inf)
        known = np.isfinite(self.ends).all(axis=1)
        low, high = np.where(known, self.ends.T, 0.0)
        plus, minus = np.clip(rows, 0.0, None), np.clip(-rows, 0.0, None)
        open_ended = (rows[:, ~known] != 0).any(axis=1)
        lowest, highest = plus @ low - minus @ high + constants, plus @ high - minus @ low + constants
        return np.where(open_ended, -np.inf, lowest), np.where(open_ended, np.inf, highest)

    def _room(self, block: Block) -> Array:
        """``[2, cells]``: how far the means of a block lie above the least and below the largest they can have."""
        if self.ends is None:
            return np.zeros((2, len(block.cells)))
        means, ends = self.means[block.cells], self.ends[block.cells]
        return np.clip(np.stack([means - ends[:, 0], ends[:, 1] - means]), 0.0, None)

    def covariance(self) -> Array:
        """``[cells, cells]`` covariance of the means."""
        out = np.zeros((len(self.means), len(self.means)))
        for block in self.blocks:
            root, _ = _block_root(block)
            out[np.ix_(block.cells, block.cells)] = root @ root.T
        return out

    def noise(self, count: int, rng: np.random.Generator) -> Array:
        """``[count, cells]`` errors of the means redrawn: this covariance, with the tails of Student's t."""
        out = np.zeros((count, len(self.means)))
        for block in self.blocks:
            root, df = _block_root(block)
            noise = rng.standard_normal((count, len(block.cells))) @ root.T
            if math.isfinite(df):
                noise *= np.sqrt(df / rng.chisquare(df, (count, 1)))
            out[:, block.cells] = noise
        return out


def printed(values: ArrayLike, errors: ArrayLike, dfs: ArrayLike, limits: ArrayLike | None = None) -> Joint:
    """Joint uncertainty of independent printed means with standard ``errors`` of ``dfs`` degrees of freedom (Welch).

    ``limits`` ``[cells, 2]`` are the ends of the range of correlations, which are tested on Fisher's scale; infinite
    for other numbers.
    """
    means = np.asarray(values, dtype=np.float64)
    rows = zip(np.asarray(errors, dtype=np.float64), np.asarray(dfs, dtype=np.float64), strict=True)
    blocks = (
        Block(np.array([i]), np.array([[error**2]]), float(df), 0, np.ones(1), np.zeros(1, dtype=bool))
        for i, (error, df) in enumerate(rows)
    )
    ends = None if limits is None else np.asarray(limits, dtype=np.float64)
    return Joint(means, tuple(blocks), ends, ends)


def _trial_parts(rows: Array, block: Block) -> tuple[Array, Array, Array]:
    """Trial and residual variances of each contrast, and the former squared over its degrees of freedom."""
    parts = np.zeros((3, len(rows)))
    for group in block.groups:
        v_trial = _quadratic(rows[:, group.cells], group.trial)
        v_residual = _quadratic(rows[:, group.cells], group.residual)
        parts += np.stack([v_trial, v_residual, v_trial**2 / group.df])
    return parts[0], parts[1], parts[2]


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


def _unseen(own: Array, block: Block, room: Array, variance: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """How far one more unit that turns over would move each contrast down, and up; where pseudo-values do not vary.

    The cells of a contrast may turn over together, each from its mean to the end of its range. A single pseudo-value
    cannot turn over, but where none varies the whole range stands in: no spread seen is no proof of none.
    """
    size = block.n if block.moves is None else block.moves.shape[1]
    room = np.where(block.pseudo, 0.0, room)
    plus, minus = np.clip(own, 0.0, None), np.clip(-own, 0.0, None)
    down, up = plus @ room[0] + minus @ room[1], plus @ room[1] + minus @ room[0]
    flat = np.zeros(len(own), dtype=bool)
    if block.pseudo.any():
        reach = np.maximum(plus @ block.widths, minus @ block.widths)
        flat = variance <= (FLAT * reach) ** 2
        down, up = np.where(flat, reach, down), np.where(flat, reach, up)
    return down / size, up / size, flat


def _block_root(block: Block) -> tuple[Array, float]:
    """A root of the covariance of a block's cell means (``root @ root.T``), and its Satterthwaite df by traces."""
    cov = block.example.copy()
    place = {int(cell): position for position, cell in enumerate(block.cells)}
    over = np.trace(block.example) ** 2 / block.df
    for group in block.groups:
        at = np.ix_(*[[place[int(cell)] for cell in group.cells]] * 2)
        cov[at] += group.trial - group.residual
        over += np.trace(group.trial) ** 2 / group.df
    if block.n:
        low = (RULE_OF_THREE * block.widths / block.n) ** 2 - np.diag(cov)
        varies = block.pseudo & (np.diag(cov) > (FLAT * block.widths) ** 2)
        cov[np.diag_indices_from(cov)] += np.where(varies, 0.0, np.clip(low, 0.0, None))
    df = float(_ratio(np.array(np.trace(cov) ** 2), np.array(over)))
    values, vectors = np.linalg.eigh(cov)
    return vectors * np.sqrt(np.clip(values, 0.0, None)), df


def _quadratic(rows: Array, cov: Array) -> Array:
    return np.clip(np.einsum("ij,ij->i", rows @ cov, rows), 0.0, None)


def _ratio(top: Array, bottom: Array) -> Array:
    """``top / bottom``, infinite where ``bottom`` is 0."""
    return np.divide(top, bottom, out=np.full(np.shape(top), np.inf), where=bottom > 0)
