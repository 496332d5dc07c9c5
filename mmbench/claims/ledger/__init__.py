"""The ledger: every place where two sources differ, under a code that ``mmbench ledger CODE`` explains.

``D-`` codes: a paper against its authors' code. ``T-`` codes: a text against its own tables or against another text.
"""

from __future__ import annotations

import re
from typing import Any

from mmbench.claims.ledger import devillers_code, other_code, within_papers
from mmbench.claims.ledger.entry import Entry
from mmbench.errors import UnknownName
from mmbench.registry import Registry

LEDGER: Registry[Entry] = Registry("entry of the ledger")
for _entry in (*devillers_code.ENTRIES, *other_code.ENTRIES, *within_papers.ENTRIES):
    LEDGER.add(_entry)

DISAGREEMENTS = within_papers.ENTRIES


def entries(code: str) -> list[Entry]:
    """The entry of this code, or all parts of it: ``D-04`` means D-04a and D-04b.

    ``d-4`` is read as D-04. Raises UnknownName with the nearest codes.
    """
    read = re.fullmatch(r"([DdTt])-?(\d+)([A-Za-z]?)", code)
    exact = f"{read[1].upper()}-{int(read[2]):02d}{read[3].lower()}" if read else code
    parts = [entry for entry in LEDGER if re.fullmatch(rf"{re.escape(exact)}[a-z]", entry.code)]
    if not parts and exact not in LEDGER:
        raise UnknownName(LEDGER.kind, code, LEDGER.names(), "mmbench ledger lists all.")
    return parts or [LEDGER.get(exact)]


def readings(entry: Entry) -> dict[str, tuple[Any, Any]]:
    """Each of the entry's settings with its values in the readings ``paper`` and ``code``, by the probe's defaults."""
    from mmbench.probes.entry import PROBES

    if not entry.probe:
        return {}
    paper = PROBES.get(entry.probe).settings()
    return {name: (getattr(paper, name), getattr(paper.as_code(), name)) for name in entry.settings}


def disagreements_of(claim: str) -> tuple[str, ...]:
    """What is known to disagree about the claim with this id: each with its code and place in front."""
    return tuple(str(entry) for entry in DISAGREEMENTS if claim in entry.claims)


__all__ = ["DISAGREEMENTS", "LEDGER", "Entry", "disagreements_of", "entries", "readings"]
