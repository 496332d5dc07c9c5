"""The gate's decision as Markdown (a CI job page), JUnit XML (a table of tests), JSON and lines for a terminal.

Names of cells and claims come from records; each format escapes them by its own rules.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmbench.files import write_whole
from mmbench.gate.comparison import Gated
from mmbench.gate.decision import Compared
from mmbench.metrics import METRICS
from mmbench.records.comparing import Change
from mmbench.records.schema import Record
from mmbench.records.verdicts import plain
from mmbench.report.render import escape_markdown, number, signed
from mmbench.report.summary import Line
from mmbench.words import rest

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 2, "not comparable": 3}
MARKUP = {"pass": ("green",), "fail": ("red", "bold"), "inconclusive": ("yellow",), "not comparable": ("red", "bold")}
ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}
MOST_ROWS = 30  # in the part of the Markdown that is not folded, and in the terminal unless it is verbose
HEAD = "| cell | base | candidate | difference [95 % interval] | margin | decision | would be decided by |"
RULE = "|---|---:|---:|---:|---:|---|---|"


@dataclass(frozen=True)
class Refused:
    """Two records that could not be compared, and why; ``decided`` is ``fail`` where the candidate gave no numbers."""

    reason: str
    decided: str = "not comparable"


Result = Gated | Refused


def decided_of(result: Result) -> str:
    """``pass``, ``fail``, ``inconclusive`` or ``not comparable``."""
    return result.decided if isinstance(result, Refused) else result.decision.decided


def exit_code(result: Result) -> int:
    return EXIT_CODES[decided_of(result)]


def worst_first(gated: Gated) -> list[Compared]:
    """Cells that fail, then undecided ones, then the rest; each by its difference as a share of the metric's range."""
    return sorted(gated.decision.cells, key=lambda c: (ORDER[c.decided], c.difference / METRICS.get(c.metric).scale))


def needed(cell: Compared) -> str:
    """What would decide an undecided cell, in words; empty for a decided one."""
    if cell.decided != "inconclusive":
        return ""
    ways = [f"{cell.needed_examples:,} examples"] if cell.needed_examples else []
    ways += [f"{cell.needed_trials:,} trials"] if cell.needed_trials else []
    return " or ".join(ways) or "no number of examples: the difference lies at the margin"


def headline(gated: Gated) -> str:
    """The counts in one sentence."""
    found = Counter(cell.decided for cell in gated.decision.cells)
    parts = [
        (found["fail"], "worse by more than the margin"),
        (found["inconclusive"], "undecided"),
        (found["pass"], "not worse"),
        (len(gated.decision.missing), "not measured for the candidate"),
        (len(gated.same), "the same model with the same outcomes"),
        (len(gated.added), "only in the candidate, not compared"),
    ]
    return "cells: " + ", ".join(f"{count} {what}" for count, what in parts if count)


def margins_of(gated: Gated) -> str:
    """The margins that were applied, with their units."""
    margins = gated.decision.margins
    used: dict[str, list[float]] = {name: [margins.of(name)] for name in margins.by_metric}
    if gated.decision.cells:
        used = {}
        for cell in gated.decision.cells:
            used.setdefault(cell.metric, []).append(cell.margin)
    return ", ".join(f"{name} {_span(found)} {METRICS.get(name).unit}".strip() for name, found in used.items())


def _span(found: Sequence[float]) -> str:
    low, high = min(found), max(found)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _run(record: Record) -> str:
    commit = f", commit {record.commit[:12]}" if record.commit else ""
    return f"{record.label} of {record.started}{commit}"


def _missing(gated: Gated) -> list[tuple[str, str]]:
    return [(name, gated.reasons.get(name, "the candidate's run has no such cell")) for name in gated.decision.missing]


# the terminal


