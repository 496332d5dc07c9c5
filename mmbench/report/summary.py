"""The terminal's closing summary of a record: a few lines, each with its markup."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from mmbench.lineups import DatasetBinding, Lineup, ModelBinding, describe
from mmbench.lineups.describe import wanted
from mmbench.records.comparing import COLUMNS, counts
from mmbench.records.schema import Record, VerdictPart
from mmbench.report.views import sums_of
from mmbench.report.words import flags, p_value
from mmbench.stats import LEVEL
from mmbench.verdict.readings import State
from mmbench.words import listed, rest

MARKUP = {"supported": ("green",), "refuted": ("red",), "inconclusive": ("yellow",), "unmeasured": ()}
MOST_CELLS = 5
MOST_REFUTED = 12
ROLE = 22  # columns of a role's name
WIDTH = 118  # columns of a verdict's line, before which two spaces stand
SHORT = (  # pages and ``mmbench claims ID`` have the whole words
    (r"the training recipes \(seeds of \d+ networks\)", "recipes"),
    ("these networks and published checkpoints", "these networks"),
    ("this training pool", "this pool"),
    ("fresh training pools", "fresh pools"),
    ("; .*", ""),
)
STATES: tuple[State, ...] = ("same", "open", "opposite", "not comparable")
Line = tuple[str, tuple[str, ...]]


def summary_lines(record: Record | None, *, verbose: bool = False) -> list[Line]:
    """Counts by evidence, refuted claims, changed verdicts, missing files, and the work that took longest."""
    if record is None:
        return []
    lines = list(_counts(record))
    lines += _refuted(record)
    lines += _standing(record, "changed", "changed verdicts, to be looked at:", ("red", "bold"))
    lines += _standing(record, "drifted", "drifted within the recorded interval:", ("yellow",))
    lines += _readings(record)
    lines += _to_fetch(record)
    if verbose:
        lines += [(f"  {verdict_line(v)}", MARKUP[v.outcome]) for v in record.verdicts]
    lines += _costs(record)
    return lines


def verdict_line(verdict: VerdictPart, width: int = WIDTH) -> str:
    """``refuted  published  claim-id  -1.2 points [-3, 0.4] about recipes, 600 examples (not after Holm)``.

    What the interval is about is said in short, and as far as the line has room; claim, margin and marks stay whole.
    """
    margin = f"  {verdict.margin}" if verdict.margin else ""
    marks = flags(verdict)
    end = f" ({', '.join(marks)})" if marks else ""
    line = f"{verdict.outcome:12} {verdict.evidence:9} {verdict.claim}{margin}"
    if verdict.low is None or verdict.high is None:
        return line + end
    line += f" [{verdict.low:+.3g}, {verdict.high:+.3g}]"
    return line + _about(str(verdict.about), width - len(line) - len(end)) + end


def _about(text: str, room: int) -> str:
    """What an interval is about in short words, without those parts at the end for which there is no room."""
    for pattern, short in SHORT:
        text = re.sub(pattern, short, text)
    whole = parts = text.split(", ") if text else []
    while parts:
        said = f" about {', '.join(parts)}" + (", …" if len(parts) < len(whole) else "")
        if len(said) <= room:
            return said
        parts = parts[:-1]
    return ""


def _counts(record: Record) -> Iterable[Line]:
    head = "".join(f"{name:>14}" for name in COLUMNS)
    yield (f"{'claims judged on':34}{head}", ("bold",))
    for evidence, found in counts(record.verdicts).items():
        what = "published tables" if evidence == "published" else f"measured, lineup {record.lineup.name}"
        yield (f"{what:34}" + "".join(f"{found[name]:>14}" for name in COLUMNS), ())
    yield from ((text, ()) for text in sums_of(record))
    stand_ins = sum(bool(b.stand_in_for) for b in (*record.lineup.models, *record.lineup.datasets))
    if stand_ins and any(v.evidence == "measured" for v in record.verdicts):
        yield (f"{stand_ins} roles of this lineup are played by stand-ins, which say nothing about a paper", ())


def _refuted(record: Record) -> list[Line]:
    """The refuted claims by name: a green run must not hide them behind their known reasons."""
    against = [v for v in record.verdicts if v.outcome == "refuted"]
    lines: list[Line] = []
    for what, found in (
        ("refuted", [v for v in against if not v.point]),
        ("against the claim by sign only", [v for v in against if v.point]),
    ):
        if found:
            known = sum(v.standing == "as recorded" for v in found)
            lines.append((f"{what} ({known} of {len(found)} as recorded, with a reason in the report):", ("bold",)))
            lines += [(f"  {verdict_line(v)}", ()) for v in found[:MOST_REFUTED]]
            more = rest(found, MOST_REFUTED)
            lines += [(f"  {more}", ())] if more else []
    return lines


def _standing(record: Record, standing: str, title: str, markup: tuple[str, ...]) -> list[Line]:
    found = [v for v in record.verdicts if v.standing == standing]
    return [(title, markup), *((f"  {verdict_line(v)}", ()) for v in found)] if found else []


def _readings(record: Record) -> list[Line]:
    """How the verdicts under the two readings stand to each other; those that are opposite, or open and differ."""
    by_state: dict[State, list[VerdictPart]] = {}
    for verdict in record.verdicts:
        if verdict.reading_state is not None:
            by_state.setdefault(verdict.reading_state, []).append(verdict)
    if not by_state:
        return []
    said = ", ".join(f"{len(by_state[state])} {state}" for state in STATES if state in by_state)
    lines: list[Line] = [(f"paper's and code's reading: {said}", ("yellow",) if "opposite" in by_state else ())]
    shown = [*by_state.get("opposite", []), *(v for v in by_state.get("open", []) if _differs(v))]
    return lines + [(f"  {_reading_line(v)}", ()) for v in shown]


def _reading_line(verdict: VerdictPart) -> str:
    """``claim-id: paper supported, code refuted; differs: +0.306 [+0.241, +0.379], p < 0.001``."""
    other, test = verdict.other_reading, verdict.readings
    assert other is not None
    line = f"{verdict.claim}: paper {verdict.outcome}, code {other.outcome}"
    if test is None or test.difference is None or test.p is None:
        return f"{line}; the difference is not tested"
    bounds = "" if test.low is None or test.high is None else f" [{test.low:+.3g}, {test.high:+.3g}]"
    differs = "differs" if _differs(verdict) else "not shown to differ"
    return f"{line}; {differs}: {test.difference:+.3g}{bounds}, p {p_value(test.p)}"


def _differs(verdict: VerdictPart) -> bool:
    """Whether a test finds the margins under the two readings different."""
    test = verdict.readings
    return test is not None and test.p is not None and test.p <= LEVEL


def _to_fetch(record: Record) -> list[Line]:
    """One table of the files that are not here, when measured claims had to be left unmeasured."""
    unmeasured = sum(v.evidence == "measured" and v.outcome == "unmeasured" for v in record.verdicts)
    rows = wanted(describe(_bound(record))) if unmeasured else []
    if not rows:
        return []
    unset = [name for name in ("MMBENCH_WEIGHTS", "MMBENCH_DATA") if name not in os.environ]
    lines: list[Line] = [
        (f"not on this machine, so that claims stay unmeasured ({unmeasured} in all):", ("bold",)),
        (f"  {'':7} {'size':>9}  {'role':{ROLE}} from -> to", ()),
    ]
    for kind, roles, size, source, goes in rows:
        named = roles if len(roles) <= ROLE else listed(roles.split(", "), 1)
        lines.append((f"  {kind:7} {size:>9}  {named:{ROLE}} {source} -> {goes}", ()))
    said = f"{' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not set; " if unset else ""
    return [*lines, (f"  {said}mmbench lineup {record.lineup.name} says more about each", ())]


def _bound(record: Record) -> Lineup:
    """The lineup as the record has it."""
    part = record.lineup
    return Lineup(
        part.name,
        models={b.role: ModelBinding(b.role, b.spec) for b in part.models},
        datasets={b.role: DatasetBinding(b.role, b.spec) for b in part.datasets},
    )


def _encoded(record: Record) -> str:
    """How many items were encoded in the run, and how many of them more than once (the store promises none)."""
    counted = {None: "", 0: ", none of them twice"}.get(record.encoded_twice, f", {record.encoded_twice} of them twice")
    return f"{record.encoded} items encoded" + (counted if record.encoded else "")


def _costs(record: Record) -> list[Line]:
    fresh = [cell for cell in record.cells if cell.fresh]
    if not record.cells:
        return []
    reused = len(record.cells) - len(fresh)
    lines: list[Line] = [
        (f"{len(fresh)} cells measured, {reused} reused, {_encoded(record)}, {record.seconds:.1f} s", ())
    ]
    if record.encoded_twice:
        lines[0] = (lines[0][0], ("red", "bold"))
    paid = [(cost.seconds, f"{cost.kind} {cost.name}") for cost in record.costs]
    paid += [(cell.seconds, f"cell {cell}") for cell in fresh if cell.seconds is not None]
    paid.sort(key=lambda part: -part[0])
    lines += [(f"  {seconds:8.2f} s  {what}", ()) for seconds, what in paid[:MOST_CELLS] if seconds >= 0.01]
    return lines
