"""Means over crossed trials and examples, printed means, several claims: numbers in, numbers out.

A cell's outcomes are ``[trials, examples]``; cells on the same examples form a block. A contrast is a weighted sum of
cell means. Within a block every cell shares the examples, and cells with the same number of trials share the trials;
blocks are independent, and the set of blocks is fixed (a claim names its datasets).

For one block with trials t and examples i, outcome = mean + trial_t + example_i + residual_ti, so that::

    Var(mean) = Var(trial means)/T + Var(example means)/n - Var(residual)/(T n)

each term estimated by its mean square. The last is subtracted because the first two both contain it; never so much
that the sum falls below either. Degrees of freedom are Satterthwaite's, capped at what T trials alone allow::

    (T - 1) * (V / V_trials) ** (1 - 2 / T**2)

Without the cap a chance-small trial component claims the examples' many degrees of freedom, and 95 % intervals covered
90.7 % with 2 trials. The exponent is near 1 but for few trials: with exponent 1, real digits with 2 trials were decided
falsely in up to 8.0 % a side, with 3 in up to 5.6 % (``tests/stats/test_few_trials.py``). For both, the trial component
counts without half of what it shares with the examples: with all of it, intervals covered up to 99 % where outcomes are
mostly noise, with none 89.7 % with 3 trials (simulations of the three, 12,000 runs a point). Trials that are unrelated
between cells (two protocols) may still be paired by number: that is unbiased and costs degrees of freedom only.

Trials that draw their training rows from one pool tell of fresh pools after a correction: ``stats.pools``.

Skewness and what was not seen: ``stats.tails``. The example part carries its third cumulant, the sum over examples of
what each moves the mean by, cubed; the trial part counts as symmetric. When all n examples agree, up to about 3/n of
the population may still differ (rule of three): one example more that turns over counts in every test.

Pseudo-values of a jackknifed statistic go through the same components. No single one of them can turn over, so none is
counted, except where they do not vary at all: no spread seen is no proof of none, and the statistic's whole range
stands in. Nor does their third moment count: it is that of a linear approximation. A contrast of several such
statistics is skewed as Fisher's scale says (``Joint``), a single one is tested on that scale.

Examples that were made from one thing are not independent: ``stats.grouped`` says what takes the place of the example
and residual components. Cells whose probe is fitted on its test examples are measured on halves of them too:
``stats.halves``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores
from mmbench.stats.blocks import TOGETHER, Block, Group
from mmbench.stats.estimates import Array, Estimate
from mmbench.stats.grouped import Grouping, grouping
from mmbench.stats.halves import over_halves
from mmbench.stats.joint import Joint
from mmbench.stats.pools import over_fresh_pools
from mmbench.two_workers import one_blas_thread


@dataclass(frozen=True)
class Range:
    """The bounds of a cell's outcomes, before scaling; of their statistic where they are pseudo-values (``pseudo``)."""

    low: float = 0.0
    high: float = 1.0
    pseudo: bool = False


@dataclass(frozen=True)
class Sample:
    """The outcomes of one cell, ``[trials, examples]``; cells with equal ``examples`` have the same ones, in order.

    ``scale`` turns outcomes into printed units. ``groups`` int ``[examples]`` names what an example was made from (a
    drawing, a person), or int ``[examples, k]`` the things that it joins (-1: none, or no further one): examples that
    share one are not independent. ``halves`` ``[halves]`` are means of outcomes when only a random half of the examples
    was there, the same halves for all cells on these examples: for a probe that is fitted on its test examples.
    ``pool`` is the share of the training pool that each trial draws; None where trials are no draws from a pool.
    """

    outcomes: NDArray
    scale: float = 1.0
    examples: Hashable = ""
    range: Range = Range()
    groups: NDArray[np.int64] | None = None
    halves: NDArray | None = None
    pool: float | None = None

    @cached_property
    def by_example(self) -> Array:
        """The mean over trials of each example, ``[examples]``, scaled."""
        found = self.scale * self.outcomes.mean(axis=0, dtype=np.float64)
        found.flags.writeable = False  # it is kept
        return np.asarray(found)

    @cached_property
    def by_trial(self) -> Array:
        """The mean over examples of each trial, ``[trials]``, scaled."""
        found = self.scale * self.outcomes.mean(axis=1, dtype=np.float64)
        found.flags.writeable = False  # it is kept
        return np.asarray(found)

    @cached_property
    def mean(self) -> float:
        """The mean over trials and examples, scaled."""
        return float(self.scale * self.outcomes.mean(dtype=np.float64))

    @cached_property
    def grouping(self) -> Grouping | None:
        """What is summed together where examples are grouped."""
        return None if self.groups is None else grouping(self.groups)


