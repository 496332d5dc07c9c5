"""A form about ranks, which can be averaged where scores of different units cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mmbench.conditions import Linear, Node, RankLead, all_of
from mmbench.errors import BadForm
from mmbench.forms.scope import BY_BOTH, BY_PROTOCOL, Axis, Form, Scope, each_words, higher_is_better, names
from mmbench.protocol import Models, Roles


@dataclass(frozen=True)
class BestRank(Form):
    """``a`` has the best mean rank of ``among`` (the claim's models when empty), by more than ``by`` places.

    Models are ranked at each protocol and dataset; ``each`` names the axes over which ranks are not averaged, so
    that by default there is one mean rank over datasets for each protocol. Metrics may differ in unit and direction.
    ``a`` counts among the ranked models whether ``among`` names it or not. Raises BadForm without a rival, and
    where a model is the best or worst of a group.
    """

    a: Models
    among: tuple[Models, ...] = ()
    by: float = 0.0
    each: tuple[Axis, ...] = BY_PROTOCOL

    def compile(self, scope: Scope) -> Node:
        return all_of(leaf for at in scope.points(self.each) for leaf in self._leads(at))

    def _leads(self, scope: Scope) -> Iterator[RankLead]:
        rivals = [name for name in (self.among or scope.models) if Roles.of(name) != Roles.of(self.a)]
        if not rivals:
            raise BadForm(f"{self.a} is ranked among no other model; name them with among=")
        ranked = (*rivals, self.a)
        settings = tuple(tuple(self._better_high(at, name) for name in ranked) for at in scope.points(BY_BOTH))
        for rival in range(len(rivals)):
            yield RankLead(settings, len(rivals), rival, self.by, names=tuple(map(str, ranked)))

    def _better_high(self, at: Scope, name: Models) -> Linear:
        quantity = at.quantity(name)
        if not isinstance(quantity, Linear):
            raise BadForm(f"{name} is no model or group with a mean: name the models to rank one by one")
        return quantity if higher_is_better(quantity) else -quantity

    def words(self) -> str:
        lead = f" by more than {self.by:g} places" if self.by else ""
        return (
            f"{self.a} with the best mean rank{lead} among {names(self.among) or 'the models'}{each_words(self.each)}"
        )
