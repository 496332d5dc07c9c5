"""The relations a claim can assert.

An operand is a quantity (``mmbench.conditions``) or the name of a role or of a group of roles. A name stands for its
mean over the claim's datasets, one protocol at a time; ``each`` names the axes that are judged one by one instead of
averaged. A group is averaged over its members; ``Top`` and ``Bottom`` take its best and its worst member instead.
``On`` and ``Each`` narrow what a part is asked of.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mmbench.conditions import (
    Correlation,
    Linear,
    MeanCorrelation,
    Node,
    Quorum,
    Term,
    all_of,
    any_of,
    cell,
    constant,
    largest,
    mean,
    positive,
    smallest,
)
from mmbench.protocol import Models, Protocol, Roles

Axis = Literal["dataset", "protocol"]
BY_PROTOCOL: tuple[Axis, ...] = ("protocol",)
BY_BOTH: tuple[Axis, ...] = ("protocol", "dataset")
POOLED: tuple[Axis, ...] = ()


@dataclass(frozen=True)
class Top:
    """The best member of a group (or of the names listed), as an operand: the largest of its members' means."""

    of: Models | tuple[Models, ...]

    def __str__(self) -> str:
        return f"the best of {_names(self.of)}"


@dataclass(frozen=True)
class Bottom:
    """The worst member of a group (or of the names listed), as an operand: the smallest of its members' means."""

    of: Models | tuple[Models, ...]

    def __str__(self) -> str:
        return f"the worst of {_names(self.of)}"


def _names(of: Models | tuple[Models, ...]) -> str:
    return str(of) if isinstance(of, str | Roles) else ", ".join(map(str, of))


Operand = Models | Top | Bottom | Term


@dataclass(frozen=True)
class Scope:
    """What the names in a form refer to: the claim's protocols, datasets and models, and the groups of roles."""

    protocols: tuple[Protocol, ...] = ()
    datasets: tuple[str, ...] = ()
    models: tuple[Models, ...] = ()
    groups: Mapping[str, tuple[Models, ...]] = field(default_factory=dict)

    def points(self, each: tuple[Axis, ...]) -> Iterator[Scope]:
        """This scope cut into one scope for every value of the axes judged one by one.

        An empty axis is not cut: a form over printed numbers only has no protocols, and must still be asked once.
        """
        protocols = [(p,) for p in self.protocols] if "protocol" in each and self.protocols else [self.protocols]
        datasets = [(d,) for d in self.datasets] if "dataset" in each and self.datasets else [self.datasets]
        for some_protocols, some_datasets in itertools.product(protocols, datasets):
            yield Scope(some_protocols, some_datasets, self.models, self.groups)

    def members(self, name: Models | tuple[Models, ...]) -> tuple[Models, ...]:
        """The roles of a group; a role, or roles that are taken together, are their own only member."""
        if isinstance(name, str):
            return self.groups.get(name, (name,))
        return (name,) if isinstance(name, Roles) else name

    def quantity(self, operand: Operand) -> Term:
        """The operand as a quantity: a name becomes its mean over members, datasets and protocols."""
        if isinstance(operand, Top | Bottom):
            pick = largest if isinstance(operand, Top) else smallest
            return pick(*(self.quantity(member) for member in self.members(operand.of)))
        if not isinstance(operand, str | Roles):
            return operand
        axes = itertools.product(self.protocols, self.members(operand), self.datasets)
        return mean(cell(protocol, model, dataset) for protocol, model, dataset in axes)


class Form:
    """A relation that compiles to a condition over cells and says itself in words."""

    def compile(self, scope: Scope) -> Node:
        raise NotImplementedError

    def words(self) -> str:
        raise NotImplementedError


def _each(each: tuple[Axis, ...]) -> str:
    axes = [axis for axis in each if axis == "dataset"]
    return ", on each dataset" if axes else ""


@dataclass(frozen=True)
class Above(Form):
    """``a > b + by``."""

    a: Operand
    b: Operand
    by: float = 0.0
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        return all_of(positive(at.quantity(self.a) - at.quantity(self.b) - self.by) for at in scope.points(self.each))

    def words(self) -> str:
        lead = f" by more than {self.by:g}" if self.by > 0 else f" less {-self.by:g}" if self.by else ""
        return f"{self.a!s} above {self.b!s}{lead}{_each(self.each)}"


