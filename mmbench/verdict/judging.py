"""How a claim is judged on evidence: leaves are tested, their p-values combined, the deciding leaf reported."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mmbench import stats
from mmbench.claims.claim import Claim
from mmbench.conditions import DUST, Coefficient, Curved, Leaf, Linear, Node, Quorum, RankLead, cells_of, with_cells
from mmbench.protocol import Cell, Reading
from mmbench.stats.correlations import Correlated, Pairs
from mmbench.stats.ranks import Ranked
from mmbench.stats.redrawn import Redrawn
from mmbench.two_workers import one_blas_thread
from mmbench.verdict.chance import Floors, uninformative
from mmbench.verdict.evidence import Evidence, Gathered, Published, gather
from mmbench.verdict.outcome import Outcome, Part, Verdict, describe
from mmbench.verdict.unit import unit_of

LEVEL = stats.LEVEL
DRAWS = 2000  # of a correlation's means; the Monte Carlo error of p = 0.05 is then 0.005
BROKEN_DRAWS = 800  # at each scale, of a margin that may jump
SEED = 20210
LEAST = 1e-300  # of a test's p-value: 0 says that nothing was tested (records.schema.is_test)


def judge(claim: Claim, evidence: Evidence, reading: Reading = "paper") -> Verdict:
    """The verdict on ``claim``. ``reading`` ``code`` judges the cells as the authors' code makes them.

    Raises BadScores when a score is not finite; what a lineup lacks becomes part of the verdict instead.
    """
    form = claim.expect_measured if evidence.kind == "measured" and claim.expect_measured else claim.expect
    blank = Verdict(
        claim.id,
        claim.study,
        evidence.kind,
        reading,
        "unmeasured",
        claim.says,
        form.words() if form else "",
        disagreements=claim.disagreements,
    )
    node = claim.condition(evidence.kind, reading)
    if form is None:
        return replace(blank, missing=(f"it waits for {claim.waits_for or 'a form that can be judged'}",))
    if node is None:
        return replace(blank, missing=("paper and code agree on every cell; the paper reading stands for both",))
    if claim.waits_for and evidence.kind == "measured":
        return replace(blank, missing=(f"it waits for {claim.waits_for}",))
    cells = cells_of(node)
    gathered = gather(claim, evidence, cells)
    node = with_cells(node, gathered.settled)
    blank = replace(
        blank, rows=tuple(gathered.rows.values()), missing=gathered.missing, truth=node.truth(gathered.means)
    )
    if gathered.joint is None:
        found = _by_sign(blank, node, gathered)
    else:
        found = _by_test(blank, node, gathered, gathered.joint)
    return _qualified(found, node, gathered, evidence)


def _qualified(found: Verdict, node: Node, gathered: Gathered, evidence: Evidence) -> Verdict:
    """The verdict with its unit, with what it is about, and whether it says anything."""
    if found.estimate is None:
        return found
    about = gathered.about(gathered.rows if found.deciding is None else cells_of(found.deciding))
    unit = "" if found.deciding is None else unit_of(found.deciding, gathered.units)
    found = replace(found, about=about, unit=unit)
    if isinstance(evidence, Published) or gathered.joint is None or found.outcome == "unmeasured":
        return found
    floors = Floors(gathered.scores, gathered.joint, evidence.untrained, evidence.floors, evidence.residuals)
    nothing = uninformative(node.leaves(), found.deciding, floors)
    return replace(found, uninformative=nothing.why, at_chance=nothing.count)


@dataclass(frozen=True)
class _Judged:
    """A leaf with its p-values; ``rank`` orders parts whose p-values are equal. A missing leaf has p = 1 twice.

    One that is decided by the sign of numbers without spread (``by_sign``) has p = 0 and p = 1, and no bounds.
    """

    leaf: Leaf
    value: float | None = None
    p_support: float = 1.0
    p_refute: float = 1.0
    rank: float = 0.0
    estimate: stats.Estimate | None = None
    redrawn: Correlated | Ranked | Redrawn | None = None
    by_sign: bool = False
    plain: tuple[float, float] | None = None  # bounds of ``estimate`` that pay for one part, where they are known
    _bounds: dict[tuple[float, float], tuple[float | None, float | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def bounds(self, pay_support: float = 1.0, pay_refute: float = 1.0) -> tuple[float | None, float | None]:
        """One-sided bounds of the margin at 95 %, each corrected for the number of parts it pays for."""
        pay = pay_support, pay_refute
        if pay not in self._bounds:
            self._bounds[pay] = self._bounds_at(LEVEL / pay_support, LEVEL / pay_refute)
        return self._bounds[pay]

    def _bounds_at(self, low: float, high: float) -> tuple[float | None, float | None]:
        found = []
        if self.estimate is not None:
            plain = self.plain if low == high == LEVEL else None
            found.append(plain or (self.estimate.bound(low), self.estimate.bound(1 - high)))
        if self.redrawn is not None:
            found.append((self.redrawn.low(low), self.redrawn.high(high)))
        if not found:
            return None, None
        lows, highs = zip(*found, strict=True)  # two only where both must agree: the wider one
        return min(lows), max(highs)


@dataclass(frozen=True)
class _Decision:
    """P-values of a node with the leaf that decides each, and how often that leaf's p-value was multiplied."""

    p_support: float
    p_refute: float
    support: _Judged
    refute: _Judged
    paid: Mapping[int, tuple[float, float]]


