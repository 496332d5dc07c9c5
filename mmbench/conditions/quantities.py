"""Quantities over cells: weighted sums of cell means, and the largest or smallest of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mmbench.protocol import PRINTED, Cell, ChanceCell, Models, Protocol

Change = Callable[[Cell], Cell | float]
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

    def with_cells(self, change: Change) -> Linear:
        """The same weights on other cells; a cell for which ``change`` gives a number becomes part of the constant."""
        weights, constant = [], self.constant
        for cell, weight in self.weights:
            changed = change(cell)
            if isinstance(changed, float):
                constant += weight * changed
            else:
                weights.append((changed, weight))
        return Linear(tuple(weights), constant)

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
    """The largest or smallest of several quantities; ``label`` is what it is called in text."""

    kind: Literal["max", "min"]
    parts: tuple[Term, ...]
    label: str = field(default="", compare=False)

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for part in self.parts for cell in part.cells)

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


def chance(protocol: Protocol, model: Models, dataset: str) -> Linear:
    """The chance level of one cell, in its unit: of accuracy the share of the most frequent label of the test.

    It is a number and no sample: the labels are taken as fixed. On printed evidence it is missing.
    """
    return Linear(((ChanceCell(protocol, model, dataset), 1.0),))


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
