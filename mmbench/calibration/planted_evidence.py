"""Planted evidence: tables of cell means, and outcomes, in which a condition is known to hold or to fail.

A judge that never says "refuted" is worth nothing. So every claim is shown a table that satisfies it and one that
violates it, each with the largest margin that its units allow (up to a quarter of the range), found by mixed-integer
linear programming: a binary variable says which parts of a quorum are made to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.conditions import Leaf, Linear, Node, Quorum, cells_of
from mmbench.errors import BadSpec
from mmbench.metrics import METRICS
from mmbench.protocol import Cell, ChanceCell
from mmbench.scores import Scores

Bounds = Callable[[Cell], tuple[float, float]]
Targets = dict[Linear, float]
ENOUGH = 0.25  # of its range is as large a margin as a planted table needs
SECONDS = (2.0, 20.0)  # after the first, any table with a clear margin will do; the second is given only without one
CLEAR = 0.02
TRIES = 60  # orders tried for correlations


def plant(
    node: Node, satisfied: bool, *, low: float = 0.0, high: float = 100.0, bounds: Bounds | None = None, seed: int = 0
) -> dict[Cell, float]:
    """Cell means that satisfy, or violate, the condition clearly: by a quarter of each margin's range if that can be.

    Every cell lies in ``[low, high]``, or in what ``bounds`` gives for it; margins are relative to their own range.
    Raises BadSpec when no such table exists.
    """
    goal = node if satisfied else node.negated()
    cells = cells_of(goal)
    limits = {cell: bounds(cell) if bounds else (low, high) for cell in cells}
    for targets in _orders(goal, limits, np.random.default_rng(seed)):
        for ties in (False, True):
            found = _solve(goal, limits, targets, ties=ties)
            for table in (found, {cell: round(mean, 5) for cell, mean in found.items()} if found else None):
                if table is not None and goal.truth(table):  # rounded, for exact ties: the solver is not exact
                    return table
    raise BadSpec(f"no table of means within the cells' bounds {'satisfies' if satisfied else 'violates'}: {node}")


def planted_scores(
    means: Mapping[Cell, float],
    *,
    seed: int = 0,
    trials: int = 5,
    examples: int = 2000,
    metric: Callable[[Cell], str] = lambda cell: "accuracy",
    example_share: float = 0.6,
    trial_share: float = 0.01,
    own: float = 0.0,
) -> dict[Cell, Scores]:
    """Outcomes 0 or 1 with these means, paired by trial and example on each dataset.

    A latent normal score is the sum of an example's difficulty, a trial's luck and the cell's own noise, with the given
    shares of variance; the outcome says whether it falls below the quantile of the mean. Difficulty and luck are shared
    by all cells of the dataset but for the part ``own``. ``metric`` names the metric of each cell, whose outcomes must
    lie in [0, 1]; of a mean below 0, which a correlation may have, they are 0 or -1. The mean of a chance level becomes
    the chance level of its cell's scores.
    """
    from scipy.special import ndtri

    rng = np.random.default_rng(seed)

    def effects(part: float) -> NDArray[np.float64]:
        hard = rng.standard_normal((1, examples)) * np.sqrt(part * example_share)
        return hard + rng.standard_normal((trials, 1)) * np.sqrt(part * trial_share)

    shared: dict[str, NDArray[np.float64]] = {}
    out = {}
    for cell, mean in means.items():
        if isinstance(cell, ChanceCell):
            continue
        if cell.dataset not in shared:
            shared[cell.dataset] = effects(1 - own)
        latent = shared[cell.dataset] + (effects(own) if own else 0.0)
        latent += rng.standard_normal((trials, examples), np.float32) * np.sqrt(1 - example_share - trial_share)
        name = metric(cell)
        level = means.get(ChanceCell(cell.protocol, cell.models, cell.dataset), 0.0) / METRICS.get(name).scale
        hit = latent < ndtri(np.clip(abs(mean) / METRICS.get(name).scale, 0.0, 1.0))
        out[cell] = Scores(np.copysign(hit, mean, dtype=np.float32), name, f"planted {cell.dataset}", level)
    return out


# The programme


@dataclass
class _Rows:
    """Constraints ``low <= row @ x`` gathered one by one, as a sparse matrix in triplets."""

    at: list[tuple[int, int, float]]
    low: list[float]

    def add(self, entries: Iterable[tuple[int, float]], low: float) -> None:
        self.at.extend((len(self.low), column, value) for column, value in entries)
        self.low.append(low)


def _solve(
    goal: Node, limits: Mapping[Cell, tuple[float, float]], targets: Targets, *, ties: bool
) -> dict[Cell, float] | None:
    """The table with the largest smallest margin: variables are the cells, one margin, one switch a leaf or quorum.

    With ``ties``, a margin that need not be strict is only kept from being negative (an exact tie leaves no room).
    """
    from scipy import optimize, sparse

    columns = {cell: i for i, cell in enumerate(limits)}
    margin = len(columns)
    rows = _Rows([], [])
    switches: list[tuple[float, float]] = []  # bounds of each switch
    weight: list[float] = []

    def share(term: Linear) -> tuple[list[tuple[int, float]], float]:
        """The term over cells that run from 0 to 1 within their bounds: entries and constant."""
        spans = [(columns[c], w * (limits[c][1] - limits[c][0]), w * limits[c][0]) for c, w in term.weights]
        return [(column, w) for column, w, _ in spans], term.constant + sum(base for _, _, base in spans)

    def switch(low: float = 0.0, high: float = 1.0, worth: float = 0.0) -> int:
        switches.append((low, high))
        weight.append(worth)
        return margin + len(switches)

    def state(node: Node) -> int:
        """Add the node's constraints; returns the column of its switch."""
        if isinstance(node, Quorum):
            parts = [state(part) for part in node.parts]
            own = switch()
            rows.add([*((part, 1.0) for part in parts), (own, -float(node.n))], 0.0)
            return own
        if not node.lists:  # its margin is its one quantity
            own = switch(worth=1.0)
            (term,) = node.terms
            reach = _reach(term, limits)
            size = max(reach[1] - reach[0], abs(term.constant), 1e-12)
            off = 1.0 + max(0.0, -reach[0]) / size  # enough to switch the constraint off
            entries, base = share(term)
            entries = [(column, w / size) for column, w in entries]
            clear = 0.0 if ties and not node.strict else -1.0
            rows.add([*entries, (margin, clear), (own, -off)], -off - base / size)
            return own
        return switch(high=1.0 if _planted_margin(node, targets) > 0 else 0.0, worth=1.0)

    root = state(goal)
    rows.add([(root, 1.0)], 1.0)
    for term, value in targets.items():
        entries, base = share(term)
        for sign in (1.0, -1.0):
            rows.add([(column, sign * w) for column, w in entries], sign * (value - base))
    count = margin + 1 + len(switches)
    tie_break = 1e-3 / max(sum(weight), 1.0)  # of two tables with one margin, the one where more parts hold
    objective = -np.concatenate([np.zeros(margin), [1.0], tie_break * np.array(weight)])
    low = np.array([*(0.0 for _ in columns), 0.0, *(low for low, _ in switches)])
    high = np.array([*(1.0 for _ in columns), ENOUGH, *(high for _, high in switches)])
    down, across, values = zip(*rows.at, strict=True)
    matrix = sparse.csr_array((values, (down, across)), shape=(len(rows.low), count))
    for seconds in SECONDS:
        found = optimize.milp(
            objective,
            integrality=np.concatenate([np.zeros(margin + 1), np.ones(len(switches))]),
            bounds=optimize.Bounds(low, high),
            constraints=optimize.LinearConstraint(matrix, lb=np.array(rows.low)),
            options={"time_limit": seconds, "mip_rel_gap": 1e-3},
        )
        if found.status != 1 or (found.x is not None and found.x[margin] >= CLEAR):  # 1: out of time
            break
    if found.x is None:
        return None
    return {c: limits[c][0] + (limits[c][1] - limits[c][0]) * float(found.x[i]) for c, i in columns.items()}


