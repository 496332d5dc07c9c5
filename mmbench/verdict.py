"""judge(claim, evidence) -> Verdict: what the evidence says about the claim, with its uncertainty.

Supported when the one-sided p-value for the claim is at most 0.05, refuted when the one against it is, otherwise
inconclusive. Conjunctions, disjunctions and "at least n of N" combine the p-values of their parts by
``stats.quorum_p``; refuting one uses the complement. Printed numbers without a spread are decided by sign and marked
``point``. Missing cells make a claim unmeasured, unless what is there decides it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from mmbench import stats
from mmbench.claims.claim import Claim, EvidenceKind, Printed
from mmbench.errors import BadScores, Unmeasured
from mmbench.protocol import Cell, Reading
from mmbench.scores import Scores
from mmbench.terms import Correlation, Leaf, Linear, Margin, MeanCorrelation, Node, Quorum, cells_of, terms_of

Outcome = Literal["supported", "refuted", "inconclusive", "unmeasured"]
LEVEL = stats.LEVEL
DRAWS = 2000  # of a correlation's bootstrap; the Monte Carlo error of p = 0.05 is then 0.005
SEED = 20210


@dataclass(frozen=True)
class Published:
    """The paper's own printed numbers: those of the claim's tables, or ``numbers`` instead."""

    numbers: Mapping[Cell, Printed] | None = None
    kind: EvidenceKind = "published"


@dataclass(frozen=True)
class Measured:
    """Cells of a lineup. ``scores_of`` raises Unmeasured, saying what is missing, for what the lineup lacks."""

    scores_of: Callable[[Cell], Scores]
    kind: EvidenceKind = "measured"


Evidence = Published | Measured


@dataclass(frozen=True)
class Row:
    """One cell that a verdict rests on: mean and spread (standard deviation over trials or seeds) in printed units."""

    cell: Cell
    mean: float
    spread: float | None
    trials: int | None
    examples: int | None = None


@dataclass(frozen=True)
class Part:
    """One elementary comparison of a claim, judged by itself. ``low`` and ``high`` are one-sided 95 % bounds."""

    label: str
    estimate: float | None
    low: float | None
    high: float | None
    p_support: float | None
    p_refute: float | None
    outcome: Outcome


@dataclass(frozen=True)
class Verdict:
    """What one kind of evidence says about one claim.

    ``estimate`` is the margin of the comparison that decides (``binding`` names it), positive on the claim's side, in
    printed units. ``low`` and ``high`` are its one-sided 95 % bounds, widened where several parts must be paid for, so
    that supported means ``low > 0`` and refuted ``high < 0``; with one part they form a 90 % interval. ``truth`` is the
    claim's truth at the point estimates (None when cells are missing). ``settle`` says what would settle an
    inconclusive verdict, ``missing`` what an unmeasured one lacks, ``note`` what the reader must know.
    """

    claim: str
    study: str
    evidence: EvidenceKind
    reading: Reading
    outcome: Outcome
    says: str = ""
    expected: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    binding: str = ""
    p_support: float | None = None
    p_refute: float | None = None
    holm_support: float | None = None
    holm_refute: float | None = None
    point: bool = False
    truth: bool | None = None
    rows: tuple[Row, ...] = ()
    parts: tuple[Part, ...] = ()
    missing: tuple[str, ...] = ()
    settle: str = ""
    note: str = ""
    disagreements: tuple[str, ...] = ()

    @property
    def supported(self) -> bool:
        return self.outcome == "supported"

    def explain(self) -> str:
        """The verdict in a few lines: expected, found, rows, what is missing or would settle it."""
        return "\n".join(_explained(self))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; infinite bounds become None."""
        out = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        out["rows"] = [
            {
                "protocol": row.cell.protocol.name,
                "fingerprint": row.cell.protocol.fingerprint(),
                "model": row.cell.model,
                "dataset": row.cell.dataset,
                "mean": row.mean,
                "spread": row.spread,
                "trials": row.trials,
                "examples": row.examples,
            }
            for row in self.rows
        ]
        return out


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Part):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return None if isinstance(value, Row) else value


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
    gathered = _printed(claim, evidence, cells) if isinstance(evidence, Published) else _measured(evidence, cells)
    blank = replace(
        blank, rows=tuple(gathered.rows.values()), missing=gathered.missing, truth=node.truth(gathered.means)
    )
    if gathered.joint is None:
        return _by_sign(blank, node, gathered)
    return _by_test(blank, node, gathered, gathered.joint)


