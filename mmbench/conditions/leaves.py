"""Leaves: single comparisons with a margin, and what everything else needs of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from mmbench.conditions.quantities import DUST, Change, Linear
from mmbench.protocol import Cell

Array = NDArray[np.float64]
ValueOf = Callable[[Linear], float | None]
CLEAR = 0.3  # of a coefficient: a planted margin that needs to be no wider


class Leaf:
    """One comparison: it holds where its margin is positive (``strict``), or not negative.

    A kind of leaf fills in ``terms``, ``margin_of``, ``with_cells`` and ``negated``; one that is judged by its tangent
    also ``tangent`` (and ``bias`` if it is curved); one that a linear programme cannot plant also ``lists``.
    """

    strict: bool = False

    @property
    def terms(self) -> tuple[Linear, ...]:
        """The quantities that are compared."""
        raise NotImplementedError

    def margin_of(self, value: ValueOf) -> float | None:
        """How far on the true side it is where each quantity has this value; None where that is not defined."""
        raise NotImplementedError

    def with_cells(self, change: Change) -> Self:
        """The same comparison over other cells."""
        raise NotImplementedError

    def negated(self) -> Leaf:
        """The comparison that holds where this one does not."""
        raise NotImplementedError

    def tangent(self, values: Mapping[Cell, float]) -> Linear | None:
        """The margin near these cell means as a weighted sum of cells, equal at the means; None where there is none."""
        return None

    def bias(self, values: Mapping[Cell, float], covariance: Callable[[Sequence[Linear]], Array]) -> float:
        """How far the margin at these means is expected to lie above the margin at the true means, from their noise.

        ``covariance`` gives the ``[terms, terms]`` covariance of quantities.
        """
        return 0.0

    @property
    def lists(self) -> tuple[tuple[Linear, ...], ...]:
        """Quantities whose values planting must search for, list by list; none where the margin is linear."""
        return ()

    @property
    def tables(self) -> Sequence[Mapping[Linear, float]]:
        """Values of its quantities that planting tries before it searches; none where a search finds some."""
        return ()

    def clear(self, tried: Sequence[float]) -> float:
        """The margin from which on a planted table is clear, given the margins of all tables tried."""
        return CLEAR

    def words(self) -> str:
        """The comparison as a report shows it."""
        return str(self)

    def margin(self, values: Mapping[Cell, float]) -> float | None:
        """How far on the true side the comparison is at these cell means; None when a cell is missing."""
        return self.margin_of(lambda term: term.value(values))

    def truth(self, values: Mapping[Cell, float]) -> bool | None:
        margin = self.margin(values)
        if margin is None:
            return None
        return margin > DUST if self.strict else margin >= -DUST

    def leaves(self) -> Iterator[Leaf]:
        yield self


@dataclass(frozen=True)
class Margin(Leaf):
    """``term > 0``, or ``term >= 0`` when not strict."""

    term: Linear
    strict: bool = True

    @property
    def terms(self) -> tuple[Linear, ...]:
        return (self.term,)

    def margin_of(self, value: ValueOf) -> float | None:
        return value(self.term)

    def with_cells(self, change: Change) -> Self:
        return replace(self, term=self.term.with_cells(change))

    def negated(self) -> Margin:
        return Margin(-self.term, not self.strict)

    def tangent(self, values: Mapping[Cell, float]) -> Linear | None:
        return self.term

    def words(self) -> str:
        """Means over a grid of cells are named by model and place instead of cell by cell."""
        weights = self.term.weights
        plus = _side([(c, w) for c, w in weights if w > 0])
        minus = _side([(c, -w) for c, w in weights if w < 0])
        limit, sign = 0.0 - self.term.constant, ">" if self.strict else ">="
        if plus and minus and plus[1] == minus[1]:
            return f"{plus[0]} − {minus[0]} {sign} {limit:g} ({plus[1]})"
        if plus and minus:
            return f"{plus[0]} ({plus[1]}) − {minus[0]} ({minus[1]}) {sign} {limit:g}"
        if plus and len(weights) > 0 and all(w > 0 for _, w in weights):
            return f"{plus[0]} {sign} {limit:g} ({plus[1]})"
        if minus and all(w < 0 for _, w in weights):
            return f"{minus[0]} {'<' if self.strict else '<='} {-limit:g} ({minus[1]})"
        return str(self)

    def __str__(self) -> str:
        return f"{self.term} {'>' if self.strict else '>='} 0"


def _side(weighted: list[tuple[Cell, float]]) -> tuple[str, str] | None:
    """Models and place of cells that form an evenly weighted grid, or None."""
    if not weighted or max(w for _, w in weighted) - min(w for _, w in weighted) > 1e-9:
        return None
    axes = [
        list(dict.fromkeys(axis))
        for axis in zip(*((c.protocol, c.models, c.dataset) for c, _ in weighted), strict=True)
    ]
    protocols, models, datasets = axes
    if len(weighted) != len(protocols) * len(models) * len(datasets):
        return None
    total = sum(w for _, w in weighted)
    factor = "" if abs(total - 1) < 1e-9 else f"{total:.3g} × "
    name = str(models[0]) if len(models) == 1 else f"mean({_listed(map(str, models))})"
    where = [_listed(p.name for p in protocols), _listed(d for d in map(str, datasets) if d)]
    return factor + name, ", ".join(filter(None, where))


def _listed(names: Iterable[str], most: int = 3) -> str:
    shown = list(names)
    return (
        ", ".join(shown) if len(shown) <= most else f"{', '.join(shown[: most - 1])} and {len(shown) - most + 1} more"
    )


class Coefficient(Leaf):
    """``sign * (coefficient - threshold) >= 0``, the coefficient being the mean of its parts' correlations."""

    threshold: float
    sign: Literal[1, -1]
    parts: tuple[Correlation, ...]

    @property
    def terms(self) -> tuple[Linear, ...]:
        return tuple(term for part in self.parts for term in (*part.xs, *part.ys))

    @property
    def lists(self) -> tuple[tuple[Linear, ...], ...]:
        return tuple(terms for part in self.parts for terms in (part.xs, part.ys))

    def coefficient(self, values: Mapping[Cell, float]) -> float | None:
        """The coefficient at these cell means; None when a cell is missing or a side is constant."""
        return self._coefficient_of(lambda term: term.value(values))

    def margin_of(self, value: ValueOf) -> float | None:
        r = self._coefficient_of(value)
        return None if r is None else self.sign * (r - self.threshold)

    def _coefficient_of(self, value: ValueOf) -> float | None:
        found = [part.correlation_of(value) for part in self.parts]
        known = [r for r in found if r is not None]
        return sum(known) / len(known) if len(known) == len(found) else None

    def _limit(self) -> str:
        return f"{'>=' if self.sign > 0 else '<='} {self.threshold:g}"


