"""``mmbench ledger``: where papers, their code and their tables differ, and what mmbench does about it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmbench.claims.ledger import Entry

EXAMPLES = """examples:
  mmbench ledger                                 every code with its subject
  mmbench ledger D-03                            one entry: what the paper prints, what the code does, what mmbench does
  mmbench ledger D-04                            all parts of an entry: D-04a and D-04b
  mmbench ledger --study cyclegan2022            the entries of one study

D codes: a paper against its authors' code. T codes: a text against its own tables, or against another text.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.epilog, parser.formatter_class = EXAMPLES, argparse.RawDescriptionHelpFormatter
    one = parser.add_mutually_exclusive_group()
    one.add_argument("code", nargs="?", help="a code such as D-03 or T-12, for the whole entry")
    one.add_argument("--study", help="only entries of this study, e.g. devillers2021")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def run(options: argparse.Namespace) -> int:
    """Do what ``add_arguments`` read; raises UnknownName for a code or study that the ledger does not have."""
    from mmbench.claims.ledger import LEDGER, entries
    from mmbench.errors import UnknownName

    chosen = entries(options.code) if options.code else list(LEDGER)
    if options.study:
        studies = {entry.study for entry in LEDGER}
        if options.study not in studies:
            raise UnknownName("study in the ledger", options.study, studies)
        chosen = [entry for entry in chosen if entry.study == options.study]
    if options.json:
        print(json.dumps([as_json(entry) for entry in chosen], indent=1, ensure_ascii=False))
    elif options.code:
        print("\n\n".join(map(explained, chosen)))
    else:
        print("\n".join(f"{entry.code:<6} {entry.study:<15} {entry.topic}" for entry in chosen))
        print(f"{len(chosen)} entries; mmbench ledger CODE explains one")
    return 0


def as_json(entry: Entry) -> dict[str, Any]:
    """An entry as plain JSON values. ``settings`` gives each setting its value under the two readings."""
    from mmbench.claims.ledger import readings

    return {
        "code": entry.code,
        "study": entry.study,
        "topic": entry.topic,
        "where": entry.where,
        "says": entry.says,
        "other": entry.other,
        "ours": entry.ours,
        "probe": entry.probe,
        "settings": {name: {"paper": paper, "code": code} for name, (paper, code) in readings(entry).items()},
        "claims": list(_claims(entry)),
    }


def explained(entry: Entry) -> str:
    """All that is known about one entry, for a person."""
    from mmbench.claims import CLAIMS
    from mmbench.claims.ledger import readings

    sides = ("paper", "code") if entry.code.startswith("D") else ("one place", "another")
    settings = [f"{name}: paper {paper!r}, code {code!r}" for name, (paper, code) in readings(entry).items()]
    claims = [claim if claim in CLAIMS else f"{claim} (not registered)" for claim in _claims(entry)]
    rows = (
        ("where", entry.where),
        (sides[0], entry.says),
        (sides[1], entry.other),
        ("mmbench", entry.ours),
        ("setting", entry.probe and f"{'; '.join(settings)} (probe {entry.probe})"),
        ("claims", "\n              ".join(claims)),
    )
    head = f"{entry.code}  {entry.topic} ({entry.study})"
    return "\n".join([head, *(f"  {name:<11} {text}" for name, text in rows if text)])


def _claims(entry: Entry) -> tuple[str, ...]:
    """The claims that an entry touches: its own, or every claim whose protocols have the probe."""
    from mmbench.claims import CLAIMS

    if not entry.probe:
        return entry.claims
    asking = (c for c in CLAIMS if not c.made_up and any(p.probe == entry.probe for p in c.protocols))
    return tuple(claim.id for claim in asking)
