"""What forms are made of: quantities over cells, and the conditions that they must meet.

Every form becomes a tree of conditions. A leaf is a margin that must be positive (``Margin``) or a correlation
(``Correlation``); an inner node asks for at least n of its parts (``Quorum``: all of them is a conjunction, one a
disjunction). A maximum or minimum of quantities needs no leaf of its own: ``max(a, b) > c`` is ``a > c or b > c``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from mmbench.protocol import PRINTED, Cell, Models, Protocol

DUST = 1e-9  # sums of printed decimals are not exact in binary


@dataclass(frozen=True)
class Linear:
    """``sum(weight * cell) + constant``, in the cells' printed units."""

    weights: tuple[tuple[Cell, float], ...]
    constant: float = 0.0

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for cell, _ in self.weights)

    def value(self, values: Mapping[Cell, float]) -> float | None:
        """The quantity at these cell means, or None when a cell is missing."""
        if any(cell not in values for cell, _ in self.weights):
            return None
        return sum(weight * values[cell] for cell, weight in self.weights) + self.constant

    def __add__(self, other: Term | float) -> Term:
        if isinstance(other, Extreme):
            return other + self
        if not isinstance(other, Linear):
            return Linear(self.weights, self.constant + other)
        merged: dict[Cell, float] = {}
        for cell, weight in (*self.weights, *other.weights):
            merged[cell] = merged.get(cell, 0.0) + weight
        kept = tuple((cell, weight) for cell, weight in merged.items() if abs(weight) > DUST)
        return Linear(kept, self.constant + other.constant)

    def __mul__(self, factor: float) -> Linear:
        return Linear(tuple((cell, weight * factor) for cell, weight in self.weights), self.constant * factor)

    def __neg__(self) -> Linear:
        return self * -1.0

    def __sub__(self, other: Term | float) -> Term:
        return self + (-other)

    def __str__(self) -> str:
        signed = [("- " if weight < 0 else "+ ") + _weighed(cell, abs(weight)) for cell, weight in self.weights]
        if self.constant:
            signed.append(f"{'-' if self.constant < 0 else '+'} {abs(self.constant):g}")
        return " ".join(signed).removeprefix("+ ") or "0"


def _weighed(cell: Cell, weight: float) -> str:
    return str(cell) if abs(weight - 1) < DUST else f"{weight:g} {cell}"


@dataclass(frozen=True)
class Extreme:
    """The largest or smallest of several quantities; ``label`` is what it is called when a form says itself."""

    kind: Literal["max", "min"]
    parts: tuple[Term, ...]
    label: str = field(default="", compare=False)

    def value(self, values: Mapping[Cell, float]) -> float | None:
        parts = [part.value(values) for part in self.parts]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return max(known) if self.kind == "max" else min(known)

    def __add__(self, other: Term | float) -> Extreme:
        return Extreme(self.kind, tuple(part + other for part in self.parts))

    def __mul__(self, factor: float) -> Extreme:
        turned: Literal["max", "min"] = "min" if self.kind == "max" else "max"
        return Extreme(self.kind if factor >= 0 else turned, tuple(part * factor for part in self.parts))

    def __neg__(self) -> Extreme:
        return self * -1.0

    def __sub__(self, other: Term | float) -> Extreme:
        return self + (-other)

    def __str__(self) -> str:
        return self.label or f"{self.kind}({', '.join(map(str, self.parts))})"


Term = Linear | Extreme


def cell(protocol: Protocol, model: Models, dataset: str) -> Linear:
    """One cell's mean."""
    return Linear(((Cell(protocol, model, dataset), 1.0),))


def printed(key: str, where: str = "") -> Linear:
    """A number that the paper prints and that no probe makes: ``printed("r")``, ``printed("images", "clip")``."""
    return cell(PRINTED, key, where)


def constant(value: float) -> Linear:
    return Linear((), value)


def mean(terms: Iterable[Linear]) -> Linear:
    """Unweighted mean of quantities."""
    parts = list(terms)
    total: dict[Cell, float] = {}
    for part in parts:
        for cell, weight in part.weights:
            total[cell] = total.get(cell, 0.0) + weight / len(parts)
    return Linear(tuple(total.items()), sum(part.constant for part in parts) / len(parts))


def largest(*terms: Term) -> Term:
    return terms[0] if len(terms) == 1 else Extreme("max", terms)


def smallest(*terms: Term) -> Term:
    return terms[0] if len(terms) == 1 else Extreme("min", terms)


class _Leaf:
    """A condition of its own: it holds where its margin is positive, or not negative where that suffices."""

    strict = False

    def margin(self, values: Mapping[Cell, float]) -> float | None:
        """How far on the true side the condition is at these cell means; None when that cannot be known."""
        raise NotImplementedError

    def truth(self, values: Mapping[Cell, float]) -> bool | None:
        margin = self.margin(values)
        if margin is None:
            return None
        return margin > DUST if self.strict else margin >= -DUST

    def leaves(self) -> Iterator[Self]:
        yield self


@dataclass(frozen=True)
class Margin(_Leaf):
    """``term > 0``, or ``term >= 0`` when not strict."""

    term: Linear
    strict: bool = True

    def margin(self, values: Mapping[Cell, float]) -> float | None:
        return self.term.value(values)

    def __str__(self) -> str:
        return f"{self.term} {'>' if self.strict else '>='} 0"


