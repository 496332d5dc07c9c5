"""Forms made of other forms."""

from __future__ import annotations

from dataclasses import dataclass

from mmbench.conditions import Node, Quorum, all_of, any_of
from mmbench.forms.scope import BY_BOTH, Axis, Form, Scope
from mmbench.protocol import Protocol


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
        return self.part.compile(scope).negated()

    def words(self) -> str:
        return f"not ({self.part.words()})"


def _listed(parts: tuple[Form, ...], joint: str, most: int = 4) -> str:
    shown = [part.words() for part in parts[:most]]
    if len(parts) > most:
        shown.append(f"{len(parts) - most} more")
    return joint.join(shown)
