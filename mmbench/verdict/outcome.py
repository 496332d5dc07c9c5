"""What a verdict holds, and how it explains itself."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from mmbench.claims.claim import EvidenceKind
from mmbench.conditions import Leaf
from mmbench.protocol import Cell, Reading
from mmbench.verdict.about import About

Outcome = Literal["supported", "refuted", "inconclusive", "unmeasured"]


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

    ``about`` says what the bounds speak of. ``point``: decided by the sign of printed numbers without spread, which is
    no test. ``uninformative`` says why the deciding comparison says nothing (neither side is better than chance or the
    untrained network), and is empty where it says something; ``at_chance`` counts the comparisons that say nothing.
    ``deciding`` is the comparison that ``binding`` names, ``unit`` the unit of its margin (``mmbench.verdict.unit``).
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
    about: About = field(default_factory=About)
    uninformative: str = ""
    at_chance: int = 0
    unit: str = ""
    deciding: Leaf | None = field(default=None, repr=False, compare=False)

    @property
    def supported(self) -> bool:
        return self.outcome == "supported"

    def explain(self) -> str:
        """The verdict in a few lines: expected, found, rows, what is missing or would settle it."""
        return "\n".join(_explained(self))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; infinite bounds become None."""
        out = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name != "deciding"}
        out["rows"] = [
            {
                "protocol": row.cell.protocol.name,
                "fingerprint": row.cell.protocol.fingerprint(),
                "model": str(row.cell.models),
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
    if isinstance(value, Part | About):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return None if isinstance(value, Row) else value


def describe(leaf: Leaf, most: int = 160) -> str:
    """A leaf in words, cut to ``most`` characters."""
    text = leaf.words()
    return text if len(text) <= most else text[: most - 1] + "…"


def said_of_chance(why: str, count: int, parts: int) -> str:
    """What ``uninformative`` and ``at_chance`` say of a verdict; empty where every comparison says something."""
    head = f"UNINFORMATIVE: {why} in the comparison that decides" if why else ""
    return "; ".join(filter(None, (head, f"uninformative comparisons: {count} of {parts}" if count else "")))


def _explained(v: Verdict, most_rows: int = 12) -> Iterator[str]:
    reading = ", the code's reading" if v.reading == "code" else ""
    yield f"{v.claim}: {v.outcome} ({v.evidence}{reading}{', by sign only' if v.point else ''})"
    yield f"  says      {v.says}"
    yield f"  expected  {v.expected}"
    if v.estimate is not None:
        span = (
            f", one-sided 95 % bounds [{v.low:+.3g}, {v.high:+.3g}]" if v.low is not None and v.high is not None else ""
        )
        about = f" about {v.about}" if str(v.about) else ""
        unit = f" {v.unit}" if v.unit else ""
        yield f"  found     margin {v.estimate:+.4g}{unit}{span}{about}: {v.binding}"
    if v.uninformative or v.at_chance:
        yield f"  chance    {said_of_chance(v.uninformative, v.at_chance, len(v.parts))}"
    if v.p_support is not None and v.p_refute is not None:
        yield f"  p         {v.p_support:.2g} for, {v.p_refute:.2g} against; {len(v.parts)} comparison(s)"
    places: dict[str, list[str]] = {}
    for row in v.rows:
        spread = "" if row.spread is None else f" ± {row.spread:.2g}"
        where = f"{row.cell.protocol.name} {row.cell.dataset}".strip()
        places.setdefault(where, []).append(f"{row.cell.models} {row.mean:.4g}{spread}")
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
