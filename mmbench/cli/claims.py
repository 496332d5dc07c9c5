"""The command ``mmbench claims``: list the claims with their last verdicts, or explain one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.cli.records import records_below

if TYPE_CHECKING:
    from mmbench.claims import Claim
    from mmbench.records.schema import VerdictPart

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(command: Command) -> None:
    """Add the command to ``mmbench``; ``command`` makes one."""
    claims = command("claims", run_claims, "List all claims, or explain one.")
    claims.add_argument("id", nargs="?", help="a claim's id, for everything that is known about it")
    claims.add_argument("--study", help="only claims of this study, e.g. devillers2021")
    claims.add_argument("--json", action="store_true", help="print JSON for programs")
    claims.add_argument(
        "--root", type=Path, default=Path(), help="where reports/runs and .mmbench/runs are (default: this folder)"
    )


def run_claims(options: argparse.Namespace) -> int:
    from mmbench.claims import CLAIMS
    from mmbench.errors import UnknownName

    last = last_verdicts(options.root)
    if options.id:
        if options.id not in CLAIMS:
            known = [claim.id for claim in CLAIMS if not claim.made_up]
            raise UnknownName("claim", options.id, known, "mmbench claims lists all, with --study those of a study.")
        claim = CLAIMS.get(options.id)
        row = claim_row(claim, last)
        print(json.dumps(row, indent=1, ensure_ascii=False) if options.json else explain_claim(claim, row))
        return 0
    chosen = [claim for claim in CLAIMS if not claim.made_up]
    if options.study:
        studies = {claim.study for claim in chosen}
        if options.study not in studies:
            raise UnknownName("study", options.study, studies)
        chosen = [claim for claim in chosen if claim.study == options.study]
    rows = [claim_row(claim, last) for claim in chosen]
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    for row in rows:
        found = ", ".join(_said(verdict) for verdict in row["last"]) or "not judged yet"
        print(f"{row['id']}\n    {row['says']}\n    {row['place']}; {_protocols(row)}; {found}")
    print(f"{len(rows)} claims; mmbench claims ID explains one, pytest benchmarks judges them")
    return 0


def claim_row(claim: Claim, last: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """A claim as plain JSON values, with its last verdicts by evidence and lineup."""
    return {
        "id": claim.id,
        "says": claim.says,
        "study": claim.study,
        "place": str(claim.where),
        "section": claim.where.section,
        "exhibit": claim.where.exhibit,
        "protocol": [protocol.name for protocol in claim.protocols],
        "models": list(map(str, claim.models)),
        "datasets": list(claim.datasets),
        "expects": claim.expect.words() if claim.expect else None,
        "status": claim.status,
        "published": bool(claim.published),
        "measurable": claim.measurable,
        "waits_for": claim.waits_for,
        "part_of": claim.part_of,
        "beside": claim.beside,
        "disagreements": list(claim.disagreements),
        "leaves_open": claim.leaves_open,
        "ours": claim.ours,
        "last": last.get(claim.id, []),
    }


def explain_claim(claim: Claim, row: dict[str, Any]) -> str:
    """All that is known about one claim, for a person."""
    lines = [claim.id, f"  says         {claim.says}", f"  place        {claim.where}"]
    lines += [
        f"  {head:<12} {text}"
        for head, text in (
            ("expects", row["expects"]),
            ("protocol", ", ".join(row["protocol"])),
            ("models", ", ".join(map(str, claim.models))),
            ("datasets", ", ".join(claim.datasets)),
            ("status", "" if claim.status == "tested" else f"{claim.status} there, not tested"),
            ("waits for", claim.waits_for),
            ("part of", claim.part_of),
            ("by another measure, the sentence of", claim.beside),
            ("leaves open", claim.leaves_open),
            ("ours", claim.ours),
            ("published", ", ".join(dict.fromkeys(table.name for table in claim.published))),
        )
        if text
    ]
    lines += [f"  disagrees    {text}" for text in claim.disagreements]
    for verdict in row["last"]:
        lines.append(f"  last         {_said(verdict)} ({verdict['record']})")
        lines += [f"               {text}" for text in verdict["qualified"]]
    return "\n".join([*lines, f"  judge it     pytest benchmarks -k {claim.id}"])


def last_verdicts(root: Path) -> dict[str, list[dict[str, Any]]]:
    """The newest verdict of each claim by evidence and lineup, from the records under ``root``."""
    newest: dict[str, dict[tuple[str, str | None], dict[str, Any]]] = {}
    for path, record in records_below(root):
        for verdict in record.verdicts:
            lineup = record.lineup.name if verdict.evidence == "measured" else None
            newest.setdefault(verdict.claim, {})[verdict.evidence, lineup] = {
                "evidence": verdict.evidence,
                "lineup": lineup,
                "outcome": verdict.outcome,
                "estimate": verdict.estimate,
                "unit": verdict.unit,
                "margin": verdict.margin,
                "low": verdict.low,
                "high": verdict.high,
                "point": verdict.point,
                "holm": verdict.holm,
                "about": str(verdict.about),
                "uninformative": verdict.uninformative,
                "reading": verdict.reading_state,
                "qualified": qualified(verdict),
                "started": record.started,
                "record": str(path),
            }
    return {claim: [found[key] for key in sorted(found, key=str)] for claim, found in newest.items()}


def qualified(verdict: VerdictPart) -> list[str]:
    """What a reader must know of a verdict beside its outcome, a line each."""
    from mmbench.report.words import chance_words, flags, p_value, readings_words

    about = str(verdict.about)
    bounds = ""
    if verdict.low is not None and verdict.high is not None:
        bounds = f"one-sided 95 % bounds [{verdict.low:+.3g}, {verdict.high:+.3g}]"
    lines = [
        " about ".join(filter(None, (bounds, about))) if bounds else about,
        f"adjusted over its study: p {p_value(verdict.holm)} (Holm)" if verdict.holm is not None else "",
        ", ".join(flags(verdict)),
        chance_words(verdict),
        f"under the authors' code: {readings_words(verdict)}" if verdict.other_reading else "",
    ]
    return list(filter(None, lines))


def _said(verdict: dict[str, Any]) -> str:
    where = "published" if verdict["evidence"] == "published" else f"measured on {verdict['lineup']}"
    margin = f" {verdict['margin']}" if verdict["margin"] else ""
    sign = ", sign only" if verdict["point"] else ""
    return f"{verdict['outcome']} ({where}{margin}{sign})"


def _protocols(row: dict[str, Any]) -> str:
    return ", ".join(row["protocol"]) or (f"waits for {row['waits_for']}" if row["waits_for"] else "printed numbers")