class _Coefficient(_Leaf):
    """``sign * (coefficient - threshold) >= 0``."""

    threshold: float
    sign: Literal[1, -1]

    def coefficient(self, values: Mapping[Cell, float]) -> float | None:
        """The coefficient at these cell means; None when a cell is missing or a side is constant."""
        raise NotImplementedError

    def margin(self, values: Mapping[Cell, float]) -> float | None:
        r = self.coefficient(values)
        return None if r is None else self.sign * (r - self.threshold)

    def _limit(self) -> str:
        return f"{'>=' if self.sign > 0 else '<='} {self.threshold:g}"


@dataclass(frozen=True)
class Correlation(_Coefficient):
    """``sign * (r(xs, ys) - threshold) >= 0`` over paired quantities; ``method`` names the coefficient."""

    xs: tuple[Linear, ...]
    ys: tuple[Linear, ...]
    threshold: float
    sign: Literal[1, -1] = 1
    method: Literal["pearson", "spearman"] = "pearson"

    @property
    def parts(self) -> tuple[Correlation, ...]:
        return (self,)

    def coefficient(self, values: Mapping[Cell, float]) -> float | None:
        import numpy as np

        from mmbench.stats import correlations

        xs = [term.value(values) for term in self.xs]
        ys = [term.value(values) for term in self.ys]
        if None in xs or None in ys:
            return None
        measure = correlations.spearman if self.method == "spearman" else correlations.pearson
        r = float(measure(np.array(xs, dtype=float), np.array(ys, dtype=float)))
        return None if np.isnan(r) else r

    def __str__(self) -> str:
        return f"{self.method} over {len(self.xs)} pairs {self._limit()}"


@dataclass(frozen=True)
class MeanCorrelation(_Coefficient):
    """``mean of correlations >= threshold``: several rank agreements averaged, as between every two datasets."""

    parts: tuple[Correlation, ...]
    threshold: float
    sign: Literal[1, -1] = 1

    def coefficient(self, values: Mapping[Cell, float]) -> float | None:
        parts = [part.coefficient(values) for part in self.parts]
        known = [part for part in parts if part is not None]
        return sum(known) / len(known) if len(known) == len(parts) else None

    def __str__(self) -> str:
        return f"mean of {len(self.parts)} correlations {self._limit()}"


@dataclass(frozen=True)
class Quorum:
    """At least ``n`` of ``parts`` hold. ``n == len(parts)``: all of them; ``n == 1``: any of them."""

    n: int
    parts: tuple[Node, ...]
    label: str = field(default="", compare=False)

    def truth(self, values: Mapping[Cell, float]) -> bool | None:
        """Kleene's three values: what is already decided does not wait for a missing cell."""
        known = [part.truth(values) for part in self.parts]
        if known.count(True) >= self.n:
            return True
        return None if known.count(True) + known.count(None) >= self.n else False

    def leaves(self) -> Iterator[Leaf]:
        for part in self.parts:
            yield from part.leaves()

    def __str__(self) -> str:
        if self.label:
            return self.label
        word = {len(self.parts): "all", 1: "any"}.get(self.n, f"at least {self.n}")
        return f"{word} of {len(self.parts)}"


Leaf = Margin | Correlation | MeanCorrelation
Node = Leaf | Quorum


def all_of(parts: Iterable[Node]) -> Node:
    kept = tuple(parts)
    return kept[0] if len(kept) == 1 else Quorum(len(kept), kept)


def any_of(parts: Iterable[Node]) -> Node:
    kept = tuple(parts)
    return kept[0] if len(kept) == 1 else Quorum(1, kept)


def positive(term: Term, *, strict: bool = True) -> Node:
    """The condition ``term > 0`` (``>= 0`` when not strict), with maxima and minima turned into any and all."""
    if isinstance(term, Linear):
        return Margin(term, strict)
    join: Callable[[Iterable[Node]], Node] = any_of if term.kind == "max" else all_of
    return join(positive(part, strict=strict) for part in term.parts)


def cells_of(node: Node) -> tuple[Cell, ...]:
    """Every cell that the condition rests on, once each, in order of appearance."""
    seen: dict[Cell, None] = {}
    for leaf in node.leaves():
        for term in terms_of(leaf):
            seen.update(dict.fromkeys(term.cells))
    return tuple(seen)


def terms_of(leaf: Leaf) -> tuple[Linear, ...]:
    """The quantities that a leaf compares."""
    if isinstance(leaf, Margin):
        return (leaf.term,)
    if isinstance(leaf, Correlation):
        return (*leaf.xs, *leaf.ys)
    return tuple(term for part in leaf.parts for term in terms_of(part))


def with_cells(node: Node, change: Callable[[Cell], Cell]) -> Node:
    """The same condition over other cells: how a claim is read again under another protocol or lineup."""

    def linear(term: Linear) -> Linear:
        return Linear(tuple((change(cell), weight) for cell, weight in term.weights), term.constant)

    def correlation(leaf: Correlation) -> Correlation:
        return replace(leaf, xs=tuple(map(linear, leaf.xs)), ys=tuple(map(linear, leaf.ys)))

    if isinstance(node, Quorum):
        return replace(node, parts=tuple(with_cells(part, change) for part in node.parts))
    if isinstance(node, Margin):
        return Margin(linear(node.term), node.strict)
    if isinstance(node, MeanCorrelation):
        return replace(node, parts=tuple(map(correlation, node.parts)))
    return correlation(node)