@dataclass(frozen=True)
class AtMost(Form):
    """``a <= b + slack``."""

    a: Operand
    b: Operand
    slack: float = 0.0
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        return all_of(
            positive(at.quantity(self.b) - at.quantity(self.a) + self.slack, strict=False)
            for at in scope.points(self.each)
        )

    def words(self) -> str:
        slack = f" plus {self.slack:g}" if self.slack else ""
        return f"{self.a!s} at most {self.b!s}{slack}{_each(self.each)}"


@dataclass(frozen=True)
class Best(Form):
    """``a`` above every other model of ``among`` (the claim's models when empty); a tie does not refute it."""

    a: Models
    among: tuple[Models, ...] = ()
    by: float = 0.0
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        rivals = [name for name in (self.among or scope.models) if name != self.a]
        return all_of(Above(self.a, rival, self.by, self.each).compile(scope) for rival in rivals)

    def words(self) -> str:
        lead = f" by more than {self.by:g}" if self.by else ""
        return f"{self.a} best{lead} among {_names(self.among) or 'the models'}{_each(self.each)}"


@dataclass(frozen=True)
class Chain(Form):
    """``first > second > third ...``."""

    links: tuple[Operand, ...]
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        return all_of(
            Above(above, below, each=self.each).compile(scope) for above, below in itertools.pairwise(self.links)
        )

    def words(self) -> str:
        return " > ".join(map(str, self.links)) + _each(self.each)


@dataclass(frozen=True)
class OnPar(Form):
    """``|a - b| <= within``: two one-sided tests."""

    a: Operand
    b: Operand
    within: float
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        sides = (AtMost(self.a, self.b, self.within, self.each), AtMost(self.b, self.a, self.within, self.each))
        return all_of(side.compile(scope) for side in sides)

    def words(self) -> str:
        return f"{self.a!s} on par with {self.b!s} within {self.within:g}{_each(self.each)}"


@dataclass(frozen=True)
class AtLeast(Form):
    """``a >= value``."""

    a: Operand
    value: float
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        return AtMost(constant(self.value), self.a, each=self.each).compile(scope)

    def words(self) -> str:
        return f"{self.a!s} at least {self.value:g}{_each(self.each)}"


@dataclass(frozen=True)
class Ratio(Form):
    """``a / b > at_least``, judged as ``a - at_least * b > 0``: exact for positive ``b`` and free of division."""

    a: Operand
    b: Operand
    at_least: float
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        return all_of(
            positive(at.quantity(self.a) - at.quantity(self.b) * self.at_least) for at in scope.points(self.each)
        )

    def words(self) -> str:
        return f"{self.a!s} more than {self.at_least:g} times {self.b!s}{_each(self.each)}"


@dataclass(frozen=True)
class Trend(Form):
    """The least-squares slope of ``ys`` over ``xs`` is positive (``up``) or negative (``down``)."""

    xs: tuple[float, ...]
    ys: tuple[Linear, ...]
    direction: Literal["up", "down"] = "up"

    def compile(self, scope: Scope) -> Node:
        centre = sum(self.xs) / len(self.xs)
        sign = 1.0 if self.direction == "up" else -1.0
        slope: Term = constant(0.0)
        for x, y in zip(self.xs, self.ys, strict=True):
            slope = slope + y * (sign * (x - centre))
        return positive(slope)

    def words(self) -> str:
        return f"{'rising' if self.direction == 'up' else 'falling'} over {', '.join(f'{x:g}' for x in self.xs)}"


@dataclass(frozen=True)
class Correlates(Form):
    """The correlation of two lists of quantities is at least (``sign`` 1) or at most (``sign`` -1) ``threshold``."""

    xs: tuple[Linear, ...]
    ys: tuple[Linear, ...]
    threshold: float
    sign: Literal[1, -1] = 1
    method: Literal["pearson", "spearman"] = "pearson"

    def compile(self, scope: Scope) -> Node:
        return Correlation(self.xs, self.ys, self.threshold, self.sign, self.method)

    def words(self) -> str:
        side = "at least" if self.sign > 0 else "at most"
        return f"{self.method} correlation over {len(self.xs)} pairs {side} {self.threshold:g}"