def adjust(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts with Holm-adjusted p-values over the claims of each study, evidence and reading."""
    out = list(verdicts)
    families: dict[tuple[str, str, str], list[int]] = {}
    for i, verdict in enumerate(out):
        if verdict.p_support is not None:
            families.setdefault((verdict.study, verdict.evidence, verdict.reading), []).append(i)
    for members in families.values():
        support = stats.holm([out[i].p_support or 0.0 for i in members])
        refute = stats.holm([out[i].p_refute or 0.0 for i in members])
        for i, p_support, p_refute in zip(members, support, refute, strict=True):
            out[i] = replace(out[i], holm_support=float(p_support), holm_refute=float(p_refute))
    return out


# Evidence: from cells to rows and their joint uncertainty


@dataclass(frozen=True)
class _Gathered:
    """What was found: rows and means by cell, their joint uncertainty (None: no spread), what is missing."""

    rows: Mapping[Cell, Row]
    joint: stats.Joint | None
    missing: tuple[str, ...] = ()
    note: str = ""

    @property
    def means(self) -> dict[Cell, float]:
        return {cell: row.mean for cell, row in self.rows.items()}


def _measured(evidence: Measured, cells: Iterable[Cell]) -> _Gathered:
    found: dict[Cell, Scores] = {}
    missing: dict[str, None] = {}
    for cell in cells:
        try:
            found[cell] = evidence.scores_of(cell)
        except Unmeasured as error:
            missing[str(error)] = None
    rows = {}
    for cell, scores in found.items():
        if not np.isfinite(scores.outcomes).all():
            raise BadScores(f"{cell} has outcomes that are not finite; a score with NaN is not judged")
        spread = float(scores.by_trial.std(ddof=1)) if scores.trials > 1 else None
        rows[cell] = Row(cell, scores.mean, spread, scores.trials, scores.outcomes.shape[1])
    joint = stats.crossed(
        [s.outcomes for s in found.values()], [s.scale for s in found.values()], [s.examples for s in found.values()]
    )
    return _Gathered(rows, joint, tuple(missing), _measured_note(rows.values()))


def _measured_note(rows: Iterable[Row]) -> str:
    notes = []
    single = sum(row.trials == 1 for row in rows)
    if single:
        notes.append(f"{single} cells have a single trial: their interval holds the spread over examples only")
    if any(row.examples == 1 for row in rows):
        notes.append("a cell with a single example says nothing about other examples")
    return "; ".join(notes)


def _printed(claim: Claim, evidence: Published, cells: Iterable[Cell]) -> _Gathered:
    tables = [table.cells for table in claim.published] if evidence.numbers is None else [evidence.numbers]
    numbers: dict[Cell, Printed] = {}
    errors: dict[Cell, tuple[float, float]] = {}
    for table in tables:
        dust = _half_digit(table.values())
        numbers.update(table)
        for cell, number in table.items():
            errors.pop(cell, None)
            if number.se is not None:
                errors[cell] = (number.se, math.inf)
            elif number.std is not None and number.n is not None and number.n > 1:
                errors[cell] = (max(number.std, dust) / math.sqrt(number.n), number.n - 1.0)
    rows = {c: Row(c, numbers[c].value, numbers[c].std, numbers[c].n) for c in cells if c in numbers}
    for cell in rows:
        if not math.isfinite(rows[cell].mean):
            raise BadScores(f"{cell} is printed as {rows[cell].mean}; a number that is not finite is not judged")
    absent = [cell for cell in cells if cell not in numbers]
    missing = (f"the paper prints no number for {_some(absent)}",) if absent else ()
    bare = [cell for cell in rows if cell not in errors]
    if bare or not rows:
        note = f"{len(bare)} of {len(rows)} printed numbers have no spread: decided by the sign of the margin"
        return _Gathered(rows, None, missing, note)
    joint = stats.printed(
        [row.mean for row in rows.values()], [errors[c][0] for c in rows], [errors[c][1] for c in rows]
    )
    return _Gathered(rows, joint, missing)


def _half_digit(numbers: Iterable[Printed]) -> float:
    """Half of the last digit of a table's printed spreads: what a printed 0.0 may stand for at most."""
    decimals = [len(repr(n.std).partition(".")[2]) for n in numbers if n.std is not None and "e" not in repr(n.std)]
    return 0.5 * 10.0 ** -max(decimals, default=9)


def _some(cells: list[Cell], most: int = 3) -> str:
    more = f" and {len(cells) - most} more" if len(cells) > most else ""
    return ", ".join(map(str, cells[:most])) + more


# Deciding


@dataclass(frozen=True)
class _Judged:
    """A leaf with its p-values; ``rank`` orders parts whose p-values are equal. A missing leaf has p = 1 twice."""

    leaf: Leaf
    value: float | None = None
    p_support: float = 1.0
    p_refute: float = 1.0
    rank: float = 0.0
    estimate: stats.Estimate | None = None
    redrawn: stats.Bootstrapped | None = None

    def bounds(self, pay_support: float = 1.0, pay_refute: float = 1.0) -> tuple[float | None, float | None]:
        """One-sided bounds of the margin at 95 %, each corrected for the number of parts it pays for."""
        low, high = LEVEL / pay_support, LEVEL / pay_refute
        if self.estimate is not None:
            return self.estimate.bound(low), self.estimate.bound(1 - high)
        if self.redrawn is not None:
            return self.redrawn.low(low), self.redrawn.high(high)
        return None, None


@dataclass(frozen=True)
class _Decision:
    """P-values of a node with the leaf that decides each, and how often that leaf's p-value was multiplied."""

    p_support: float
    p_refute: float
    support: _Judged
    refute: _Judged
    paid: Mapping[int, tuple[float, float]]


def _by_test(blank: Verdict, node: Node, gathered: _Gathered, joint: stats.Joint) -> Verdict:
    judged = _judge_leaves(list(node.leaves()), gathered, joint)
    decision = _decide(node, iter(judged))
    outcome: Outcome = "inconclusive"
    if decision.p_support <= LEVEL:
        outcome = "supported"
    elif decision.p_refute <= LEVEL:
        outcome = "refuted"
    elif gathered.missing:
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
        p_support=decision.p_support,
        p_refute=decision.p_refute,
        parts=tuple(map(_part, judged)),
        settle=settle,
        note=note,
    )


