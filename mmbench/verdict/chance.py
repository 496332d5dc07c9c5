"""Comparisons that say nothing: both sides are at chance, or no better than the untrained network in their place.

A model that knows nothing can still be ahead of another one, by luck or by a bias of its answers, and a test then finds
a real difference between two answers that are both worthless. Such a comparison keeps its outcome and is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mmbench.conditions import Coefficient, Leaf, Margin
from mmbench.protocol import Cell, Protocol
from mmbench.scores import Scores, joint
from mmbench.stats import LEVEL, Joint, Residuals

UntrainedOf = Callable[[Cell], Scores | None]
CHANCE, UNTRAINED = "chance", "the untrained network"


@dataclass(frozen=True)
class Uninformative:
    """What ``uninformative`` finds: why the deciding comparison says nothing (empty: it does say something).

    ``count`` is how many of all comparisons say nothing.
    """

    why: str = ""
    count: int = 0


@dataclass(frozen=True)
class KnownFloors:
    """Whether a cell is no better than chance, and than the untrained network; a cell's scores must not change."""

    by_chance: dict[Cell, bool] = field(default_factory=dict)
    by_untrained: dict[Cell, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Floors:
    """Which cells are not better than chance or than the untrained network, by their one-sided 95 % bounds.

    ``joint`` holds the means of ``scores`` in their order. ``untrained`` gives the scores of an untrained network on
    the cell's protocol and dataset, None where there are none; the two are compared in pairs. What was found is kept
    in ``known``, which may hold what earlier claims found for the same scores; ``residuals`` as ``scores.joint``.
    """

    scores: Mapping[Cell, Scores]
    joint: Joint
    untrained: UntrainedOf | None = None
    known: KnownFloors = field(default_factory=KnownFloors, repr=False)
    residuals: Residuals | None = None

    def below(self, cell: Cell) -> str:
        """What the cell is not better than; empty when it is better than both, or was not measured."""
        if cell not in self.scores:
            return ""
        if cell not in self.known.by_chance:
            self._compare_with_chance()
        if self.known.by_chance[cell]:
            return CHANCE
        if cell not in self.known.by_untrained:
            self._compare_with_untrained()
        return UNTRAINED if self.known.by_untrained[cell] else ""

    def _compare_with_chance(self) -> None:
        """Fill ``by_chance`` with the cells that are not in it, all at once."""
        place = {cell: i for i, cell in enumerate(self.scores) if cell not in self.known.by_chance}
        new = [self.scores[cell] for cell in place]
        signs, chances = np.array([(_sign(each), each.chance * each.scale) for each in new]).T
        rows = np.zeros((len(new), len(self.scores)))
        rows[np.arange(len(new)), list(place.values())] = signs
        p = self.joint.contrasts(rows, -signs * chances).p_above()
        self.known.by_chance.update(
            {cell: bool(_has_chance(one) and above > LEVEL) for cell, one, above in zip(place, new, p, strict=True)}
        )

    def _compare_with_untrained(self) -> None:
        """Fill ``by_untrained``; cells of one protocol on one dataset at a time, each in a contrast with its twin."""
        found = self.known.by_untrained
        alike: dict[tuple[Protocol, str], dict[Cell, tuple[Scores, Scores]]] = {}
        for cell, own in self.scores.items():
            if cell not in found:
                found[cell] = False
                twin = self.untrained(cell) if self.untrained else None
                if twin is not None and twin.metric == own.metric:
                    alike.setdefault((cell.protocol, cell.dataset), {})[cell] = own, twin
        for pairs in alike.values():
            owns, twins = zip(*pairs.values(), strict=True)
            signs = np.diag([_sign(own) for own in owns])
            p = joint([*owns, *twins], self.residuals).contrasts(np.hstack([signs, -signs])).p_above()
            found.update({cell: bool(above > LEVEL) for cell, above in zip(pairs, p, strict=True)})


def uninformative(leaves: Iterable[Leaf], deciding: Leaf | None, floors: Floors) -> Uninformative:
    """Whether the deciding comparison says nothing, and how many of all comparisons do."""
    found = [(leaf, _why(leaf, floors)) for leaf in leaves]
    mine = next((why for leaf, why in found if leaf is deciding), "")
    return Uninformative(mine, sum(bool(why) for _, why in found))


def _why(leaf: Leaf, floors: Floors) -> str:
    """Why a comparison says nothing; empty where it says something, or is one of a single side with a constant."""
    if isinstance(leaf, Margin):
        sides = [[cell for cell, w in leaf.term.weights if w > 0], [cell for cell, w in leaf.term.weights if w < 0]]
        return _said("neither side is better than", [cell for side in sides for cell in side], floors) * all(sides)
    if isinstance(leaf, Coefficient):
        return _one_list(leaf, floors)
    cells = list(dict.fromkeys(cell for term in leaf.terms for cell in term.cells))
    return _said("no cell is better than", cells, floors) if len(cells) > 1 else ""


def _one_list(leaf: Coefficient, floors: Floors) -> str:
    """A correlation says nothing where all cells of one of its lists do, in each of the correlations it averages."""
    found = []
    for part in leaf.parts:
        lists = ([cell for term in terms for cell in term.cells] for terms in (part.xs, part.ys))
        found.append(next(filter(None, (_said("no cell of a list is better than", x, floors) for x in lists)), ""))
    return found[0] if found and all(found) else ""


def _said(words: str, cells: list[Cell], floors: Floors) -> str:
    below: dict[str, None] = {}
    for cell in cells:
        name = floors.below(cell)
        if not name:
            return ""
        below[name] = None
    return f"{words} {' or '.join(sorted(below))}" if below else ""


def _sign(scores: Scores) -> float:
    return 1.0 if scores.definition.higher_is_better else -1.0


def _has_chance(scores: Scores) -> bool:
    """A metric that is better low, and does not say what chance gives, has no chance level to compare with."""
    return scores.definition.higher_is_better or scores.definition.chance_of is not None