@one_blas_thread()
def crossed(samples: Sequence[Sample], kept: Residuals | None = None) -> Joint:
    """Joint uncertainty of the means of cells. With ``kept``, what earlier calls multiplied is not multiplied again.

    A cell with one trial adds no trial component, one with one example no example component but the floor: what cannot
    be estimated is left out, and the caller says so.
    """
    means = np.array([s.mean for s in samples])
    by_block: dict[tuple[Hashable, int], list[int]] = {}
    for index, sample in enumerate(samples):
        by_block.setdefault((sample.examples, sample.outcomes.shape[1]), []).append(index)
    factors = np.array([s.scale for s in samples], dtype=np.float64)
    widths = np.array([s.range.high - s.range.low for s in samples]) * np.abs(factors)
    pseudo = np.array([s.range.pseudo for s in samples], dtype=bool)
    blocks, kept = [], kept or Residuals()
    for cells in by_block.values():
        at = np.array(cells)
        own = [samples[i] for i in cells]
        shared = _shared_grouping(own)
        blocks.append(_block(own, factors[at], at, widths[at], pseudo[at], shared, kept))
    ends = np.sort(factors[:, None] * np.array([(s.range.low, s.range.high) for s in samples]).reshape(-1, 2), axis=1)
    limits = np.where(pseudo[:, None], ends, [-np.inf, np.inf]) if pseudo.any() else None
    return Joint(means, tuple(blocks), limits, ends)


def crossed_mean(
    outcomes: Sequence[NDArray], weights: Sequence[float], examples: Sequence[Hashable], constant: float = 0.0
) -> Estimate:
    """One contrast: ``sum(weight * mean(outcomes)) + constant``. See ``crossed``."""
    joint = crossed([Sample(x, examples=key) for x, key in zip(outcomes, examples, strict=True)])
    return joint.contrasts([list(weights)], constant)[0]


def _block(
    samples: list[Sample],
    scales: Array,
    cells: NDArray[np.intp],
    widths: Array,
    pseudo: NDArray[np.bool_],
    shared: Grouping | None,
    kept: Residuals,
) -> Block:
    """Cells on the same examples; ``shared`` says which examples were made from one thing."""
    n = samples[0].outcomes.shape[1]
    rows, groups = _components(samples, cells, shared, kept)
    share = dict(zip(cells.tolist(), (sample.pool for sample in samples), strict=True))
    groups = tuple(over_fresh_pools(group, [share[int(cell)] for cell in group.cells]) for group in groups)
    centred = rows - rows.mean(axis=1, keepdims=True)
    alone = centred @ centred.T / (max(n - 1, 1) * n)
    whole = shared is None or shared.whole
    halves = over_halves([sample.halves for sample in samples], scales, cells, whole)
    if shared is None:
        return Block(cells, alone, float(max(n - 1, 1)), n, widths, pseudo, groups, centred / n, halves=halves)
    moves = shared.group_sums(centred) / n
    return Block(cells, shared.covariance(centred), shared.df, n, widths, pseudo, groups, moves, alone, halves)


def _shared_grouping(samples: Sequence[Sample]) -> Grouping | None:
    """The grouping of cells on the same examples; None where none has groups.

    What one of them says holds for all. Raises BadScores where two say different things.
    """
    found = [(sample, sample.groups) for sample in samples if sample.groups is not None]
    for _, groups in found[1:]:
        if groups is not found[0][1] and not np.array_equal(groups, found[0][1]):
            raise BadScores(
                f"cells on the same {len(groups)} examples differ in what these were made from; measure them on "
                "one dataset, or give both datasets the same groups"
            )
    return found[0][0].grouping if found else None