@one_blas_thread()
def _by_test(blank: Verdict, node: Node, gathered: Gathered, joint: stats.Joint) -> Verdict:
    judged = _judge_leaves(list(node.leaves()), gathered, joint)
    decision = _decide(node, iter(judged))
    outcome = _outcome(decision.p_support, decision.p_refute)
    if outcome == "inconclusive" and gathered.bare:
        judged = [_with_sign(one, gathered) for one in judged]
        decision = _decide(node, iter(judged))
        outcome = _outcome(decision.p_support, decision.p_refute)
        if outcome != "inconclusive":  # it rests on signs
            return replace(_by_sign(blank, node, gathered), parts=tuple(map(_part, judged)))
    if outcome == "inconclusive" and gathered.missing:
        outcome = "unmeasured"
    note = gathered.note
    if gathered.missing and outcome in ("supported", "refuted"):
        note = "; ".join(filter(None, [note, "only a part was measured, and it decides"]))
    binding = decision.refute if outcome == "refuted" else decision.support
    pay_support, pay_refute = decision.paid.get(id(binding), (1.0, 1.0))
    low, high = binding.bounds(pay_support, pay_refute)
    settle = _settle(binding, pay_support, pay_refute, gathered) if outcome == "inconclusive" else ""
    return replace(
        blank,
        outcome=outcome,
        estimate=binding.value,
        low=low,
        high=high,
        binding=describe(binding.leaf),
        deciding=binding.leaf,
        p_support=decision.p_support,
        p_refute=decision.p_refute,
        parts=tuple(map(_part, judged)),
        settle=settle,
        note=note,
    )


def _outcome(p_support: float, p_refute: float) -> Outcome:
    if p_support <= LEVEL:
        return "supported"
    return "refuted" if p_refute <= LEVEL else "inconclusive"


def _with_sign(judged: _Judged, gathered: Gathered) -> _Judged:
    """The leaf decided by its sign where a cell of it has no spread; unchanged where it was tested, or is missing."""
    leaf = judged.leaf
    holds = leaf.truth(gathered.means)
    if holds is None or not any(cell in gathered.bare for term in leaf.terms for cell in term.cells):
        return judged
    p = (0.0, 1.0) if holds else (1.0, 0.0)
    return _Judged(leaf, leaf.margin(gathered.means), *p, rank=math.inf if holds else -math.inf, by_sign=True)


def _judge_leaves(leaves: list[Leaf], gathered: Gathered, joint: stats.Joint) -> list[_Judged]:
    """Every leaf with its p-values: by its tangent where it has one, by redrawing if it is of correlations or ranks."""
    place = gathered.place
    there = [leaf for leaf in leaves if all(c in place for term in leaf.terms for c in term.cells)]
    judged = {id(leaf): one for leaf, one in _by_tangent(there, gathered.means, joint, place)}
    noise = None
    for leaf in there:
        broken = id(leaf) in judged and isinstance(leaf, Curved) and leaf.parts is not None
        if broken or (id(leaf) not in judged and isinstance(leaf, Coefficient | RankLead)):
            if noise is None:
                noise = joint.noise(DRAWS, np.random.default_rng(SEED))
            if isinstance(leaf, Curved):
                judged[id(leaf)] = _judged_with_breaks(leaf, judged[id(leaf)], joint, noise, place)
            elif isinstance(leaf, RankLead):
                judged[id(leaf)] = _judged_rank(leaf, joint, noise, place)
            elif isinstance(leaf, Coefficient):
                judged[id(leaf)] = _judged_correlation(leaf, joint, noise, place)
    # a leaf may stand at several places of a tree, and each pays for its own neighbours
    return [replace(judged[id(leaf)]) if id(leaf) in judged else _Judged(leaf) for leaf in leaves]