def _reach(term: Linear, limits: Mapping[Cell, tuple[float, float]]) -> tuple[float, float]:
    """The smallest and largest value the term can take."""
    ends = [sorted((weight * limits[cell][0], weight * limits[cell][1])) for cell, weight in term.weights]
    return sum(e[0] for e in ends) + term.constant, sum(e[1] for e in ends) + term.constant


# Leaves that are not linear: values of each list are chosen first, and its terms are then held at them


def _orders(goal: Node, limits: Mapping[Cell, tuple[float, float]], rng: np.random.Generator) -> Iterator[Targets]:
    """Values for the terms of the leaves that are not linear, the most promising first; one empty choice without."""
    leaves = [leaf for leaf in goal.leaves() if leaf.lists]
    if not leaves:
        yield {}
        return
    lists = list(dict.fromkeys(terms for leaf in leaves for terms in leaf.lists))
    choices = []
    given = [dict(table) for leaf in leaves for table in leaf.tables]
    for attempt in range(TRIES):
        targets: Targets = given[attempt] if attempt < len(given) else {}
        for number, terms in enumerate(lists):
            targets |= {t: v for t, v in _values(terms, limits, attempt, number, rng).items() if t not in targets}
        choices.append(targets)
    worth = np.zeros(TRIES)
    for leaf in leaves:
        margins = [_planted_margin(leaf, targets) for targets in choices]
        # far outside of plausible tables a function may have any size, which says nothing of what is clear
        clear = leaf.clear(margins[: len(given)] if leaf.tables else margins)
        worth += np.clip(margins, -clear, clear)
    best = np.argsort(-worth, kind="stable")
    yield from (choices[i] for i in best[:10])


def _values(
    terms: tuple[Linear, ...],
    limits: Mapping[Cell, tuple[float, float]],
    attempt: int,
    number: int,
    rng: np.random.Generator,
) -> Targets:
    """Evenly spaced values for one list: as numbered at first, then every second list reversed, then shuffled.

    A list of one quantity takes any value of its range.
    """
    free = [term for term in terms if term.weights]
    if not free:
        return {}
    reach = [_reach(term, limits) for term in free]
    low, high = max(r[0] for r in reach), min(r[1] for r in reach)
    steps = np.linspace(0.1, 0.9, len(free))
    if len(terms) == 1:
        steps = rng.uniform(0.05, 0.95, 1)
    elif attempt == 1 and number % 2:
        steps = steps[::-1]
    elif attempt > 1:
        steps = rng.permutation(steps)
    return {term: float(low + (high - low) * step) for term, step in zip(free, steps, strict=True)}


def _planted_margin(leaf: Leaf, targets: Targets) -> float:
    """The leaf's margin when its terms have these values; far on the false side where it is not defined."""
    margin = leaf.margin_of(lambda term: targets[term] if term.weights else term.constant)
    return -1e3 if margin is None else margin
