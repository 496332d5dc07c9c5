"""Means over crossed trials and examples, printed means, several claims: numbers in, numbers out.

A cell's outcomes are ``[trials, examples]``; cells on the same examples form a block. A contrast is a weighted sum of
cell means. Within a block every cell shares the examples, and cells with the same number of trials share the trials;
blocks are independent, and the set of blocks is fixed (a claim names its datasets).

For one block with trials t and examples i, outcome = mean + trial_t + example_i + residual_ti, so that::

    Var(mean) = Var(trial means)/T + Var(example means)/n - Var(residual)/(T n)

each term estimated by its mean square. The last is subtracted because the first two both contain it; never so much
that the sum falls below either. Degrees of freedom are Satterthwaite's, capped at what the trials alone allow
(``(T - 1) * V / V_trials``): without the cap a chance-small trial component claims the examples' many degrees of
freedom, and 95 % intervals covered 90.7 % with 2 trials. For both, the trial component counts without half of what it
shares with the examples: with all of it, intervals covered up to 99 % where outcomes are mostly noise, with none
89.7 % with 3 trials (simulations of the three, 12,000 runs a point). Trials that are unrelated between cells (two
protocols) may still be paired by number: that is unbiased and costs degrees of freedom only.

Floor: when all n examples agree, up to about 3/n of the population may still differ (rule of three). The standard
error of the example part is therefore never below ``3 r / n / t(0.95, 8)``, r being the change if one side of the
contrast turned over on an example, with 8 degrees of freedom (whose tail stays above the exact exponential one down to
p = 0.0001). It binds only where fewer than 2.6 examples differ.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.05
FLOOR_DF = 8.0
RULE_OF_THREE = 3.0 / 1.8595480375228424  # 3 / t(0.95, 8)
MOST_NEEDED = 1_000_000
TOGETHER = 2**20  # outcomes in double precision at a time, 8 MB: more would leave the cache

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A contrast with its standard error; ``p_above`` is the one-sided p-value of ``value > 0``.

    ``trials``, ``examples``, ``shared`` are the variance components of the mean: from trial means, from example means,
    and what both contain (subtracted). ``se`` is infinite when nothing about the spread can be estimated.
    """

    value: float
    se: float
    df: float
    trials: float = 0.0
    examples: float = 0.0
    shared: float = 0.0
    df_trials: float = math.inf
    df_examples: float = math.inf

    def p_above(self) -> float:
        """P of an estimate this large or larger if the truth were 0."""
        return float(_t_sf(np.array([self.value]), np.array([self.se]), np.array([self.df]))[0])

    def p_below(self) -> float:
        """P of an estimate this small or smaller if the truth were 0."""
        return float(_t_sf(np.array([-self.value]), np.array([self.se]), np.array([self.df]))[0])

    def bound(self, level: float) -> float:
        """The one-sided confidence bound: lower for ``level`` < 0.5 (0.05: 95 % of bounds lie below the truth)."""
        if self.se == 0.0:
            return self.value
        if not math.isfinite(self.se) or level <= 0 or level >= 1:
            return math.copysign(math.inf, level - 0.5)
        return self.value + self.se * float(_special().stdtrit(min(self.df, 1e9), level))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The two-sided interval of that confidence."""
        tail = (1 - confidence) / 2
        return self.bound(tail), self.bound(1 - tail)


@dataclass(frozen=True)
class _Group:
    """Cells of a block that share their trials: covariances of the mean through trials and through residuals."""

    cells: NDArray[np.intp]
    trial: Array
    residual: Array
    df: float


@dataclass(frozen=True)
class _Block:
    """Cells on the same examples. ``n`` counts examples for the floor; 0 where no floor applies (printed numbers)."""

    cells: NDArray[np.intp]
    example: Array
    df: float
    n: int
    scales: Array
    groups: tuple[_Group, ...] = ()


@dataclass(frozen=True)
class Contrasts:
    """Estimates of many contrasts at once; every field is ``[contrasts]``."""

    value: Array
    se: Array
    df: Array
    trials: Array
    examples: Array
    shared: Array
    df_trials: Array
    df_examples: Array

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: int) -> Estimate:
        return Estimate(*(float(getattr(self, name)[index]) for name in Estimate.__dataclass_fields__))

    def p_above(self) -> Array:
        """One-sided p-values of ``value > 0``; 1 where the spread is unknown."""
        return _t_sf(self.value, self.se, self.df)

    def p_below(self) -> Array:
        """One-sided p-values of ``value < 0``; 1 where the spread is unknown."""
        return _t_sf(-self.value, self.se, self.df)


@dataclass(frozen=True)
class Joint:
    """Cell means with their joint uncertainty. ``means`` is ``[cells]``, in printed units."""

    means: Array
    blocks: tuple[_Block, ...] = field(repr=False)

    def contrasts(self, weights: ArrayLike, constants: ArrayLike = 0.0) -> Contrasts:
        """``weights @ means + constants`` with standard errors; ``weights`` is ``[contrasts, cells]``."""
        rows = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        value = rows @ self.means + np.asarray(constants, dtype=np.float64)
        trials, examples, shared, own_trials, over_trials, over_examples = np.zeros((6, len(rows)))
        for block in self.blocks:
            if not rows[:, block.cells].any():
                continue
            v_trials, v_shared, d_trials = _trial_parts(rows, block)
            v_examples, df_examples = _example_part(rows, block)
            kept = np.minimum(v_shared, np.minimum(v_trials, v_examples))
            trials += v_trials
            examples += v_examples
            shared += kept
            own = v_trials - kept / 2
            own_trials += own
            over_trials += d_trials * np.divide(own, v_trials, out=np.zeros(len(rows)), where=v_trials > 0) ** 2
            over_examples += np.divide(v_examples**2, df_examples, out=np.zeros(len(rows)), where=v_examples > 0)
        total = trials + examples - shared
        df_trials = _ratio(own_trials**2, over_trials)
        df = _ratio(total**2, over_trials + over_examples)
        df = np.minimum(df, df_trials * _ratio(total, own_trials))
        df_examples = _ratio(examples**2, over_examples)
        return Contrasts(value, np.sqrt(total), df, trials, examples, shared, df_trials, df_examples)

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


def crossed(outcomes: Sequence[NDArray], scales: Sequence[float], examples: Sequence[Hashable]) -> Joint:
    """Joint uncertainty of cell means from ``[trials, examples]`` outcomes.

    ``scales`` turn outcomes into printed units; ``examples`` says which cells share theirs. A cell with one trial adds
    no trial component, one with one example no example component but the floor: what cannot be estimated is left out,
    and the caller says so.
    """
    means = np.array([scale * x.mean(dtype=np.float64) for x, scale in zip(outcomes, scales, strict=True)])
    by_block: dict[tuple[Hashable, int], list[int]] = {}
    for index, key in enumerate(examples):
        by_block.setdefault((key, outcomes[index].shape[1]), []).append(index)
    blocks = (
        _crossed_block([outcomes[i] for i in cells], np.array([scales[i] for i in cells]), np.array(cells))
        for cells in by_block.values()
    )
    return Joint(means, tuple(blocks))


def printed(values: ArrayLike, errors: ArrayLike, dfs: ArrayLike) -> Joint:
    """Joint uncertainty of independent printed means with standard ``errors`` of ``dfs`` degrees of freedom (Welch)."""
    means = np.asarray(values, dtype=np.float64)
    rows = zip(np.asarray(errors, dtype=np.float64), np.asarray(dfs, dtype=np.float64), strict=True)
    blocks = (
        _Block(np.array([i]), np.array([[error**2]]), float(df), 0, np.ones(1)) for i, (error, df) in enumerate(rows)
    )
    return Joint(means, tuple(blocks))


def crossed_mean(
    outcomes: Sequence[NDArray], weights: Sequence[float], examples: Sequence[Hashable], constant: float = 0.0
) -> Estimate:
    """One contrast: ``sum(weight * mean(outcomes)) + constant``. See ``crossed``."""
    joint = crossed(outcomes, [1.0] * len(outcomes), examples)
    return joint.contrasts([list(weights)], constant)[0]


def _crossed_block(outcomes: list[NDArray], scales: Array, cells: NDArray[np.intp]) -> _Block:
    n = outcomes[0].shape[1]
    groups: dict[int, list[int]] = {}
    for position, x in enumerate(outcomes):
        groups.setdefault(x.shape[0], []).append(position)
    example_means = np.empty((len(outcomes), n))
    made = []
    for trials, members in groups.items():
        group, rows = _group([outcomes[i] for i in members], scales[members], cells[members], trials)
        example_means[members] = rows
        made.append(group)
    centred = example_means - example_means.mean(axis=1, keepdims=True)
    example = centred @ centred.T / (max(n - 1, 1) * n)
    return _Block(cells, example, float(max(n - 1, 1)), n, scales, tuple(made))


def _group(outcomes: list[NDArray], scales: Array, cells: NDArray[np.intp], trials: int) -> tuple[_Group, Array]:
    """Trial and residual covariances of the cells' means, and their example means ``[cells, examples]``."""
    size, n = len(outcomes), outcomes[0].shape[1]
    by_example = np.stack([scale * x.mean(axis=0, dtype=np.float64) for x, scale in zip(outcomes, scales, strict=True)])
    means = by_example.mean(axis=1)
    residual = np.zeros((size, size))
    by_trial = np.empty((size, trials))
    some = max(TOGETHER // (size * n), 1)
    for first in range(0, trials if trials > 1 else 0, some):
        part = slice(first, first + some)
        rows = np.stack([x[part] for x in outcomes], dtype=np.float64) * scales[:, None, None]
        by_trial[:, part] = rows.mean(axis=2)
        rows -= by_example[:, None]
        rows -= rows.mean(axis=2, keepdims=True)
        flat = rows.reshape(size, -1)
        residual += flat @ flat.T
    if trials == 1:
        return _Group(cells, np.zeros((size, size)), np.zeros((size, size)), math.inf), by_example
    centred = by_trial - means[:, None]
    trial = centred @ centred.T / ((trials - 1) * trials)
    residual /= (trials - 1) * max(n - 1, 1) * trials * n
    return _Group(cells, trial, residual, trials - 1.0), by_example


def _trial_parts(rows: Array, block: _Block) -> tuple[Array, Array, Array]:
    """Trial and residual variances of each contrast, and the former squared over its degrees of freedom."""
    parts = np.zeros((3, len(rows)))
    for group in block.groups:
        v_trial = _quadratic(rows[:, group.cells], group.trial)
        v_residual = _quadratic(rows[:, group.cells], group.residual)
        parts += np.stack([v_trial, v_residual, v_trial**2 / group.df])
    return parts[0], parts[1], parts[2]


def _example_part(rows: Array, block: _Block) -> tuple[Array, Array]:
    """Example variance of each contrast, not below the floor, and its degrees of freedom."""
    own = rows[:, block.cells]
    variance = _quadratic(own, block.example)
    df = np.full(len(rows), block.df)
    if block.n:
        turned = own * block.scales
        reach = np.maximum(np.clip(turned, 0, None).sum(axis=1), np.clip(-turned, 0, None).sum(axis=1))
        floor = (RULE_OF_THREE * reach / block.n) ** 2
        df = np.where(variance < floor, FLOOR_DF, df)
        variance = np.maximum(variance, floor)
    return variance, df


def _block_root(block: _Block) -> tuple[Array, float]:
    """A root of the covariance of a block's cell means (``root @ root.T``), and its Satterthwaite df by traces."""
    cov = block.example.copy()
    place = {int(cell): position for position, cell in enumerate(block.cells)}
    over = np.trace(block.example) ** 2 / block.df
    for group in block.groups:
        at = np.ix_(*[[place[int(cell)] for cell in group.cells]] * 2)
        cov[at] += group.trial - group.residual
        over += np.trace(group.trial) ** 2 / group.df
    if block.n:
        low = (RULE_OF_THREE * block.scales / block.n) ** 2 - np.diag(cov)
        cov[np.diag_indices_from(cov)] += np.clip(low, 0.0, None)
    df = float(_ratio(np.array(np.trace(cov) ** 2), np.array(over)))
    values, vectors = np.linalg.eigh(cov)
    return vectors * np.sqrt(np.clip(values, 0.0, None)), df


def _quadratic(rows: Array, cov: Array) -> Array:
    return np.clip(np.einsum("ij,ij->i", rows @ cov, rows), 0.0, None)


def _ratio(top: Array, bottom: Array) -> Array:
    """``top / bottom``, infinite where ``bottom`` is 0."""
    return np.divide(top, bottom, out=np.full(np.shape(top), np.inf), where=bottom > 0)


def _t_sf(value: Array, se: Array, df: Array) -> Array:
    """Upper tail of Student's t at ``value / se``; an exact number (``se`` 0) is decided by its sign."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(se > 0, value / se, np.where(value > 0, np.inf, -np.inf))
    p = _special().stdtr(np.minimum(df, 1e9), -t)
    return np.where(np.isinf(se), 1.0, p)


def _special():  # type: ignore[no-untyped-def]
    from scipy import special

    return special


@dataclass(frozen=True)
class Needed:
    """Factors by which trials or examples must grow to settle a margin as observed; None when even a million do not."""

    trials: float | None
    examples: float | None


def needed(estimate: Estimate, level: float = LEVEL, most: float = MOST_NEEDED) -> Needed:
    """How many times more trials, or examples, would settle ``estimate`` at one-sided ``level`` if it stayed as it is.

    Trials divide the trial component; examples divide the example component. What one cannot shrink (the examples'
    own share under more trials, the trials' under more examples) stays and may make settling impossible.
    """
    e = estimate
    if e.value == 0 or not math.isfinite(e.se):
        return Needed(None, None)
    pure_examples, pure_trials = max(e.examples - e.shared, 0.0), max(e.trials - e.shared, 0.0)

    def settled(scaled: float, fixed: float, df_scaled: float, df_fixed: float, factor: float) -> bool:
        parts = ((scaled / factor, df_scaled * factor), (fixed, df_fixed))
        total = sum(v for v, _ in parts)
        over = sum(v * v / df for v, df in parts if v > 0)
        df = min(total * total / over if over > 0 else math.inf, 1e9)
        return abs(e.value) >= -float(_special().stdtrit(df, level)) * math.sqrt(total)

    def search(scaled: float, fixed: float, df_scaled: float, df_fixed: float) -> float | None:
        if scaled <= 0 or not settled(scaled, fixed, df_scaled, df_fixed, most):
            return None
        low, high = 1.0, most
        while high / low > 1.005:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if settled(scaled, fixed, df_scaled, df_fixed, middle) else (middle, high)
        return high

    return Needed(
        search(e.trials, pure_examples, e.df_trials, e.df_examples),
        search(e.examples, pure_trials, e.df_examples, e.df_trials),
    )