def _by_tangent(
    leaves: list[Leaf], means: Mapping[Cell, float], joint: stats.Joint, place: Mapping[Cell, int]
) -> Iterator[tuple[Leaf, _Judged]]:
    """The leaves that are linear near the means, tested all at once."""
    tangents = [(leaf, tangent) for leaf in leaves if (tangent := leaf.tangent(means)) is not None]
    if not tangents:
        return
    weights, constants = _matrix((tangent for _, tangent in tangents), place)
    covariance = joint.covariance if any(leaf.lists for leaf, _ in tangents) else np.zeros((len(place),) * 2)

    def covariance_of(terms: Sequence[Linear]) -> stats.Array:
        rows, _ = _matrix(terms, place)
        return rows @ covariance @ rows.T

    biases = np.array([leaf.bias(means, covariance_of) for leaf, _ in tangents])
    found = joint.contrasts(weights, constants - biases)
    ps = zip(found.p_above().tolist(), found.p_below().tolist(), strict=True)
    bounds = zip(found.bound(LEVEL).tolist(), found.bound(1 - LEVEL).tolist(), strict=True)
    for (leaf, tangent), one, bias, p, plain in zip(tangents, found, biases.tolist(), ps, bounds, strict=True):
        yield leaf, _judged_margin(leaf, tangent, one, bias, p, plain)


def _matrix(terms: Iterable[Linear], place: Mapping[Cell, int]) -> tuple[stats.Array, stats.Array]:
    terms = list(terms)
    weights = np.zeros((len(terms), len(place)))
    for row, term in zip(weights, terms, strict=True):
        for cell, weight in term.weights:
            row[place[cell]] += weight
    return weights, np.array([term.constant for term in terms])


def _judged_margin(
    leaf: Leaf,
    tangent: Linear,
    estimate: stats.Estimate,
    bias: float,
    p: tuple[float, float],
    bounds: tuple[float, float],
) -> _Judged:
    value = estimate.value + bias
    if not tangent.weights and any(term.weights for term in leaf.terms):
        return _Judged(leaf, value, plain=bounds)  # a flat tangent says nothing about the spread
    if estimate.exact:  # nothing is measured in it: true or false
        holds = estimate.value > DUST if leaf.strict else estimate.value >= -DUST
        p = (0.0, 1.0) if holds else (1.0, 0.0)
    else:  # however small, it is that of a test
        p = max(p[0], LEAST), max(p[1], LEAST)
    return _Judged(leaf, value, *p, estimate.z, estimate, plain=bounds)


def _judged_correlation(
    leaf: Coefficient, joint: stats.Joint, noise: stats.Array, place: Mapping[Cell, int]
) -> _Judged:
    at = {term: i for i, term in enumerate(dict.fromkeys(leaf.terms))}
    weights, constants = _matrix(at, place)
    parts = (Pairs(tuple(at[x] for x in part.xs), tuple(at[y] for y in part.ys), part.method) for part in leaf.parts)
    redrawn = Correlated(
        weights @ joint.means + constants,
        noise @ weights.T,
        weights @ joint.covariance @ weights.T,
        tuple(parts),
        leaf.threshold,
        leaf.sign,
    )
    if not math.isfinite(redrawn.value):
        return _Judged(leaf)
    return _Judged(leaf, redrawn.value, redrawn.p_above(), redrawn.p_below(), redrawn.value, redrawn=redrawn)


def _judged_with_breaks(
    leaf: Curved, smooth: _Judged, joint: stats.Joint, noise: stats.Array, place: Mapping[Cell, int]
) -> _Judged:
    """What the tangent says, held against redraws, which cross the breaks that the tangent does not see.

    Each side needs both: the larger p-value and the wider bound count.
    """
    if smooth.value is None or smooth.estimate is None or smooth.estimate.exact:
        return smooth
    weights, constants = _matrix(leaf.of, place)
    at, moved = weights @ joint.means + constants, noise[:BROKEN_DRAWS] @ weights.T
    redrawn = Redrawn.of(smooth.value, leaf.margins, at, moved, largest=leaf.largest_margin, strict=leaf.strict)
    p_support, p_refute = max(smooth.p_support, redrawn.p_above()), max(smooth.p_refute, redrawn.p_below())
    return replace(smooth, p_support=p_support, p_refute=p_refute, redrawn=redrawn)


def _judged_rank(leaf: RankLead, joint: stats.Joint, noise: stats.Array, place: Mapping[Cell, int]) -> _Judged:
    weights, constants = _matrix(leaf.terms, place)
    shape = len(leaf.settings), len(leaf.settings[0])
    each = weights.reshape(*shape, -1)
    redrawn = Ranked(
        (weights @ joint.means + constants).reshape(shape),
        (noise @ weights.T).reshape(-1, *shape),
        each @ joint.covariance @ each.transpose(0, 2, 1),
        leaf.first,
        leaf.second,
        leaf.by,
        leaf.strict,
    )
    return _Judged(leaf, redrawn.value, redrawn.p_above(), redrawn.p_below(), redrawn.value, redrawn=redrawn)