def _components(
    samples: list[Sample], cells: NDArray[np.intp], shared: Grouping | None, kept: Residuals
) -> tuple[Array, tuple[Group, ...]]:
    """Example means ``[cells, examples]``, and the cells' groups by number of trials."""
    groups: dict[int, list[int]] = {}
    for position, sample in enumerate(samples):
        groups.setdefault(sample.outcomes.shape[0], []).append(position)
    example_means = np.empty((len(samples), samples[0].outcomes.shape[1]))
    made = []
    for trials, members in groups.items():
        group, rows = _group([samples[i] for i in members], cells[members], trials, shared, kept)
        example_means[members] = rows
        made.append(group)
    return example_means, tuple(made)


def _group(
    samples: list[Sample], cells: NDArray[np.intp], trials: int, shared: Grouping | None, kept: Residuals
) -> tuple[Group, Array]:
    """Trial and residual covariances of the cells' means, and their example means ``[cells, examples]``."""
    by_example = np.stack([sample.by_example for sample in samples])
    size, n = by_example.shape
    if trials == 1:
        return Group(cells, np.zeros((size, size)), np.zeros((size, size)), math.inf), by_example
    by_trial = np.stack([sample.by_trial for sample in samples])
    centred = by_trial - by_example.mean(axis=1)[:, None]
    trial = centred @ centred.T / ((trials - 1) * trials)
    alone, together = kept.products(samples, shared)
    alone = alone / ((trials - 1) * max(n - 1, 1) * trials * n)
    if shared is None:
        return Group(cells, trial, alone, trials - 1.0), by_example
    residual = together / ((trials - 1) * trials * n**2)
    return Group(cells, trial, residual, trials - 1.0, alone), by_example


class Residuals:
    """Sums of products of what is left of outcomes without their trial and example means, by pair of samples.

    They are kept: claims ask for the same cells in other company, and each pair is multiplied once. The samples are
    held as well, so that one is known again by its identity.
    """

    def __init__(self) -> None:
        self._of: dict[tuple[Hashable, ...], tuple[dict[int, int], list[Sample], Array]] = {}

    def products(self, samples: Sequence[Sample], shared: Grouping | None) -> tuple[Array, Array]:
        """``[samples, samples]`` over examples by themselves, and over those that ``shared`` says belong together.

        All have the same examples and the same number of trials.
        """
        key = (samples[0].examples, samples[0].outcomes.shape, shared is None)
        place, known, sums = self._of.get(key, ({}, [], np.empty((2, 0, 0))))
        new = [sample for sample in samples if id(sample) not in place]
        place.update({id(sample): len(known) + i for i, sample in enumerate(new)})
        known.extend(new)
        if new:
            sums = np.pad(sums, [(0, 0), (0, len(new)), (0, len(new))], constant_values=np.nan)
        self._of[key] = place, known, sums
        at = np.array([place[id(sample)] for sample in samples])
        lacking = np.flatnonzero(np.isnan(sums[0][np.ix_(at, at)]).any(axis=1))
        if len(lacking):
            sums[:, at[lacking][:, None], at[lacking]] = _products([samples[i] for i in lacking.tolist()], shared)
        alone, together = sums[:, at[:, None], at]
        return alone, together


def _products(samples: Sequence[Sample], shared: Grouping | None) -> Array:
    """As ``Residuals.products``, ``[2, samples, samples]``; the second is 0 where nothing is shared."""
    size, (trials, n) = len(samples), samples[0].outcomes.shape
    out = np.zeros((2, size, size))
    by_example, scales = np.stack([sample.by_example for sample in samples]), np.array([s.scale for s in samples])
    some = max(TOGETHER // (size * n), 1)
    for first in range(0, trials, some):
        part = slice(first, first + some)
        rows = np.stack([sample.outcomes[part] for sample in samples], dtype=np.float64) * scales[:, None, None]
        rows -= by_example[:, None]
        rows -= rows.mean(axis=2, keepdims=True)
        flat = rows.reshape(size, -1)
        out[0] += flat @ flat.T
        if shared is not None:
            out[1] += shared.products(rows)
    return out