def _judge_leaves(leaves: list[Leaf], gathered: _Gathered, joint: stats.Joint) -> list[_Judged]:
    place = {cell: i for i, cell in enumerate(gathered.rows)}
    present = [all(c in place for term in terms_of(leaf) for c in term.cells) for leaf in leaves]
    margins = [leaf for leaf, there in zip(leaves, present, strict=True) if there and isinstance(leaf, Margin)]
    weights, constants = _matrix([leaf.term for leaf in margins], place)
    found = joint.contrasts(weights, constants) if margins else None
    p_above, p_below = (found.p_above(), found.p_below()) if found else (np.empty(0), np.empty(0))
    draws = None
    judged, at = [], 0
    for leaf, there in zip(leaves, present, strict=True):
        if not there:
            judged.append(_Judged(leaf))
        elif isinstance(leaf, Margin):
            assert found is not None
            judged.append(_judged_margin(leaf, found[at], float(p_above[at]), float(p_below[at])))
            at += 1
        else:
            if draws is None:
                draws = joint.draws(DRAWS, np.random.default_rng(SEED))
            judged.append(_judged_correlation(leaf, draws, joint.means, place))
    return judged


def _matrix(terms: Iterable[Linear], place: Mapping[Cell, int]) -> tuple[stats.Array, stats.Array]:
    terms = list(terms)
    weights = np.zeros((len(terms), len(place)))
    for row, term in zip(weights, terms, strict=True):
        for cell, weight in term.weights:
            row[place[cell]] += weight
    return weights, np.array([term.constant for term in terms])


def _judged_margin(leaf: Margin, estimate: stats.Estimate, p_above: float, p_below: float) -> _Judged:
    if estimate.se == 0:  # nothing is measured in it: true or false
        holds = estimate.value > 0 or (not leaf.strict and estimate.value == 0)
        p_above, p_below = (0.0, 1.0) if holds else (1.0, 0.0)
    z = estimate.value / estimate.se if estimate.se > 0 else math.copysign(math.inf, estimate.value)
    return _Judged(leaf, estimate.value, p_above, p_below, z, estimate)