def _decide(node: Node, judged: Iterator[_Judged]) -> _Decision:
    """Combine the leaves, which come in the order of ``node.leaves()``."""
    if not isinstance(node, Quorum):
        own = next(judged)
        return _Decision(own.p_support, own.p_refute, own, own, {id(own): (1.0, 1.0)})
    parts = [_decide(part, judged) for part in node.parts]
    fail = len(parts) - node.n + 1  # so many failures refute it
    p_support = stats.quorum_p([part.p_support for part in parts], node.n)
    p_refute = stats.quorum_p([part.p_refute for part in parts], fail)
    support = sorted(parts, key=lambda p: (p.p_support, -p.support.rank, -(p.support.value or 0)))[node.n - 1].support
    refute = sorted(parts, key=lambda p: (p.p_refute, p.refute.rank, p.refute.value or 0))[fail - 1].refute
    paid = {key: (s * fail, r * node.n) for part in parts for key, (s, r) in part.paid.items()}
    return _Decision(p_support, p_refute, support, refute, paid)


def _by_sign(blank: Verdict, node: Node, gathered: Gathered) -> Verdict:
    """The verdict of numbers without a spread: the claim's truth at the printed values. No test."""
    binding, value = _binding_at_point(node, gathered.means)
    parts = []
    for leaf in node.leaves():
        holds = leaf.truth(gathered.means)
        outcome: Outcome = "unmeasured" if holds is None else "supported" if holds else "refuted"
        parts.append(Part(describe(leaf), leaf.margin(gathered.means), None, None, None, None, outcome))
    decided: Outcome = "unmeasured" if blank.truth is None else "supported" if blank.truth else "refuted"
    notes = [gathered.note] if gathered.rows else []
    if gathered.rows and decided != "unmeasured":
        notes.append("decided by the sign of the margin, which is no test")
        notes += ["only a part is printed, and it decides"] if gathered.missing else []
    return replace(
        blank,
        outcome=decided,
        estimate=value,
        binding=describe(binding) if binding else "",
        point=decided != "unmeasured",
        parts=tuple(parts),
        note="; ".join(filter(None, notes)),
        deciding=binding,
    )


def _binding_at_point(node: Node, means: Mapping[Cell, float]) -> tuple[Leaf | None, float | None]:
    """The leaf whose sign decides: the n-th largest margin of a quorum; missing ones count as smallest."""
    if not isinstance(node, Quorum):
        value = node.margin(means)
        return (node, value) if value is not None else (None, None)
    parts = [_binding_at_point(part, means) for part in node.parts]
    known = sorted((p for p in parts if p[1] is not None), key=lambda p: -(p[1] or 0.0))
    return known[min(node.n, len(known)) - 1] if known else (None, None)


def _part(judged: _Judged) -> Part:
    low, high = judged.bounds()
    outcome: Outcome = "unmeasured" if judged.value is None else _outcome(judged.p_support, judged.p_refute)
    p_support, p_refute = (None, None) if judged.by_sign else (judged.p_support, judged.p_refute)
    return Part(describe(judged.leaf), judged.value, low, high, p_support, p_refute, outcome)


def _settle(binding: _Judged, pay_support: float, pay_refute: float, gathered: Gathered) -> str:
    """What would settle the deciding margin if it stayed as observed."""
    if binding.estimate is None or binding.redrawn is not None:
        return "more trials or examples; how many is not computed for this statistic"
    estimate = binding.estimate
    level = LEVEL / (pay_support if estimate.value > 0 else pay_refute)
    need = stats.needed(estimate, level)
    rows = [gathered.rows[c] for term in binding.leaf.terms for c in term.cells if c in gathered.rows]
    trials, examples = max((r.trials or 1 for r in rows), default=1), max((r.examples or 0 for r in rows), default=0)
    ways = []
    if not examples and need.examples:  # printed: the spread is over seeds
        return f"about {math.ceil(trials * need.examples)} seeds ({trials} printed) at the difference seen"
    if need.trials and trials > 1:
        ways.append(f"about {math.ceil(trials * need.trials)} trials (now {trials})")
    if need.examples:
        ways.append(f"about {math.ceil(examples * need.examples)} examples (now {examples})")
    if need.units:
        ways.append(f"about {math.ceil(need.units)} trainings of each recipe (now 1)")
    if ways:
        return " or ".join(ways) + " at the difference seen"
    return "nothing within a million times the trials or examples, at the difference seen"
