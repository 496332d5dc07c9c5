"""What the names in a form refer to: operands, the claim's scope, and what a form is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mmbench.conditions import Node, Term, cell, largest, mean, smallest
from mmbench.errors import BadForm
from mmbench.metrics import METRICS
from mmbench.protocol import Models, Protocol, Roles

Axis = Literal["dataset", "protocol"]
BY_PROTOCOL: tuple[Axis, ...] = ("protocol",)
BY_BOTH: tuple[Axis, ...] = ("protocol", "dataset")
POOLED: tuple[Axis, ...] = ()


@dataclass(frozen=True)
class Top:
    """The best member of a group (or of the names listed), as an operand.

    The largest of its members' means; the smallest where the protocols' metric is better low.
    """

    of: Models | tuple[Models, ...]

    def __str__(self) -> str:
        return f"the best of {names(self.of)}"


@dataclass(frozen=True)
class Bottom:
    """The worst member of a group (or of the names listed), as an operand.

    The smallest of its members' means; the largest where the protocols' metric is better low.
    """

    of: Models | tuple[Models, ...]

    def __str__(self) -> str:
        return f"the worst of {names(self.of)}"


def names(of: Models | tuple[Models, ...]) -> str:
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
        """The operand as a quantity: a name becomes its mean over members, datasets and protocols.

        Raises BadForm when that would be a mean over metrics of opposite direction.
        """
        if isinstance(operand, Top | Bottom):
            members = [self.quantity(member) for member in self.members(operand.of)]
            pick = largest if isinstance(operand, Top) is higher_is_better(*members) else smallest
            return pick(*members)
        if not isinstance(operand, str | Roles):
            return operand
        axes = itertools.product(self.protocols, self.members(operand), self.datasets)
        found = mean(cell(protocol, model, dataset) for protocol, model, dataset in axes)
        higher_is_better(found)  # refuses metrics of opposite direction
        return found


def higher_is_better(*terms: Term) -> bool:
    """The better direction of the quantities, by the metrics of their cells' protocols; higher for printed numbers.

    Raises BadForm when the metrics do not agree: neither a mean over them nor a best has a meaning.
    """
    protocols = dict.fromkeys(cell.protocol for term in terms for cell in term.cells if not cell.protocol.printed_only)
    metrics = dict.fromkeys(m for p in protocols for m in (p.metric, p.multilabel_metric) if m)
    high = [name for name in metrics if METRICS.get(name).higher_is_better]
    low = [name for name in metrics if name not in high]
    if high and low:
        raise BadForm(
            f"protocols {', '.join(p.name for p in protocols)} are taken together, but {', '.join(high)} is better "
            f"high and {', '.join(low)} better low; judge them one by one (each=BY_PROTOCOL, or On)"
        )
    return not low


class Form:
    """A relation that compiles to a condition over cells, and has a wording."""

    def compile(self, scope: Scope) -> Node:
        raise NotImplementedError

    def words(self) -> str:
        raise NotImplementedError


def each_words(each: tuple[Axis, ...]) -> str:
    axes = [axis for axis in each if axis == "dataset"]
    return ", on each dataset" if axes else ""