def _judged_correlation(
    leaf: Correlation | MeanCorrelation, draws: stats.Array, means: stats.Array, place: Mapping[Cell, int]
) -> _Judged:
    parts = (leaf,) if isinstance(leaf, Correlation) else leaf.parts
    both = np.vstack([means, draws])
    total = np.zeros(len(both))
    for part in parts:
        (xw, xc), (yw, yc) = _matrix(part.xs, place), _matrix(part.ys, place)
        measure = stats.spearman if part.method == "spearman" else stats.pearson
        total += measure(both @ xw.T + xc, both @ yw.T + yc) / len(parts)
    margin = leaf.sign * (total - leaf.threshold)
    if not math.isfinite(margin[0]):
        return _Judged(leaf)
    redrawn = stats.Bootstrapped(float(margin[0]), margin[1:])
    p_support, p_refute = redrawn.p_above(0.0), redrawn.p_below(0.0)
    return _Judged(leaf, redrawn.value, p_support, p_refute, redrawn.value, redrawn=redrawn)


def _decide(node: Node, judged: Iterator[_Judged]) -> _Decision:
    """Combine the leaves, which come in the order of ``node.leaves()``."""
    if not isinstance(node, Quorum):
        own = next(judged)
        return _Decision(own.p_support, own.p_refute, own, own, {id(own): (1.0, 1.0)})
    parts = [_decide(part, judged) for part in node.parts]
    fail = len(parts) - node.n + 1  # so many failures refute it
    p_support = stats.quorum_p([part.p_support for part in parts], node.n)
    p_refute = stats.quorum_p([part.p_refute for part in parts], fail)
    support = sorted(parts, key=lambda p: (p.p_support, -p.support.rank))[node.n - 1].support
    refute = sorted(parts, key=lambda p: (p.p_refute, p.refute.rank))[fail - 1].refute
    paid = {key: (s * fail, r * node.n) for part in parts for key, (s, r) in part.paid.items()}
    return _Decision(p_support, p_refute, support, refute, paid)


def _by_sign(blank: Verdict, node: Node, gathered: _Gathered) -> Verdict:
    """The verdict of numbers without a spread: the claim's truth at the printed values."""
    binding, value = _binding_at_point(node, gathered.means)
    parts = []
    for leaf in node.leaves():
        holds = leaf.truth(gathered.means)
        outcome: Outcome = "unmeasured" if holds is None else "supported" if holds else "refuted"
        parts.append(Part(describe(leaf), _value(leaf, gathered.means), None, None, None, None, outcome))
    decided: Outcome = "unmeasured" if blank.truth is None else "supported" if blank.truth else "refuted"
    note = gathered.note if gathered.rows else ""
    if gathered.missing and decided != "unmeasured":
        note += "; only a part is printed, and it decides"
    return replace(
        blank,
        outcome=decided,
        estimate=value,
        binding=describe(binding) if binding else "",
        point=decided != "unmeasured",
        parts=tuple(parts),
        note=note,
    )


def _value(leaf: Leaf, means: Mapping[Cell, float]) -> float | None:
    if isinstance(leaf, Margin):
        return leaf.term.value(means)
    r = leaf.coefficient(means)
    return None if r is None else leaf.sign * (r - leaf.threshold)


def _binding_at_point(node: Node, means: Mapping[Cell, float]) -> tuple[Leaf | None, float | None]:
    """The leaf whose sign decides: the n-th largest margin of a quorum; missing ones count as smallest."""
    if not isinstance(node, Quorum):
        value = _value(node, means)
        return (node, value) if value is not None else (None, None)
    parts = [_binding_at_point(part, means) for part in node.parts]
    known = sorted((p for p in parts if p[1] is not None), key=lambda p: -(p[1] or 0.0))
    return known[min(node.n, len(known)) - 1] if known else (None, None)


def _part(judged: _Judged) -> Part:
    low, high = judged.bounds()
    outcome: Outcome = "inconclusive"
    if judged.value is None:
        outcome = "unmeasured"
    elif judged.p_support <= LEVEL:
        outcome = "supported"
    elif judged.p_refute <= LEVEL:
        outcome = "refuted"
    return Part(describe(judged.leaf), judged.value, low, high, judged.p_support, judged.p_refute, outcome)


# Words


def _settle(binding: _Judged, pay_support: float, pay_refute: float, gathered: _Gathered) -> str:
    """What would settle the deciding margin if it stayed as observed."""
    if binding.estimate is None:
        return "more trials or examples; how many is not computed for a correlation"
    estimate = binding.estimate
    level = LEVEL / (pay_support if estimate.value > 0 else pay_refute)
    need = stats.needed(estimate, level)
    rows = [gathered.rows[c] for term in terms_of(binding.leaf) for c in term.cells if c in gathered.rows]
    trials, examples = max((r.trials or 1 for r in rows), default=1), max((r.examples or 0 for r in rows), default=0)
    ways = []
    if not examples and need.examples:  # printed: the spread is over seeds
        return f"about {math.ceil(trials * need.examples)} seeds ({trials} printed) at the difference seen"
    if need.trials and trials > 1:
        ways.append(f"about {math.ceil(trials * need.trials)} trials (now {trials})")
    if need.examples:
        ways.append(f"about {math.ceil(examples * need.examples)} examples (now {examples})")
    if ways:
        return " or ".join(ways) + " at the difference seen"
    return "nothing within a million times the trials or examples, at the difference seen"