@dataclass(frozen=True)
class MeanCorrelates(Form):
    """The mean of several correlations is at least ``threshold``."""

    parts: tuple[Correlates, ...]
    threshold: float

    def compile(self, scope: Scope) -> Node:
        parts = tuple(part.compile(scope) for part in self.parts)
        return MeanCorrelation(tuple(p for p in parts if isinstance(p, Correlation)), self.threshold)

    def words(self) -> str:
        return f"mean of {len(self.parts)} correlations at least {self.threshold:g}"


@dataclass(frozen=True)
class Wins(Form):
    """At least ``at_least`` of the parts hold; ``of`` says what the parts are."""

    parts: tuple[Form, ...]
    at_least: int
    of: str = "comparisons"

    def compile(self, scope: Scope) -> Node:
        return Quorum(self.at_least, tuple(part.compile(scope) for part in self.parts))

    def words(self) -> str:
        return f"at least {self.at_least} of {len(self.parts)} {self.of}"


@dataclass(frozen=True)
class All(Form):
    """Every part holds."""

    parts: tuple[Form, ...]

    def compile(self, scope: Scope) -> Node:
        return all_of(part.compile(scope) for part in self.parts)

    def words(self) -> str:
        return _listed(self.parts, " and ")


@dataclass(frozen=True)
class Any(Form):
    """Some part holds."""

    parts: tuple[Form, ...]

    def compile(self, scope: Scope) -> Node:
        return any_of(part.compile(scope) for part in self.parts)

    def words(self) -> str:
        return _listed(self.parts, " or ")


@dataclass(frozen=True)
class On(Form):
    """The part asked of some of the claim's datasets or protocols only."""

    part: Form
    datasets: tuple[str, ...] = ()
    protocols: tuple[Protocol, ...] = ()

    def compile(self, scope: Scope) -> Node:
        datasets, protocols = self.datasets or scope.datasets, self.protocols or scope.protocols
        return self.part.compile(Scope(protocols, datasets, scope.models, scope.groups))

    def words(self) -> str:
        names = ", ".join((*self.datasets, *(protocol.name for protocol in self.protocols)))
        return f"on {names}: {self.part.words()}" if names else self.part.words()


@dataclass(frozen=True)
class Each(Form):
    """The part asked at every value of the axes, one by one: what ``each`` is to a comparison, for any form."""

    part: Form
    each: tuple[Axis, ...] = BY_BOTH

    def compile(self, scope: Scope) -> Node:
        return all_of(self.part.compile(at) for at in scope.points(self.each))

    def words(self) -> str:
        return f"{self.part.words()}, for each {' and '.join(self.each)}"


@dataclass(frozen=True)
class Not(Form):
    """The part does not hold: every margin turned round, every quorum complemented."""

    part: Form

    def compile(self, scope: Scope) -> Node:
        return negate(self.part.compile(scope))

    def words(self) -> str:
        return f"not ({self.part.words()})"


def negate(node: Node) -> Node:
    """The complement of a condition."""
    from mmbench.conditions import Margin

    if isinstance(node, Quorum):
        return Quorum(len(node.parts) - node.n + 1, tuple(negate(part) for part in node.parts))
    if isinstance(node, Margin):
        return Margin(-node.term, not node.strict)
    opposite: Literal[1, -1] = -1 if node.sign > 0 else 1
    if isinstance(node, MeanCorrelation):
        return MeanCorrelation(node.parts, node.threshold, opposite)
    return Correlation(node.xs, node.ys, node.threshold, opposite, node.method)


def _listed(parts: tuple[Form, ...], joint: str, most: int = 4) -> str:
    shown = [part.words() for part in parts[:most]]
    if len(parts) > most:
        shown.append(f"{len(parts) - most} more")
    return joint.join(shown)
