"""A lead in mean rank over several settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from mmbench.conditions.leaves import Leaf, ValueOf
from mmbench.conditions.quantities import Change, Linear


@dataclass(frozen=True)
class RankLead(Leaf):
    """``mean rank of second - mean rank of first > by`` (``>=`` when not strict), in places; rank 1 is the best.

    ``settings`` hold one quantity a model, higher ones better (negate what is better low), the same models in the same
    order in each; ``first`` and ``second`` are places in that order. Ties share the mean of their ranks. ``names`` are
    the models' names. It is judged by ``stats.ranks``.
    """

    settings: tuple[tuple[Linear, ...], ...]
    first: int
    second: int
    by: float = 0.0
    strict: bool = True
    names: tuple[str, ...] = field(default=(), compare=False)

    @property
    def terms(self) -> tuple[Linear, ...]:
        return tuple(term for setting in self.settings for term in setting)

    @property
    def lists(self) -> tuple[tuple[Linear, ...], ...]:
        return self.settings

    def clear(self, tried: Sequence[float]) -> float:
        return 0.5  # of a place

    def margin_of(self, value: ValueOf) -> float | None:
        from mmbench.stats import ranks

        found = [[value(term) for term in setting] for setting in self.settings]
        if any(None in row for row in found):
            return None
        return float(ranks.lead(np.array(found, dtype=np.float64), self.first, self.second)) - self.by

    def with_cells(self, change: Change) -> Self:
        return replace(self, settings=tuple(tuple(t.with_cells(change) for t in setting) for setting in self.settings))

    def negated(self) -> RankLead:
        return replace(self, first=self.second, second=self.first, by=-self.by, strict=not self.strict)

    def __str__(self) -> str:
        names = self.names or tuple(f"model {i + 1}" for i in range(len(self.settings[0])))
        lead = f" by {'more than' if self.strict else 'at least'} {self.by:g} places" if self.by else ""
        tie = " or shares it" if not self.strict and not self.by else ""
        return (
            f"{names[self.first]} has a better mean rank than {names[self.second]}{lead}{tie} "
            f"({len(names)} models, {len(self.settings)} settings)"
        )
