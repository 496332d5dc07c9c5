"""Forms about a statistic of many quantities: a slope, a correlation, any smooth function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from mmbench.conditions import Correlation, Curved, Linear, MeanCorrelation, Node, Term, all_of, constant, positive
from mmbench.errors import BadForm
from mmbench.forms.scope import BY_PROTOCOL, Axis, Form, Operand, Scope, each_words


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
        return self.leaf()

    def leaf(self) -> Correlation:
        """The one leaf that it compiles to."""
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
        return MeanCorrelation(tuple(part.leaf() for part in self.parts), self.threshold)

    def words(self) -> str:
        return f"mean of {len(self.parts)} correlations at least {self.threshold:g}"


@dataclass(frozen=True)
class Curve(Form):
    """A smooth function of several quantities is at least (``sign`` 1) or at most (``sign`` -1) ``threshold``.

    ``function`` maps the values of ``of``, float64 ``[len(of)]`` in printed units, to a number: the height of a
    dendrogram's join, the residual of a logit fit. It is judged by its tangent at the means, from ``gradient``
    (derivatives ``[len(of)]``) or central differences, so it must be smooth there. ``label`` names it in text.
    ``planted`` are values of ``of`` that planted tables try first, where random ones seldom make a plausible curve.
    """

    function: Callable[..., float] = field(repr=False)
    of: tuple[Operand, ...]
    threshold: float
    sign: Literal[1, -1] = 1
    label: str = "statistic"
    gradient: Callable[..., Any] | None = field(default=None, repr=False)
    each: tuple[Axis, ...] = BY_PROTOCOL
    planted: tuple[tuple[float, ...], ...] = field(default=(), repr=False)

    def compile(self, scope: Scope) -> Node:
        return all_of(self._at(at) for at in scope.points(self.each))

    def _at(self, at: Scope) -> Curved:
        terms = [at.quantity(operand) for operand in self.of]
        linear = tuple(term for term in terms if isinstance(term, Linear))
        if len(linear) < len(terms):
            kinked = next(str(o) for o, term in zip(self.of, terms, strict=True) if not isinstance(term, Linear))
            raise BadForm(f"{self.label} is a smooth function and {kinked} is not: name the members one by one")
        return Curved(self.function, linear, self.threshold, self.sign, self.label, self.gradient, planted=self.planted)

    def words(self) -> str:
        side = "at least" if self.sign > 0 else "at most"
        return f"{self.label} of {len(self.of)} quantities {side} {self.threshold:g}{each_words(self.each)}"
