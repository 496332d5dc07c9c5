"""Forms that compare quantities with each other or with a number."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

from mmbench.conditions import Node, Term, all_of, constant, positive
from mmbench.forms.scope import BY_PROTOCOL, Axis, Form, Operand, Scope, each_words, higher_is_better, names
from mmbench.protocol import Models, Roles


@dataclass(frozen=True)
class _Lead(Form):
    """``a`` ahead of ``b`` by more than ``by``, at each point of the axes ``each``."""

    a: Operand
    b: Operand
    by: float = 0.0
    each: tuple[Axis, ...] = BY_PROTOCOL

    relation: ClassVar[str]

    def lead(self, a: Term, b: Term) -> Term:
        """How far ``a`` is ahead of ``b``."""
        return a - b

    def compile(self, scope: Scope) -> Node:
        return all_of(
            positive(self.lead(at.quantity(self.a), at.quantity(self.b)) - self.by) for at in scope.points(self.each)
        )

    def words(self) -> str:
        lead = f" by more than {self.by:g}" if self.by > 0 else f" less {-self.by:g}" if self.by else ""
        return f"{self.a!s} {self.relation} {self.b!s}{lead}{each_words(self.each)}"


@dataclass(frozen=True)
class Above(_Lead):
    """``a > b + by``: a comparison of numbers, whichever direction is better. See ``Better``."""

    relation = "above"


@dataclass(frozen=True)
class AtMost(Form):
    """``a <= b + slack``: a comparison of numbers, whichever direction is better."""

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
        return f"{self.a!s} at most {self.b!s}{slack}{each_words(self.each)}"


@dataclass(frozen=True)
class Better(_Lead):
    """``a`` better than ``b`` by more than ``by``: above it, or below it where the protocols' metric is better low."""

    relation = "better than"

    def lead(self, a: Term, b: Term) -> Term:
        return a - b if higher_is_better(a, b) else b - a


@dataclass(frozen=True)
class Best(Form):
    """``a`` better than every other model of ``among`` (the claim's models when empty); a tie does not refute it."""

    a: Models
    among: tuple[Models, ...] = ()
    by: float = 0.0
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        rivals = [name for name in (self.among or scope.models) if Roles.of(name) != Roles.of(self.a)]
        return all_of(Better(self.a, rival, self.by, self.each).compile(scope) for rival in rivals)

    def words(self) -> str:
        lead = f" by more than {self.by:g}" if self.by else ""
        return f"{self.a} best{lead} among {names(self.among) or 'the models'}{each_words(self.each)}"


@dataclass(frozen=True)
class Chain(Form):
    """``first > second > third ...``: a comparison of numbers, whichever direction is better."""

    links: tuple[Operand, ...]
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        return all_of(
            Above(above, below, each=self.each).compile(scope) for above, below in itertools.pairwise(self.links)
        )

    def words(self) -> str:
        return " > ".join(map(str, self.links)) + each_words(self.each)


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
        return f"{self.a!s} on par with {self.b!s} within {self.within:g}{each_words(self.each)}"


@dataclass(frozen=True)
class AtLeast(Form):
    """``a >= value``."""

    a: Operand
    value: float
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        return AtMost(constant(self.value), self.a, each=self.each).compile(scope)

    def words(self) -> str:
        return f"{self.a!s} at least {self.value:g}{each_words(self.each)}"


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
        return f"{self.a!s} more than {self.at_least:g} times {self.b!s}{each_words(self.each)}"
