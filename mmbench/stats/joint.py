"""Cell means with their joint uncertainty, and contrasts of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbench.stats import levels as further
from mmbench.stats.blocks import FLAT, Block, block_root, example_parts, ratio, trial_parts, unseen
from mmbench.stats.estimates import EDGE, Array, Contrasts
from mmbench.two_workers import one_blas_thread


@dataclass(frozen=True)
class Joint:
    """Cell means with their joint uncertainty. ``means`` is ``[cells]``, in printed units.

    ``ends`` is ``[cells, 2]``, the least and the largest mean that a cell can have; infinite where none is known.
    ``limits`` are those of cells that are tested on Fisher's scale (a jackknifed statistic, a printed correlation),
    infinite for others.
    ``levels`` are further random levels, whose variances are added.
    """

    means: Array
    blocks: tuple[Block, ...] = field(repr=False)
    limits: Array | None = field(default=None, repr=False)
    ends: Array | None = field(default=None, repr=False)
    levels: tuple[further.Level, ...] = field(default=(), repr=False)

    @one_blas_thread()
    def contrasts(self, weights: ArrayLike, constants: ArrayLike = 0.0) -> Contrasts:
        """``weights @ means + constants`` with standard errors; ``weights`` is ``[contrasts, cells]``."""
        rows = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        constants = np.broadcast_to(np.asarray(constants, dtype=np.float64), len(rows))
        trials, examples, shared, pool, own_trials, over_trials, over_examples = np.zeros((7, len(rows)))
        third, down, up = np.zeros((3, len(rows)))
        flat = np.zeros(len(rows), dtype=bool)
        for block in self.blocks:
            if not rows[:, block.cells].any():
                continue
            v_trials, v_shared, v_pool, d_trials = trial_parts(rows, block)
            v_examples, df_examples, k_examples = example_parts(rows, block)
            kept = np.minimum(v_shared, np.minimum(v_trials, v_examples))
            trials += v_trials
            examples += v_examples
            shared += kept
            pool += v_pool
            own = v_trials - kept / 2
            own_trials += own
            over_trials += d_trials * np.divide(own, v_trials, out=np.zeros(len(rows)), where=v_trials > 0) ** 2
            over_examples += v_examples**2 / df_examples
            third += k_examples
            if block.n:
                one_down, one_up, one_flat = unseen(rows[:, block.cells], block, self._room(block), v_examples)
                down, up, flat = np.maximum(down, one_down), np.maximum(up, one_up), flat | one_flat
        added, over_levels = further.parts(self.levels, rows)
        total = trials + examples - shared + added
        df_trials = ratio(own_trials**2, over_trials)
        df = ratio(total**2, over_trials + over_examples + over_levels)
        df = np.minimum(df, df_trials * ratio(total, own_trials) ** (1 - 2 / (1 + df_trials) ** 2))
        least, most = self._range(rows, constants, ~flat)
        third += self._third_of_bounded(rows)
        lowest, highest = self._reachable(rows, constants)
        return Contrasts(
            value=rows @ self.means + constants,
            se=np.sqrt(total),
            df=df,
            trials=trials,
            examples=examples,
            shared=shared,
            df_trials=df_trials,
            df_examples=ratio(examples**2, over_examples),
            least=least,
            most=most,
            third=third,
            down=down,
            up=up,
            lowest=lowest,
            highest=highest,
            pool=pool,
            levels=added,
            df_levels=ratio(added**2, over_levels),
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

    def _third_of_bounded(self, rows: Array) -> Array:
        """Third cumulant of contrasts of several cells that are tested on Fisher's scale when each is by itself.

        Such a cell is ``g(z) = middle + half tanh(z)`` with z nearly normal, so a contrast of them is skewed; by the
        delta method to second order, ``3 sum of w_i g''_i (Cov(cell_i, contrast) / g'_i)^2``. A cell at an end of its
        range has no slope there, and its variance is that of what was not seen: it counts as symmetric.
        """
        out = np.zeros(len(rows))
        if self.limits is None:
            return out
        ends = np.abs(self.means[:, None] - self.limits).min(axis=1) <= FLAT * np.ptp(self.limits, axis=1)
        bounded = np.isfinite(self.limits).all(axis=1) & ~ends
        several = np.flatnonzero(((rows != 0).sum(axis=1) > 1) & (rows[:, bounded] != 0).any(axis=1))
        if len(several):
            low, high = self.limits[bounded].T
            half, at = (high - low) / 2, self.means[bounded]
            inside = np.clip((at - (low + high) / 2) / half, -1 + EDGE, 1 - EDGE)
            slope = half * (1 - inside**2)
            shared = rows[several] @ self.covariance[:, bounded]
            out[several] = 3 * (rows[several][:, bounded] * (-2 * inside * slope) * (shared / slope) ** 2).sum(axis=1)
        return out

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

    @cached_property
    def _roots(self) -> list[tuple[Array, float]]:
        """By block, the root of the covariance of its means, and its degrees of freedom."""
        return [block_root(block) for block in self.blocks]

    @cached_property
    def covariance(self) -> Array:
        """``[cells, cells]`` covariance of the means."""
        out = np.zeros((len(self.means), len(self.means)))
        for block, (root, _) in zip(self.blocks, self._roots, strict=True):
            out[np.ix_(block.cells, block.cells)] = root @ root
        out += sum((level.covariance for level in self.levels), np.zeros_like(out))
        out.flags.writeable = False  # it is kept
        return out

    def noise(self, count: int, rng: np.random.Generator) -> Array:
        """``[count, cells]`` errors of the means redrawn: this covariance, with the tails of Student's t."""
        out = np.zeros((count, len(self.means)))
        for block, (root, df) in zip(self.blocks, self._roots, strict=True):
            noise = rng.standard_normal((count, len(block.cells))) @ root
            if math.isfinite(df):
                noise *= np.sqrt(df / rng.chisquare(df, (count, 1)))
            out[:, block.cells] = noise
        for level in self.levels:
            out += level.noise(count, rng)
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
