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

    @property
    def higher_is_better(self) -> bool:
        """The better direction of the protocols' metrics; higher where there are no protocols.

        Raises BadForm when the metrics do not agree: no mean over them, and no best, has a meaning.
        """
        ways = {name: METRICS.get(name).higher_is_better for p in self.protocols for name in _metrics_of(p)}
        if len(set(ways.values())) > 1:
            high, low = ([name for name, way in ways.items() if way is side] for side in (True, False))
            raise BadForm(
                f"{', '.join(p.name for p in self.protocols)} are taken together, but {', '.join(high)} is better high "
                f"and {', '.join(low)} better low; judge the protocols one by one (each=BY_PROTOCOL) or name one (On)"
            )
        return all(ways.values())

    def quantity(self, operand: Operand) -> Term:
        """The operand as a quantity: a name becomes its mean over members, datasets and protocols.

        Raises BadForm when that would be a mean over metrics of opposite direction.
        """
        if isinstance(operand, Top | Bottom):
            pick = largest if isinstance(operand, Top) is self.higher_is_better else smallest
            return pick(*(self.quantity(member) for member in self.members(operand.of)))
        if not isinstance(operand, str | Roles):
            return operand
        _ = self.higher_is_better  # refuses metrics of opposite direction
        axes = itertools.product(self.protocols, self.members(operand), self.datasets)
        return mean(cell(protocol, model, dataset) for protocol, model, dataset in axes)


def _metrics_of(protocol: Protocol) -> tuple[str, ...]:
    return tuple(filter(None, (protocol.metric, protocol.multilabel_metric)))


class Form:
    """A relation that compiles to a condition over cells, and has a wording."""

    def compile(self, scope: Scope) -> Node:
        raise NotImplementedError

    def words(self) -> str:
        raise NotImplementedError


def each_words(each: tuple[Axis, ...]) -> str:
    axes = [axis for axis in each if axis == "dataset"]
    return ", on each dataset" if axes else ""