@dataclass(frozen=True)
class Correlation(Coefficient):
    """``sign * (r(xs, ys) - threshold) >= 0`` over paired quantities; ``method`` names the coefficient."""

    xs: tuple[Linear, ...]
    ys: tuple[Linear, ...]
    threshold: float
    sign: Literal[1, -1] = 1
    method: Literal["pearson", "spearman"] = "pearson"

    @property
    def parts(self) -> tuple[Correlation, ...]:  # type: ignore[override]
        return (self,)

    def correlation_of(self, value: ValueOf) -> float | None:
        from mmbench.stats import correlations

        xs = [value(term) for term in self.xs]
        ys = [value(term) for term in self.ys]
        if None in xs or None in ys:
            return None
        measure = correlations.spearman if self.method == "spearman" else correlations.pearson
        r = float(measure(np.array(xs, dtype=float), np.array(ys, dtype=float)))
        return None if np.isnan(r) else r

    def with_cells(self, change: Change) -> Self:
        xs, ys = (tuple(term.with_cells(change) for term in terms) for terms in (self.xs, self.ys))
        return replace(self, xs=xs, ys=ys)

    def negated(self) -> Correlation:
        return replace(self, sign=-1 if self.sign > 0 else 1)

    def __str__(self) -> str:
        return f"{self.method} over {len(self.xs)} pairs {self._limit()}"


@dataclass(frozen=True)
class MeanCorrelation(Coefficient):
    """``mean of correlations >= threshold``: several rank agreements averaged, as between every two datasets."""

    parts: tuple[Correlation, ...]
    threshold: float
    sign: Literal[1, -1] = 1

    def with_cells(self, change: Change) -> Self:
        return replace(self, parts=tuple(part.with_cells(change) for part in self.parts))

    def negated(self) -> MeanCorrelation:
        return replace(self, sign=-1 if self.sign > 0 else 1)

    def __str__(self) -> str:
        return f"mean of {len(self.parts)} correlations {self._limit()}"
