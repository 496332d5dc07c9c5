"""Trees of conditions: how many of several parts must hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mmbench.conditions.leaves import Leaf, Margin
from mmbench.conditions.quantities import Change, Linear, Term
from mmbench.protocol import Cell


@dataclass(frozen=True)
class Quorum:
    """At least ``n`` of ``parts`` hold. ``n == len(parts)``: all of them; ``n == 1``: any of them."""

    n: int
    parts: tuple[Node, ...]
    label: str = field(default="", compare=False)

    def truth(self, values: Mapping[Cell, float]) -> bool | None:
        """In Kleene's three values: a part that is missing leaves the truth open unless the others decide."""
        known = [part.truth(values) for part in self.parts]
        if known.count(True) >= self.n:
            return True
        return None if known.count(True) + known.count(None) >= self.n else False

    def leaves(self) -> Iterator[Leaf]:
        for part in self.parts:
            yield from part.leaves()

    def with_cells(self, change: Change) -> Quorum:
        return replace(self, parts=tuple(part.with_cells(change) for part in self.parts))

    def negated(self) -> Quorum:
        """So many parts must fail that too few are left."""
        return Quorum(len(self.parts) - self.n + 1, tuple(part.negated() for part in self.parts))

    def __str__(self) -> str:
        if self.label:
            return self.label
        word = {len(self.parts): "all", 1: "any"}.get(self.n, f"at least {self.n}")
        return f"{word} of {len(self.parts)}"


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
        for term in leaf.terms:
            seen.update(dict.fromkeys(term.cells))
    return tuple(seen)


def measured_cells_of(node: Node) -> tuple[Cell, ...]:
    """Every cell that must be measured to judge the condition: as ``cells_of``, a chance level by the cell it is of."""
    return tuple(dict.fromkeys(cell.measured for cell in cells_of(node)))


def with_cells(node: Node, change: Change) -> Node:
    """The same condition over other cells: how a claim is read again under another protocol or lineup.

    Where ``change`` gives a number, the cell becomes part of a constant.
    """
    return node.with_cells(change)
