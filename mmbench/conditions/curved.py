"""A smooth function of several quantities, held against a threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np

from mmbench.conditions.leaves import Array, Leaf, ValueOf
from mmbench.conditions.quantities import Change, Linear
from mmbench.protocol import Cell

STEP = 1e-5  # of the numerical gradient, relative to the value


@dataclass(frozen=True)
class Curved(Leaf):
    """``sign * (function(of) - threshold) >= 0``: the height of a dendrogram's join, the residual of a logit fit.

    ``function`` maps the quantities' values, float64 ``[len(of)]`` in printed units, to a number; it must be smooth
    near the means. It is judged by its tangent there, less its bias to second order (the delta method; a distance
    between noisy means is larger than that of the true means). ``gradient`` gives the derivatives,
    ``[len(of)]``; without it central differences are taken. ``label`` names the function in text, ``unit`` is that of
    its values where a reader knows it by a name.

    ``parts`` is there where it has kinks or jumps at which some quantities tie, as the joins of a dendrogram do. The
    tangent knows nothing of them, so the function is then redrawn too, and a verdict needs both (``mmbench.verdict``).
    It maps values ``[draws, len(of)]`` to ``[draws, parts]``, of which the function is the smallest or, with
    ``largest``, the largest: one part is enough to be on one side, and all are needed on the other.
    ``planted`` are values of ``of`` with which planted tables are tried first: random ones seldom make a cluster.
    """

    function: Callable[[Array], float] = field(repr=False)
    of: tuple[Linear, ...]
    threshold: float
    sign: Literal[1, -1] = 1
    label: str = "statistic"
    gradient: Callable[[Array], Array] | None = field(default=None, repr=False)
    parts: Callable[[Array], Array] | None = field(default=None, repr=False)
    largest: bool = False
    planted: tuple[tuple[float, ...], ...] = field(default=(), repr=False)
    unit: str = ""

    @property
    def tables(self) -> tuple[dict[Linear, float], ...]:
        return tuple(dict(zip(self.of, values, strict=True)) for values in self.planted)

    def margins(self, drawn: Array) -> Array:
        """The margin in parts at each row of ``drawn``, values of ``of`` ``[draws, len(of)]``."""
        assert self.parts is not None
        return self.sign * (self.parts(drawn) - self.threshold)

    @property
    def largest_margin(self) -> bool:
        """Whether the margin is the largest of ``margins``; else it is the smallest."""
        return self.largest == (self.sign > 0)

    @property
    def terms(self) -> tuple[Linear, ...]:
        return self.of

    @property
    def lists(self) -> tuple[tuple[Linear, ...], ...]:
        return tuple((term,) for term in self.of)

    def clear(self, tried: Sequence[float]) -> float:
        return 0.25 * (max(tried) - min(tried))  # the function has a unit of its own

    def margin_of(self, value: ValueOf) -> float | None:
        at = self._values(value)
        if at is None:
            return None
        found = float(self.function(at))
        return self.sign * (found - self.threshold) if math.isfinite(found) else None

    def tangent(self, values: Mapping[Cell, float]) -> Linear | None:
        """None where a cell is missing, or the function or its gradient is not finite."""
        at, margin = self._values(lambda term: term.value(values)), self.margin(values)
        if at is None or margin is None:
            return None
        slopes = self.sign * np.asarray(self.gradient(at) if self.gradient else self._differences(at), dtype=np.float64)
        if not np.isfinite(slopes).all():
            return None
        weights: dict[Cell, float] = {}
        for term, slope in zip(self.of, slopes, strict=True):
            for cell, weight in term.weights:
                weights[cell] = weights.get(cell, 0.0) + weight * float(slope)
        flat = Linear(tuple((cell, weight) for cell, weight in weights.items() if weight != 0.0))
        return replace(flat, constant=margin - (flat.value(values) or 0.0))

    def bias(self, values: Mapping[Cell, float], covariance: Callable[[Sequence[Linear]], Array]) -> float:
        """Half the second differences along the standard errors of the means; 0 where one is not finite."""
        at = self._values(lambda term: term.value(values))
        if at is None:
            return 0.0
        variances, ways = np.linalg.eigh(covariance(self.of))
        steps = (ways * np.sqrt(np.clip(variances, 0.0, None))).T
        with np.errstate(all="ignore"):
            ends = np.array([float(self.function(at + step)) + float(self.function(at - step)) for step in steps])
            found = float((ends - 2 * float(self.function(at))).sum() / 2)
        return self.sign * found if math.isfinite(found) else 0.0

    def with_cells(self, change: Change) -> Self:
        return replace(self, of=tuple(term.with_cells(change) for term in self.of))

    def negated(self) -> Curved:
        return replace(self, sign=-1 if self.sign > 0 else 1)

    def _values(self, value: ValueOf) -> Array | None:
        found = [value(term) for term in self.of]
        return None if None in found else np.array(found, dtype=np.float64)

    def _differences(self, at: Array) -> Array:
        out = np.empty(len(at))
        for i, x in enumerate(at):
            step = STEP * max(1.0, abs(x))
            up, down = at.copy(), at.copy()
            up[i] += step
            down[i] -= step
            out[i] = (float(self.function(up)) - float(self.function(down))) / (2 * step)
        return out

    def __str__(self) -> str:
        return f"{self.label} of {len(self.of)} quantities {'>=' if self.sign > 0 else '<='} {self.threshold:g}"