def describe(leaf: Leaf, most: int = 160) -> str:
    """A leaf in words; means over a grid of cells are told by model and place instead of cell by cell."""
    text = str(leaf)
    if isinstance(leaf, Margin):
        weights = leaf.term.weights
        plus = _side([(c, w) for c, w in weights if w > 0])
        minus = _side([(c, -w) for c, w in weights if w < 0])
        limit, sign = 0.0 - leaf.term.constant, ">" if leaf.strict else ">="
        if plus and minus and plus[1] == minus[1]:
            text = f"{plus[0]} − {minus[0]} {sign} {limit:g} ({plus[1]})"
        elif plus and minus:
            text = f"{plus[0]} ({plus[1]}) − {minus[0]} ({minus[1]}) {sign} {limit:g}"
        elif plus and len(weights) > 0 and all(w > 0 for _, w in weights):
            text = f"{plus[0]} {sign} {limit:g} ({plus[1]})"
        elif minus and all(w < 0 for _, w in weights):
            text = f"{minus[0]} {'<' if leaf.strict else '<='} {-limit:g} ({minus[1]})"
    return text if len(text) <= most else text[: most - 1] + "…"


def _side(weighted: list[tuple[Cell, float]]) -> tuple[str, str] | None:
    """Models and place of cells that form an evenly weighted grid, or None."""
    if not weighted or max(w for _, w in weighted) - min(w for _, w in weighted) > 1e-9:
        return None
    axes = [
        list(dict.fromkeys(axis)) for axis in zip(*((c.protocol, c.model, c.dataset) for c, _ in weighted), strict=True)
    ]
    protocols, models, datasets = axes
    if len(weighted) != len(protocols) * len(models) * len(datasets):
        return None
    total = sum(w for _, w in weighted)
    factor = "" if abs(total - 1) < 1e-9 else f"{total:.3g} × "
    name = str(models[0]) if len(models) == 1 else f"mean({_listed(map(str, models))})"
    where = [_listed(p.name for p in protocols), _listed(d for d in map(str, datasets) if d)]
    return factor + name, ", ".join(filter(None, where))


def _listed(names: Iterable[str], most: int = 3) -> str:
    shown = list(names)
    return (
        ", ".join(shown) if len(shown) <= most else f"{', '.join(shown[: most - 1])} and {len(shown) - most + 1} more"
    )


def _explained(v: Verdict, most_rows: int = 12) -> Iterator[str]:
    reading = ", the code's reading" if v.reading == "code" else ""
    yield f"{v.claim}: {v.outcome} ({v.evidence}{reading}{', by sign only' if v.point else ''})"
    yield f"  says      {v.says}"
    yield f"  expected  {v.expected}"
    if v.estimate is not None:
        span = (
            f", one-sided 95 % bounds [{v.low:+.3g}, {v.high:+.3g}]" if v.low is not None and v.high is not None else ""
        )
        yield f"  found     margin {v.estimate:+.4g}{span}: {v.binding}"
    if v.p_support is not None and v.p_refute is not None:
        yield f"  p         {v.p_support:.2g} for, {v.p_refute:.2g} against; {len(v.parts)} comparison(s)"
    places: dict[str, list[str]] = {}
    for row in v.rows:
        spread = "" if row.spread is None else f" ± {row.spread:.2g}"
        where = f"{row.cell.protocol.name} {row.cell.dataset}".strip()
        places.setdefault(where, []).append(f"{row.cell.model} {row.mean:.4g}{spread}")
    for where, cells in list(places.items())[:most_rows]:
        yield f"  {where:<24}  {'   '.join(cells)}"
    if len(places) > most_rows:
        yield f"  and {len(places) - most_rows} more rows"
    for head, texts in (
        ("settle", [v.settle]),
        ("missing", v.missing),
        ("note", [v.note]),
        ("disagree", v.disagreements),
    ):
        yield from (f"  {head:<9} {text}" for text in texts if text)