def gate_lines(result: Result, *, verbose: bool = False) -> list[Line]:
    """One line for the decision, then every cell worst first (passing ones are counted only, unless verbose)."""
    said = decided_of(result)
    if isinstance(result, Refused):
        return [(f"gate: {said}: {_printable(result.reason)}", MARKUP[said])]
    lines: list[Line] = [(f"gate: {said}", MARKUP[said]), (headline(result), ())]
    lines.append((f"margins: {margins_of(result)}; base {_printable(_run(result.base))}", ()))
    cells = worst_first(result)
    shown = cells if verbose else [cell for cell in cells if cell.decided != "pass"][:MOST_ROWS]
    lines += [(cell_line(cell), MARKUP[cell.decided] if cell.decided != "pass" else ()) for cell in shown]
    if len(shown) < len(cells):
        lines.append((f"  {rest(cells, len(shown))} cells", ()))
    lines += [(f"  missing       {_printable(name)}: {_printable(why)}", ("yellow",)) for name, why in _missing(result)]
    lines += [(f"  claim flips   {_printable(str(change))}", ("yellow",)) for change in result.flips]
    return lines + [(f"  note          {_printable(note)}", ()) for note in result.notes]


def cell_line(cell: Compared) -> str:
    """``  fail          few_shot_5[clip, cub]  72.0 -> 60.0  -12.0 [-14.1, -9.90]  margin 5``."""
    numbers = f"{number(cell.base)} -> {number(cell.candidate)} {cell.unit}".rstrip()
    difference = f"{signed(cell.difference)} [{signed(cell.low)}, {signed(cell.high)}]"
    more = f"; would be decided by {needed(cell)}" if cell.decided == "inconclusive" else ""
    return f"  {cell.decided:13} {_printable(cell.cell)}  {numbers}  {difference}, margin {cell.margin:g}{more}"


