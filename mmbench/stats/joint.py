"""Cell means with their joint uncertainty, and contrasts of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbench.stats import levels as further
from mmbench.stats.estimates import Array, Contrasts

FLOOR_DF = 8.0
RULE_OF_THREE = 3.0 / 1.8595480375228424  # 3 / t(0.95, 8)
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
    hold pseudo-values of a statistic.
    """

    cells: NDArray[np.intp]
    example: Array
    df: float
    n: int
    widths: Array
    pseudo: NDArray[np.bool_]
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True)
class Joint:
    """Cell means with their joint uncertainty. ``means`` is ``[cells]``, in printed units.

    ``limits`` is ``[cells, 2]``: the range of cells that hold a jackknifed statistic, infinite for others.
    ``levels`` are further random levels, whose variances are added.
    """

    means: Array
    blocks: tuple[Block, ...] = field(repr=False)
    limits: Array | None = field(default=None, repr=False)
    levels: tuple[further.Level, ...] = field(default=(), repr=False)

    def contrasts(self, weights: ArrayLike, constants: ArrayLike = 0.0) -> Contrasts:
        """``weights @ means + constants`` with standard errors; ``weights`` is ``[contrasts, cells]``."""
        rows = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        value = rows @ self.means + np.asarray(constants, dtype=np.float64)
        trials, examples, shared, own_trials, over_trials, over_examples = np.zeros((6, len(rows)))
        floored = np.zeros(len(rows), dtype=bool)
        for block in self.blocks:
            if not rows[:, block.cells].any():
                continue
            v_trials, v_shared, d_trials = _trial_parts(rows, block)
            v_examples, df_examples, on_floor = _example_part(rows, block)
            floored |= on_floor
            kept = np.minimum(v_shared, np.minimum(v_trials, v_examples))
            trials += v_trials
            examples += v_examples
            shared += kept
            own = v_trials - kept / 2
            own_trials += own
            over_trials += d_trials * np.divide(own, v_trials, out=np.zeros(len(rows)), where=v_trials > 0) ** 2
            over_examples += np.divide(v_examples**2, df_examples, out=np.zeros(len(rows)), where=v_examples > 0)
        added, over_levels = further.parts(self.levels, rows)
        total = trials + examples - shared + added
        df_trials = _ratio(own_trials**2, over_trials)
        df = _ratio(total**2, over_trials + over_examples + over_levels)
        df = np.minimum(df, df_trials * _ratio(total, own_trials))
        df_examples = _ratio(examples**2, over_examples)
        least, most = self._range(rows, np.asarray(constants, dtype=np.float64), ~floored)
        df_levels = _ratio(added**2, over_levels)
        return Contrasts(
            value, np.sqrt(total), df, trials, examples, shared, df_trials, df_examples, least, most, added, df_levels
        )

    def _range(self, rows: Array, constants: Array, varies: NDArray[np.bool_]) -> tuple[Array, Array]:
        """The range of each contrast that is a single jackknifed statistic, infinite for others."""
        least, most = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)
        if self.limits is not None:
            single = np.flatnonzero(((rows != 0).sum(axis=1) == 1) & varies)
            cell = np.argmax(rows[single] != 0, axis=1)
            weight = rows[single, cell]
            ends = np.sort(weight[:, None] * self.limits[cell], axis=1)
            shift = np.broadcast_to(constants, len(rows))[single]
            least[single], most[single] = ends[:, 0] + shift, ends[:, 1] + shift
        return least, most

    def covariance(self) -> Array:
        """``[cells, cells]`` covariance of the means."""
        out = np.zeros((len(self.means), len(self.means)))
        for block in self.blocks:
            root, _ = _block_root(block)
            out[np.ix_(block.cells, block.cells)] = root @ root.T
        return out + sum((level.covariance for level in self.levels), np.zeros_like(out))

    def noise(self, count: int, rng: np.random.Generator) -> Array:
        """``[count, cells]`` errors of the means redrawn: this covariance, with the tails of Student's t."""
        out = np.zeros((count, len(self.means)))
        for block in self.blocks:
            root, df = _block_root(block)
            noise = rng.standard_normal((count, len(block.cells))) @ root.T
            if math.isfinite(df):
                noise *= np.sqrt(df / rng.chisquare(df, (count, 1)))
            out[:, block.cells] = noise
        for level in self.levels:
            out += level.noise(count, rng)
        return out


def printed(values: ArrayLike, errors: ArrayLike, dfs: ArrayLike) -> Joint:
    """Joint uncertainty of independent printed means with standard ``errors`` of ``dfs`` degrees of freedom (Welch)."""
    means = np.asarray(values, dtype=np.float64)
    rows = zip(np.asarray(errors, dtype=np.float64), np.asarray(dfs, dtype=np.float64), strict=True)
    blocks = (
        Block(np.array([i]), np.array([[error**2]]), float(df), 0, np.ones(1), np.zeros(1, dtype=bool))
        for i, (error, df) in enumerate(rows)
    )
    return Joint(means, tuple(blocks))


def _trial_parts(rows: Array, block: Block) -> tuple[Array, Array, Array]:
    """Trial and residual variances of each contrast, and the former squared over its degrees of freedom."""
    parts = np.zeros((3, len(rows)))
    for group in block.groups:
        v_trial = _quadratic(rows[:, group.cells], group.trial)
        v_residual = _quadratic(rows[:, group.cells], group.residual)
        parts += np.stack([v_trial, v_residual, v_trial**2 / group.df])
    return parts[0], parts[1], parts[2]


def _example_part(rows: Array, block: Block) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Example variance of each contrast, not below the floor; its degrees of freedom; whether the floor stands in."""
    own = rows[:, block.cells]
    variance = _quadratic(own, block.example)
    df = np.full(len(rows), block.df)
    low = np.zeros(len(rows), dtype=bool)
    if block.n:
        floor = (RULE_OF_THREE * _reach(own * np.where(block.pseudo, 0.0, block.widths)) / block.n) ** 2
        if block.pseudo.any():
            reach = _reach(own * block.widths)
            floor = np.where(variance <= (FLAT * reach) ** 2, (RULE_OF_THREE * reach / block.n) ** 2, floor)
        low = variance < floor
        df = np.where(low, FLOOR_DF, df)
        variance = np.maximum(variance, floor)
    return variance, df, low


def _reach(turned: Array) -> Array:
    """How far each contrast moves if one side of it turns over on an example."""
    return np.maximum(np.clip(turned, 0, None).sum(axis=1), np.clip(-turned, 0, None).sum(axis=1))


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
