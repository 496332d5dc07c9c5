"""Forms about the dendrogram of several models: average linkage on the distance 1 - r of every two (RSA).

The cells of a claim with such a form are pairs of models whose metric is a correlation. The tree is made anew at every
value of the cells. Heights are means of distances, and so linear, as long as the joins stay the same; where two joins
tie, a height has a kink or a jump, since another join then comes first. A verdict therefore needs both the tangent and
the trees of redrawn correlations (``Curved.parts``, ``mmbench.stats.redrawn``): where the joins themselves are
uncertain, it stays inconclusive.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.conditions import Curved, Linear, Node, all_of, cell
from mmbench.errors import BadForm
from mmbench.forms.scope import BY_PROTOCOL, Axis, Form, Scope, each_words
from mmbench.protocol import Protocol, Roles
from mmbench.stats.dendrogram import cophenetic, first_stranger, joins, mask, slope, together

Array = NDArray[np.float64]
NEAR, BETWEEN, FAR = 0.9, 0.5, 0.1  # correlations of planted tables
UNIT = "of height"  # of a margin: a difference of distances 1 - r


@dataclass(frozen=True)
class _OfDendrogram(Form):
    """``among`` are the roles whose dendrogram it is; every two of them are a pair of the claim's models."""

    among: tuple[str, ...]

    def compile(self, scope: Scope) -> Node:
        return all_of(leaf for at in scope.points(self._each()) for leaf in self._leaves(at))

    def _each(self) -> tuple[Axis, ...]:
        return BY_PROTOCOL

    def _leaves(self, at: Scope) -> Iterator[Curved]:
        raise NotImplementedError

    def _terms(self, at: Scope) -> tuple[Linear, ...]:
        """One quantity for every two roles, in the order of ``itertools.combinations``."""
        known = {frozenset(roles): roles for roles in at.models if isinstance(roles, Roles) and len(roles) == 2}
        missing = [pair for pair in itertools.combinations(self.among, 2) if frozenset(pair) not in known]
        if missing:
            raise BadForm(
                f"a dendrogram of {len(self.among)} models needs every two of them as a pair, Roles(one, other), among "
                f"the claim's models; {len(missing)} are missing, the first {'+'.join(missing[0])}"
            )
        protocols: Sequence[Protocol] = at.protocols
        if len(protocols) != 1 or len(at.datasets) != 1:
            raise BadForm(
                f"a dendrogram is made under one protocol on one dataset, found {len(protocols)} and "
                f"{len(at.datasets)}; judge them one by one (each=), or narrow them with On"
            )
        return tuple(
            cell(protocols[0], known[frozenset(pair)], at.datasets[0]) for pair in itertools.combinations(self.among, 2)
        )

    def _mask(self, roles: Sequence[str]) -> int:
        strangers = [role for role in roles if role not in self.among]
        if strangers or len(set(roles)) < len(roles):
            raise BadForm(
                f"expected some of the models of the dendrogram, {', '.join(self.among)}, each once; found "
                f"{', '.join(roles)}"
            )
        return mask(self.among.index(role) for role in roles)

    def _table(self, level: Mapping[frozenset[str], float], other: float) -> tuple[float, ...]:
        """A correlation for every two roles: of the smallest of the sets that hold both, else ``other``."""
        sets = sorted(level, key=len)
        return tuple(
            next((level[members] for members in sets if members.issuperset(pair)), other)
            for pair in itertools.combinations(self.among, 2)
        )


@dataclass(frozen=True)
class JoinedBelow(_OfDendrogram):
    """In the dendrogram of ``among`` all ``members`` are in one cluster at the height ``height``."""

    members: tuple[str, ...]
    height: float

    def _leaves(self, at: Scope) -> Iterator[Curved]:
        if len(self.members) < 2:
            raise BadForm(f"expected two members or more to be joined, found {', '.join(self.members) or 'none'}")
        own = frozenset(self.members)
        planted = (self._table({own: 1 - self.height / 2}, FAR), self._table({own: 1 - 2 * self.height}, FAR))
        join = _Height(self._mask(self.members), len(self.among))
        label = f"height at which {', '.join(self.members)} are joined"
        how = {"parts": join.parts, "largest": True, "planted": planted, "unit": UNIT}
        yield Curved(join, self._terms(at), self.height, -1, label, join.gradient, **how)  # type: ignore[arg-type]

    def words(self) -> str:
        return (
            f"in the dendrogram of {len(self.among)} models {', '.join(self.members)} are joined at {self.height:g} or "
            f"below{each_words(self._each())}"
        )


