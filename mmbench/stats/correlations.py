"""Correlations of uncertain means, held against a threshold: p-values and bounds by redrawing at plausible nulls.

Noise makes the correlation of the observed means smaller than that of the true means, and redrawing around the observed
means makes it smaller again, so such redraws are not used. A claim is tested where it is only just false: the means are
moved until their correlation is at the limit, by the shortest way in units of their noise, and redrawn there. The
p-value is the share of redraws in which the correlation lies as far on the claim's side as the observed one.

Several such means exist, and the largest p-value counts (DiCiccio, Martin & Stern 2001 redraw at an
estimate restricted to the null, Berger & Boos 1994 take the maximum over what is unknown besides):

- with the observed spread, which noise has widened, and with that spread less the noise's share (method of moments;
  where nothing is left, the verdict stays open);
- for rank correlations also from means in which items that cannot be distinguished, by all lists or by one, stand in
  the order that is worst for the claim. Nearly tied true means still have ranks; the observed ranks may be others.

Simulated (``reports/calibration.md``, and with random truths of 8 and 12 models in 2 and 3 lists): within 5 %, and
clear cases are decided where the true means spread well beyond their noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.stats.redrawn import share

Array = NDArray[np.float64]
Method = Literal["pearson", "spearman"]
Indices = tuple[int, ...]

STEP, FAR = 0.5, 12.0  # standard errors: how means are moved, and how far at most
BY_ALL, BY_ONE = (
    0.95,
    0.7,
)  # chi-square levels at which lists tell items apart; lower levels miss ties, higher ones lose power
TIE = 1e-7  # of a list's range, between items drawn together
FINENESS = 0.004  # of a bound, in units of correlation
MANY = 64  # items of a list, above which sorting is faster than counting
DUST = 1e-9


def pearson(xs: Array, ys: Array) -> Array:
    """Row-wise Pearson correlation of two ``[..., pairs]`` arrays; NaN where a row does not vary."""
    return _product(_standard(np.moveaxis(xs, -1, 0)), _standard(np.moveaxis(ys, -1, 0)))


def spearman(xs: Array, ys: Array) -> Array:
    """Row-wise Spearman correlation, ties given their mean rank."""
    return pearson(ranks(xs), ranks(ys))


def ranks(values: Array) -> Array:
    """Ranks along the last axis, ties given their mean rank."""
    return np.moveaxis(_ranks(np.moveaxis(values, -1, 0)), 0, -1)


def _ranks(values: Array) -> Array:
    """Ranks along the first axis. For the few items of a list, counting those below is faster than sorting."""
    count = len(values)
    if count > MANY:
        from scipy.stats import rankdata

        return np.asarray(rankdata(values, axis=0), dtype=np.float64)
    below = (values[None] < values[:, None]).view(np.uint8)
    under = below.sum(axis=1, dtype=np.uint8)
    if 2 * int(under.sum(dtype=np.int64)) == values.size * (count - 1):  # no ties
        return under + 1.0
    return (1.0 + under + count - below.sum(axis=0, dtype=np.uint8)) / 2


def _standard(values: Array) -> tuple[Array, Array]:
    """Values ``[pairs, ...]`` less their mean, and the size of what is left."""
    values = values - values.mean(axis=0)
    return values, np.sqrt((values**2).sum(axis=0))


def _product(x: tuple[Array, Array], y: tuple[Array, Array]) -> Array:
    size = x[1] * y[1]
    product = (x[0] * y[0]).sum(axis=0)
    return np.divide(product, size, out=np.full(product.shape, np.nan), where=size > 1e-12)


@dataclass(frozen=True)
class Pairs:
    """One correlation: two lists of terms, by index."""

    xs: Indices
    ys: Indices
    method: Method = "pearson"


@dataclass(frozen=True, eq=False)
class Correlated:
    """The margin ``sign * (r - threshold)``, r being the mean of the parts' correlations.

    ``values`` are the means seen, ``[terms]``; ``noise`` is what redrawing adds to means, ``[draws, terms]``, and
    ``covariance`` its ``[terms, terms]``.
    """

    values: Array
    noise: Array
    covariance: Array
    parts: tuple[Pairs, ...]
    threshold: float = 0.0
    sign: Literal[1, -1] = 1
    _found: dict[float, float] = field(default_factory=dict, repr=False)
    _lows: dict[float, float] = field(default_factory=dict, repr=False)
    _doubted: list[tuple[int, bool]] = field(default_factory=list, repr=False)
    _reached: dict[tuple[int, float], Array | None] = field(default_factory=dict, repr=False)

    @cached_property
    def value(self) -> float:
        """The margin at the means seen; NaN where a list does not vary."""
        return float(self._margins(self.values))

    def p_above(self, limit: float = 0.0) -> float:
        """One-sided p-value of "the margin exceeds ``limit``"; at least 0.5 when the margin seen does not."""
        if limit not in self._found:
            self._found[limit] = max(self._p_value(*null, limit) for null in self._nulls)
        p = self._found[limit]
        return p if self.value > limit else max(p, 0.5)

    def p_below(self, limit: float = 0.0) -> float:
        """One-sided p-value of "the margin is below ``limit``"."""
        return self._mirrored.p_above(-limit)

    def low(self, level: float) -> float:
        """Lower one-sided bound of the margin: below 0 exactly where ``p_above(0)`` is more than ``level``."""
        if level not in self._lows:
            self._lows[level] = self._search(level)
        return self._lows[level]

    def high(self, level: float) -> float:
        """Upper one-sided bound of the margin."""
        return -self._mirrored.low(level)

    def _search(self, level: float) -> float:
        below, most = sorted(self.sign * (r - self.threshold) for r in (-1.0, 1.0))
        above, middle = min(self.value, most), 0.0
        while above - below > FINENESS:
            if not below < middle < above:
                middle = (below + above) / 2
            if self._sure(middle, level):
                below = middle
            else:
                above = middle
        return float(below)

    def _sure(self, limit: float, level: float) -> bool:
        """Whether no null gives a p-value above ``level``, without more work than that takes."""
        if limit in self._found:
            return self._found[limit] <= level
        # The null that did not hold at another limit is asked first: likely it does not hold here.
        for null in sorted(self._nulls, key=lambda null: null not in self._doubted):
            if self._p_value(*null, limit, level) > level:
                self._doubted[:] = [null]
                return False
        return True

    @property
    def _nulls(self) -> list[tuple[int, bool]]:
        """The nulls that may be the true one: by which of ``_ways``, and whether with the noise's share taken off."""
        return [(way, narrow) for way in range(len(self._ways)) for narrow in (False, True)]

    def _p_value(self, way: int, narrow: bool, limit: float, enough: float = 1.0) -> float:
        """The p-value by one of the nulls; above ``enough`` it may be anything above it."""
        if (way, limit) not in self._reached:
            self._reached[way, limit] = self._reach(*self._ways[way], limit)
        means, draws = self._reached[way, limit], len(self.noise)
        if means is None:  # none near, or none to find: two pairs always correlate perfectly
            if narrow:
                return 0.0  # the spread seen has said it
            return share(lambda some: ~(self._margins(self.values, {}, some) > limit), draws, enough)
        scales = self._scales(means) if narrow else {}
        return share(lambda some: ~(self._margins(means, scales, some) < self.value - DUST), draws, enough)

    @cached_property
    def _mirrored(self) -> Correlated:
        return replace(self, sign=-1 if self.sign > 0 else 1, _found={}, _lows={}, _doubted=[], _reached={})

    @cached_property
    def _lists(self) -> tuple[Indices, ...]:
        return tuple(dict.fromkeys(terms for part in self.parts for terms in (part.xs, part.ys)))

    def _margins(self, means: Array, scales: dict[Indices, float] | None = None, redrawn: slice | None = None) -> Array:
        """The margin at ``[..., terms]`` means, or at these redraws around them; scaling a list divides its noise."""
        # Terms first: numpy adds up a long last axis much faster than a short one.
        at, seen = np.moveaxis(means, -1, 0), {}
        for part in self.parts:
            for terms in (part.xs, part.ys):
                if (terms, part.method) not in seen:
                    x = at[list(terms)]
                    if redrawn is not None:
                        x = x[..., None] + self._noise[list(terms), redrawn] / (scales or {}).get(terms, 1.0)
                    seen[terms, part.method] = _standard(_ranks(x) if part.method == "spearman" else x)
        each = [_product(seen[p.xs, p.method], seen[p.ys, p.method]) for p in self.parts]
        return self.sign * (sum(each[1:], each[0]) / len(each) - self.threshold)

    @cached_property
    def _noise(self) -> Array:
        """The noise by term, ``[terms, draws]``."""
        return np.ascontiguousarray(self.noise.T)

    def _scales(self, means: Array) -> dict[Indices, float]:
        """By list, how much narrower the true means are than ``means``, by the spread seen less the noise's share."""
        out = {}
        for terms in self._lists:
            seen, own = (_centred(x[list(terms)]) for x in (self.values, means))
            block = self.covariance[np.ix_(terms, terms)]
            left = seen @ seen - (np.trace(block) - block.sum() / len(terms))
            out[terms] = float(np.sqrt(np.clip(left / max(own @ own, DUST**2), DUST, 1.0)))
        return out

    # The way to the null

    @cached_property
    def _ways(self) -> list[tuple[Array, Array]]:
        """Means ever further down, ``[steps, terms]``, with their margins; for ranks also from worst orders."""
        starts = [self.values]
        if any(part.method == "spearman" for part in self.parts):
            sizes = {len(terms) for terms in self._lists}
            alike = [[terms for terms in self._lists if len(terms) == size] for size in sizes]
            starts.append(self._worst_order(alike, BY_ALL))
            starts.append(self._worst_order([[terms] for terms in self._lists], BY_ONE))
        different = {start.tobytes(): start for start in starts}.values()
        ways = [self._way_down(start) for start in different]
        return [(way, self._margins(way)) for way in ways]

    def _way_down(self, means: Array) -> Array:
        """Steepest descent of Pearson's r, each step a fraction of the standard error of the means in its direction."""
        way = [means]
        for _ in range(round(FAR / STEP)):
            slope = self._slope(way[-1])
            direction = self.covariance @ slope
            length = float(np.sqrt(np.clip(slope @ direction, 0.0, None)))
            if length < DUST:
                break
            way.append(way[-1] - STEP / length * direction)
        return np.array(way)

    def _slope(self, means: Array) -> Array:
        """The gradient of the margin, with Pearson's r in place of every rank correlation."""
        slope = np.zeros(len(means))
        for part in self.parts:
            x, y = (_centred(means[list(terms)]) for terms in (part.xs, part.ys))
            x_size, y_size = np.linalg.norm(x), np.linalg.norm(y)
            if min(x_size, y_size) < DUST:
                continue
            x, y = x / x_size, y / y_size
            r = x @ y
            np.add.at(slope, list(part.xs), (y - r * x) / x_size)
            np.add.at(slope, list(part.ys), (x - r * y) / y_size)
        return self.sign * slope / len(self.parts)

    def _reach(self, way: Array, margins: Array, limit: float) -> Array | None:
        """The first means on the way whose margin is no more than ``limit``."""
        down = margins <= limit + DUST
        if not down.any():
            return None
        first = int(np.argmax(down))
        if first == 0:
            return way[0]
        near, far = way[first - 1], way[first]
        for _ in range(2):  # eight halvings: all that four of them may ask for are computed at once
            at = near + np.arange(17)[:, None] / 16 * (far - near)
            down = self._margins(at) <= limit + DUST
            low, high = 0, 16
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if down[middle] else (middle, high)
            near, far = at[low], at[high]
        return far

    def _worst_order(self, together: Sequence[Sequence[Indices]], level: float) -> Array:
        """The means with items that the lists of a group do not tell apart drawn together, ordered against the claim.

        The n-th terms of all lists are the n-th item: a model by its mean on several datasets.
        """
        out = self.values.copy()
        tied = []
        for lists in together:
            for items in self._not_told_apart(lists, level):
                for terms in lists:
                    at = np.array(terms)[items]
                    out[at] = self.values[at].mean()
                    tied.append((terms, items, at))
        for terms, items, at in tied:
            partners = [p.ys if terms == p.xs else p.xs for p in self.parts if terms in (p.xs, p.ys)]
            alike = np.sum([ranks(out[list(partner)])[items] for partner in partners], axis=0)
            order = np.argsort(np.argsort(alike, kind="stable")) - (len(items) - 1) / 2
            out[at] -= self.sign * TIE * np.ptp(self.values[list(terms)]) * order
        return out

    def _not_told_apart(self, lists: Sequence[Indices], level: float) -> list[NDArray[np.intp]]:
        """Groups of items by average linkage of their squared distances in standard errors, summed over lists."""
        from scipy.cluster import hierarchy
        from scipy.special import chdtri

        size = len(lists[0])
        if size < 2:
            return []
        one, other = np.triu_indices(size, 1)
        apart = np.zeros(len(one))
        for terms in lists:
            x, block = self.values[list(terms)], self.covariance[np.ix_(terms, terms)]
            variance = np.diag(block)[one] + np.diag(block)[other] - 2 * block[one, other]
            # With few trials single variances are far off, and the smallest would tell ties apart.
            apart += (x[one] - x[other]) ** 2 / np.maximum(np.maximum(variance, variance.mean()), DUST**2)
        tree = hierarchy.linkage(apart, "average")
        group = hierarchy.fcluster(tree, chdtri(len(lists), 1 - level), "distance")
        return [np.flatnonzero(group == g) for g in np.unique(group) if np.count_nonzero(group == g) > 1]


def _centred(x: Array) -> Array:
    return x - x.mean()
