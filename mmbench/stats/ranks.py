"""Mean ranks of uncertain means: p-values and bounds of a lead in rank, by redrawing at plausible nulls.

Models are ranked in each of several settings, and the mean ranks of two of them are compared. A rank counts models that
are better. So ``first`` leads ``second`` exactly if enough of these comparisons are true, over all settings:
``first`` is better than a model, a model is better than ``second`` (the comparison of the two counts twice).

Mean ranks jump where means tie, and a bootstrap of them fails there (Mogstad, Romano, Shaikh & Wilhelm 2024). So the
statistic is not the lead seen but how far the means lie from the nearest order without the lead. Turning some of a
setting's comparisons round costs the square of the largest of them, in standard errors; costs of settings add up; of
all choices that take the lead away, the cheapest counts. It goes on growing where ranks do not.

The p-value is the share of redraws with a distance as large, at the null that is hardest to tell from the claim:

- means moved to the nearest order without the lead, where all that turns round is tied; and
- the same where all within ``NEAR`` standard errors of a tie is tied too, in the order that is worst for the claim
  (moment selection, Andrews & Soares 2010); the largest p-value counts.

Third models of uncertain order add noise to the distance. So it is taken three times: of all comparisons, without
those of third models with ``second``, and without those with ``first``; what is left out counts as false. The smallest
of the three p-values is multiplied by three (Bonferroni).

Simulated with ties of two and of all models, of single settings, and with real outcomes: ``tests/stats/test_ranks.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmbench.stats.estimates import Array
from mmbench.stats.redrawn import share

NEAR = (0.0, 2.0)  # standard errors within which comparisons are taken as ties
USUAL = 3.5  # standard errors: where p of a lead in rank is about 0.05, as a first guess
DUST = 1e-9


def lead(values: Array, first: int, second: int) -> Array:
    """By how many places ``first`` is ranked before ``second``, over settings ``[..., settings, models]``, high best.

    A model's rank is one more than the number of better ones, and half of one more for each that is as good.
    """
    return np.sign(_comparisons(values, first, second)).sum(axis=-1).mean(axis=-1) / 2


def _comparisons(values: Array, first: int, second: int) -> Array:
    """Differences that are positive where ``first`` is better than a model, and a model better than ``second``."""
    ahead = values[..., [first]] - np.delete(values, first, axis=-1)
    return np.concatenate([ahead, np.delete(values, second, axis=-1) - values[..., [second]]], axis=-1)


@dataclass(frozen=True, eq=False)
class Ranked:
    """The margin ``lead(first, second) - threshold`` in places of the mean rank.

    It is to be above 0 (``strict``) or not below. It can be exactly 0 without a tie of means, where two models each win
    one of two settings.

    ``values`` are the means seen, ``[settings, models]``, higher ones better; ``noise`` is what redrawing adds to them,
    ``[draws, settings, models]``, and ``covariance`` its ``[settings, models, models]``.
    """

    values: Array
    noise: Array
    covariance: Array
    first: int
    second: int
    threshold: float = 0.0
    strict: bool = True
    _found: dict[float, float] = field(default_factory=dict, repr=False)

    @cached_property
    def value(self) -> float:
        """The margin at the means seen."""
        return float(lead(self.values, self.first, self.second)) - self.threshold

    def p_above(self, limit: float = 0.0) -> float:
        """One-sided p-value of "the margin is above ``limit``", or equals it when not strict.

        1 where that is not so at the means seen.
        """
        return self._p_more(self._most(limit))

    def p_below(self, limit: float = 0.0) -> float:
        """One-sided p-value of "the margin is below ``limit``", or equals it when strict."""
        return self._mirrored.p_above(-limit)

    def low(self, level: float) -> float:
        """Lower one-sided bound of the margin: above 0 (strict) or not below 0 just where ``p_above(0) <= level``."""
        settings, models = self.values.shape
        none = settings * (models - 1 + self.threshold)  # true comparisons at a margin of 0
        scores = self._scores(self.values)
        below, above = -1, int(np.count_nonzero(scores > 0))
        likely = above and above - int(
            np.searchsorted(_least(_costs(scores[None]), np.array([above]))[-1][0], USUAL**2)
        )
        near = (likely + step for step in (0, 1, -1, 2, -2, 4, -4))
        first = [self._most(0.0), *near]  # what is known already, and where the bound is likely to be
        while above - below > 1:
            middle = next((most for most in first if below < most < above), (below + above) // 2)
            below, above = (middle, above) if self._sure(middle, level) else (below, middle)
        return float((below + 1 - none) / settings)

    def high(self, level: float) -> float:
        """Upper one-sided bound of the margin."""
        return -self._mirrored.low(level)

    @cached_property
    def _mirrored(self) -> Ranked:
        return replace(
            self, first=self.second, second=self.first, threshold=-self.threshold, strict=not self.strict, _found={}
        )

    def _most(self, limit: float) -> int:
        """How many comparisons may be true where the margin is not above ``limit`` (or not equal, when not strict)."""
        settings, models = self.values.shape
        true = settings * (models - 1 + self.threshold + limit)
        return math.floor(true + DUST) if self.strict else math.ceil(true - DUST) - 1

    def _p_more(self, most: int) -> float:
        """The p-value of "more than ``most`` comparisons are true": the smallest by way of counting, times the ways."""
        if most < 0:
            return 0.0
        if most not in self._found:
            each = [len(self._ways) * max(self._shares(*way, most)) for way in self._ways]
            self._found[most] = min(1.0, *each)
        return self._found[most]

    def _sure(self, most: int, level: float) -> bool:
        """Whether ``_p_more(most)`` is no more than ``level``, without more work than that takes."""
        if most in self._found:
            return self._found[most] <= level
        ways = len(self._ways)
        return any(all(ways * p <= level for p in self._shares(*way, most, level / ways)) for way in self._ways)

    @cached_property
    def _errors(self) -> Array:
        """Standard errors of the comparisons, ``[settings, comparisons]``."""
        variances = np.diagonal(self.covariance, axis1=1, axis2=2)
        apart = variances[:, :, None] + variances[:, None, :] - 2 * self.covariance
        by_model = [np.delete(apart[:, which], which, axis=1) for which in (self.first, self.second)]
        return np.sqrt(np.maximum(np.concatenate(by_model, axis=1), DUST**2))

    def _scores(self, values: Array) -> Array:
        """The comparisons in standard errors."""
        return _comparisons(values, self.first, self.second) / self._errors

    @cached_property
    def _ways(self) -> list[tuple[NDArray[np.intp], Array]]:
        """Which comparisons count, and their scores of the noise, ``[draws, settings, counted]``."""
        redrawn = self._scores(self.noise)
        return [(counted, np.ascontiguousarray(redrawn[..., counted])) for counted in self._counts]

    @property
    def _counts(self) -> list[NDArray[np.intp]]:
        """All comparisons, or those with third models on one side only."""
        models = np.arange(self.values.shape[1])
        ahead, behind = np.delete(models, self.first) == self.second, np.delete(models, self.second) == self.first
        every = np.ones_like(ahead)
        if len(models) == 2:
            return [np.flatnonzero(np.concatenate([every, every]))]
        return [np.flatnonzero(np.concatenate(way)) for way in ((every, every), (every, behind), (ahead, every))]

    def _shares(self, counted: NDArray[np.intp], redrawn: Array, most: int, enough: float = 1.0) -> Iterator[float]:
        """By null, the share of redraws as far away, where comparisons that are not ``counted`` are taken as false.

        A share above ``enough`` may be given as anything above it.
        """
        scores = self._scores(self.values)[:, counted]
        seen = float(distance(scores[None], most)[0])
        if seen <= 0:
            yield 1.0
            return
        tried: list[NDArray[np.bool_]] = []
        for near in NEAR:
            turned = np.zeros(self._errors.shape, dtype=bool)
            turned[:, counted] = _turned(np.where(scores >= near, scores, 0.0), most) | (np.abs(scores) < near)
            if any(np.array_equal(turned, same) for same in tried):
                continue
            tried.append(turned)
            null = self._scores(self._tied(turned))[:, counted]

            def as_far(draws: slice, null: Array = null) -> NDArray[np.bool_]:
                return distance(redrawn[draws] + null, most, seen) >= seen - DUST

            yield share(as_far, len(self.noise), enough)

    def _tied(self, turned: NDArray[np.bool_]) -> Array:
        """The means with ``first`` and ``second`` each tied with the models of its ``turned`` comparisons."""
        models, out = self.values.shape[1], self.values.copy()
        weights = 1 / np.maximum(np.diagonal(self.covariance, axis1=1, axis2=2), DUST**2)
        for setting, row in enumerate(turned):
            groups = []
            for which, part in zip((self.first, self.second), np.split(row, 2), strict=True):
                groups.append({which, *np.delete(np.arange(models), which)[part].tolist()})
            if {self.first, self.second} & groups[0] & groups[1]:
                groups = [groups[0] | groups[1]]
            elif both := groups[0] & groups[1]:  # each with the nearer of the two
                middle = (self.values[setting, self.first] + self.values[setting, self.second]) / 2
                upper = {model for model in both if self.values[setting, model] > middle}
                upper = upper if self.values[setting, self.first] > middle else both - upper
                groups = [groups[0] - (both - upper), groups[1] - upper]
            for group in groups:
                at = sorted(group)
                out[setting, at] = np.average(self.values[setting, at], weights=weights[setting, at])
        return out


def distance(scores: Array, most: int, enough: float = math.inf) -> Array:
    """Distances ``[draws]`` of scores ``[draws, settings, comparisons]`` to orders with at most ``most`` true ones.

    0 where no more are positive. Distances below ``enough`` may be given as anything below it.
    """
    true = (scores > 0).reshape(len(scores), -1)
    surplus = (true.astype(np.float32) @ np.ones(true.shape[1], dtype=np.float32)).astype(np.intp) - most
    out = np.zeros(len(scores))
    rows = np.flatnonzero(surplus > 0)
    if math.isfinite(enough) and len(rows):  # a simple choice: all below a common cost; no distance is larger
        each = _positive(scores[rows])
        level = np.sort(each.reshape(len(rows), -1), axis=1)[np.arange(len(rows)), surplus[rows] - 1]
        out[rows] = level * math.sqrt(scores.shape[1])  # in every setting no more than the common cost
        far = out[rows] >= enough - DUST
        rows, each, level = rows[far], each[far], level[far]
        largest = np.where(each <= level[:, None, None], each, 0.0).max(axis=2)
        out[rows] = np.sqrt((largest**2).sum(axis=1))
        rows = rows[out[rows] >= enough - DUST]
    if len(rows):
        out[rows] = np.sqrt(_least(_costs(scores[rows]), surplus[rows])[-1][np.arange(len(rows)), surplus[rows]])
    return out


def _costs(scores: Array) -> Array:
    """What it costs to turn the k lowest positive scores of a setting round, ``[..., comparisons]``; ascending."""
    return np.sort(_positive(scores), axis=-1) ** 2


def _positive(scores: Array) -> Array:
    """The scores above 0, and infinity for others."""
    return np.where(scores > 0, scores, np.inf)


def _least(costs: Array, surplus: NDArray[np.intp]) -> list[Array]:
    """By number of settings, the least cost ``[draws, turned]`` of turning so many comparisons round, or more.

    ``costs`` ``[draws, settings, comparisons]`` ascend: turning k of a setting costs its k-th, and takes those before.
    """
    size = int(surplus.max()) + 1
    many = int(np.isfinite(costs).any(axis=(0, 1)).sum())  # the most that any setting can turn round
    before = np.maximum(np.arange(size) - np.arange(1, many + 1)[:, None], 0)  # [many, size]
    steps = [np.where(np.arange(size) > 0, np.inf, np.zeros((len(costs), size)))]
    for setting in range(costs.shape[1]):
        more = (steps[-1][:, before] + costs[:, setting, :many, None]).min(axis=1)
        steps.append(np.minimum(steps[-1], more))
    return steps


def _turned(scores: Array, most: int) -> NDArray[np.bool_]:
    """Which comparisons ``[settings, comparisons]`` the nearest order with at most ``most`` true ones turns round."""
    costs = _costs(scores[None])
    left = int(np.isfinite(costs).sum()) - most
    turned = np.zeros(scores.shape, dtype=bool)
    if left <= 0:
        return turned
    steps = _least(costs, np.array([left]))
    order = np.argsort(_positive(scores), axis=1, kind="stable")
    for setting in reversed(range(len(scores))):
        each = np.concatenate([[0.0], costs[0, setting]])
        ways = steps[setting][0][np.maximum(left - np.arange(len(each)), 0)] + each
        k = int(np.argmin(ways))
        turned[setting, order[setting, :k]] = True
        left = max(left - k, 0)
    return turned