@dataclass(frozen=True)
class Clusters(_OfDendrogram):
    """In the dendrogram of ``among`` each of ``groups`` is a cluster of its own, apart from ``strangers``.

    All of its members are joined before a model of ``strangers`` (of all others when empty) joins one of them. The
    margin is the height of the first join with a stranger less the height at which the group is complete.

    To refute it, one stranger must surely be nearer to one member than another member is. Where some stranger is, and
    it may be any of several, the verdict stays open.
    """

    groups: tuple[tuple[str, ...], ...]
    strangers: tuple[str, ...] = ()

    def _leaves(self, at: Scope) -> Iterator[Curved]:
        terms = self._terms(at)
        for group in self.groups:
            if len(group) < 2 or not self._strangers(group):
                raise BadForm(f"expected two members or more and a model apart from them, found {', '.join(group)}")
        planted = self._planted()
        for group in self.groups:
            others = self._strangers(group)
            lead = _Lead(self._mask(group), self._mask(others), len(self.among))
            label = f"height at which another joins one of {', '.join(group)}, less that at which these are joined"
            yield Curved(lead, terms, 0.0, 1, label, lead.gradient, parts=lead.parts, planted=planted, unit=UNIT)

    def _strangers(self, group: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(role for role in self.strangers or self.among if role not in group)

    def _planted(self) -> tuple[tuple[float, ...], ...]:
        """Tables that hold and that fail: the smaller a group, the nearer its members; or a stranger is nearest to one.

        To fail, one stranger is next to one member of each group, so that it is clear who spoils it.
        """
        sizes = sorted({len(group) for group in self.groups})
        steps = np.linspace(NEAR, BETWEEN, len(sizes)) if len(sizes) > 1 else np.array([NEAR])
        near = {frozenset(group): float(steps[sizes.index(len(group))]) for group in self.groups}
        spoilt = {frozenset((group[0], self._strangers(group)[0])): NEAR for group in self.groups}
        return self._table(near, FAR), self._table(dict.fromkeys(near, FAR) | spoilt, FAR)

    def words(self) -> str:
        said = "; ".join(", ".join(group) for group in self.groups)
        apart = f" from {', '.join(self.strangers)}" if self.strangers else ""
        return f"in the dendrogram of {len(self.among)} models each is a cluster apart{apart}: {said}"


@dataclass(frozen=True)
class _Height:
    """The height at which ``members`` (a bit mask) are in one cluster, as a function of the correlations."""

    members: int
    models: int

    def __call__(self, r: Array) -> float:
        return together(joins(1.0 - r), self.members).height

    def gradient(self, r: Array) -> Any:
        return -slope(together(joins(1.0 - r), self.members), self.models)

    def parts(self, r: Array) -> Array:
        """The height at which each two members are joined; all are where the highest of them is."""
        own = _things(self.members)
        return cophenetic(1.0 - r)[:, _places(itertools.combinations(own, 2), self.models)]


@dataclass(frozen=True)
class _Lead:
    """How far above the height at which ``members`` are complete the first of ``others`` joins one of them."""

    members: int
    others: int
    models: int

    def __call__(self, r: Array) -> float:
        tree = joins(1.0 - r)
        return first_stranger(tree, self.members, self.others).height - together(tree, self.members).height

    def gradient(self, r: Array) -> Any:
        tree = joins(1.0 - r)
        first, complete = first_stranger(tree, self.members, self.others), together(tree, self.members)
        return slope(complete, self.models) - slope(first, self.models)

    def parts(self, r: Array) -> Array:
        """For a member, another one and a stranger: how far above the other one the stranger joins the member.

        The smallest of these is the lead: where the first stranger joins a member, some other member is joined to that
        one only where the group is complete, since heights are ultrametric.
        """
        own, others = _things(self.members), _things(self.others)
        heights = cophenetic(1.0 - r)
        three = [(m, n, s) for m, n in itertools.permutations(own, 2) for s in others]
        near = _places(((m, n) for m, n, _ in three), self.models)
        far = _places(((m, s) for m, _, s in three), self.models)
        return heights[:, far] - heights[:, near]


def _things(mask: int) -> list[int]:
    return [thing for thing in range(mask.bit_length()) if mask >> thing & 1]


def _places(pairs: Iterable[tuple[int, int]], n: int) -> list[int]:
    """Where pairs of n things stand among condensed distances."""
    at = {pair: place for place, pair in enumerate(itertools.combinations(range(n), 2))}
    return [at[min(pair), max(pair)] for pair in pairs]