def _printable(text: str) -> str:
    """Text on one line without control characters, which terminals act on and XML forbids."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))


# Markdown


def _escaped(text: str) -> str:
    return escape_markdown(_printable(text))


def gate_markdown(result: Result) -> str:
    """A page for a CI job: the decision, what fails or is undecided, claims that flip; every cell in a folded part."""
    said = decided_of(result)
    if isinstance(result, Refused):
        return f"## Gate: {said}\n\n{_escaped(result.reason)}\n"
    lines = [f"## Gate: {said}", "", f"**{said}**; {headline(result)}.", ""]
    lines += [
        f"Candidate: {_escaped(_run(result.candidate))}. Base: {_escaped(_run(result.base))}. "
        f"Margins: {margins_of(result)}.",
        "",
    ]
    cells = worst_first(result)
    bad = [cell for cell in cells if cell.decided != "pass"]
    if bad:
        lines += [HEAD, RULE, *map(_row, bad[:MOST_ROWS]), ""]
    if len(bad) > MOST_ROWS:
        lines += [f"{rest(bad, MOST_ROWS)}, in the list of all cells below.", ""]
    lines += _items("Not measured for the candidate", (f"{name}: {why}" for name, why in _missing(result)))
    lines += _flips(result.flips)
    lines += _items("To know", result.notes)
    lines += _folded(f"All {len(cells)} compared cells, worst first", [HEAD, RULE, *map(_row, cells)] if cells else [])
    lines += _folded(f"{len(result.same)} cells of the same models with the same outcomes", _listed(result.same))
    lines += _folded(f"{len(result.added)} cells that only the candidate has", _listed(result.added))
    return "\n".join(lines).rstrip() + "\n"


def _row(cell: Compared) -> str:
    said = f"**{cell.decided}**" if cell.decided != "pass" else cell.decided
    unit = f" {cell.unit}" if cell.unit else ""
    difference = f"{signed(cell.difference)} [{signed(cell.low)}, {signed(cell.high)}]"
    numbers = f"{number(cell.base)}{unit} | {number(cell.candidate)}{unit} | {difference} | {cell.margin:g}"
    return f"| {_escaped(cell.cell)} | {numbers} | {said} | {needed(cell)} |"


def _flips(flips: Sequence[Change]) -> list[str]:
    if not flips:
        return []
    rows = [f"| {_escaped(c.claim)} | {_escaped(_verdict(c.before))} | {_escaped(_verdict(c.after))} |" for c in flips]
    return [f"### Claims that flip: {len(flips)}", "", "| claim | base | candidate |", "|---|---|---|", *rows, ""]


def _verdict(verdict: Any) -> str:
    margin = "" if verdict.estimate is None else f" ({verdict.estimate:+.3g})"
    return f"{verdict.outcome}{margin}"


def _items(title: str, texts: Iterable[str]) -> list[str]:
    listed = _listed(texts)
    return [f"### {title}", "", *listed, ""] if listed else []


def _listed(texts: Iterable[str]) -> list[str]:
    return [f"- {_escaped(text)}" for text in texts]


def _folded(title: str, lines: list[str]) -> list[str]:
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>", ""] if lines else []


# for programs


def gate_json(result: Result) -> str:
    """Everything as JSON; infinite bounds are null."""
    said: dict[str, Any] = {"schema": 2, "decided": decided_of(result), "exit_code": exit_code(result)}
    if isinstance(result, Refused):
        return json.dumps(said | {"reason": result.reason}, indent=1, ensure_ascii=False) + "\n"
    said |= {
        "base": _named(result.base),
        "candidate": _named(result.candidate),
        "margins": dict(result.decision.margins.by_metric),
        "confidence": result.decision.confidence,
        "cells": [asdict(cell) for cell in worst_first(result)],
        "missing": [{"cell": name, "reason": why} for name, why in _missing(result)],
        "same": list(result.same),
        "added": list(result.added),
        "flips": [_flip(change) for change in result.flips],
        "notes": list(result.notes),
    }
    return json.dumps(plain(said), indent=1, ensure_ascii=False) + "\n"


def _named(record: Record) -> dict[str, Any]:
    return {"label": record.label, "started": record.started, "commit": record.commit, "lineup": record.lineup.name}


def _flip(change: Change) -> dict[str, Any]:
    sides = {name: getattr(change, name) for name in ("before", "after")}
    said = {name: {"outcome": v.outcome, "estimate": v.estimate} if v else None for name, v in sides.items()}
    return {"claim": change.claim, "evidence": change.evidence, **said}


def gate_junit(result: Result) -> str:
    """JUnit XML: one test case for each cell. Undecided and missing cells are failures, as the exit code is not 0."""
    suite = ElementTree.Element("testsuite", name="mmbench gate")
    if isinstance(result, Refused):
        how = "failure" if result.decided == "fail" else "error"
        _case(suite, "the records can be compared", how, result.decided, result.reason)
    else:
        for cell in worst_first(result):
            kind = None if cell.decided == "pass" else "failure"
            _case(suite, cell.cell, kind, cell.decided, cell_line(cell).strip())
        for name, why in _missing(result):
            _case(suite, name, "failure", "missing", why)
        for name in result.same:
            _case(suite, name)
    for kind in ("failure", "error"):
        suite.set(f"{kind}s", str(len(suite.findall(f"*/{kind}"))))
    suite.set("tests", str(len(suite)))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(
    suite: ElementTree.Element, name: str, kind: str | None = None, decided: str = "pass", message: str = ""
) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname="mmbench.gate", name=_printable(name))
    if kind is not None:
        ElementTree.SubElement(case, kind, type=decided, message=_printable(message)).text = _printable(message)
    elif message:
        ElementTree.SubElement(case, "system-out").text = _printable(message)


FORMS: dict[str, Callable[[Result], str]] = {"junit": gate_junit, "json": gate_json, "markdown": gate_markdown}


def write_gate(result: Result, files: Mapping[str, Path | None]) -> list[Path]:
    """Write the named FORMS to their files, replacing those of an earlier gate; raises OSError."""
    written = []
    for name, path in files.items():
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, FORMS[name](result))
            written.append(path)
    return written
