"""Two readings, one table: what the paper's text and its authors' code each say about every conclusion of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mmbench.claims import CLAIMS
from mmbench.claims.families import cells_asked
from mmbench.claims.ledger import LEDGER
from mmbench.claims.ledger.entry import Entry
from mmbench.records.schema import Record, VerdictPart
from mmbench.report.words import p_value, reading_difference, verdict_words
from mmbench.verdict.readings import State

# What becomes of a conclusion, in the order of the table: decided the same way, the opposite way, or not both decided.
SUMMED: dict[State, str] = {
    "same": "are decided the same way by both",
    "opposite": "the opposite way",
    "open": "stay open",
    "not comparable": "cannot be compared",
}
FATE: dict[State, str] = {
    "same": "the same",
    "opposite": "the opposite",
    "open": "open: one reading or both decide nothing",
    "not comparable": "not comparable: unmeasured under one reading",
}


@dataclass(frozen=True)
class BothRow:
    """One conclusion under both readings, in words; ``difference`` is the tested one, empty where none was."""

    claim: str
    says: str
    paper: str
    code: str
    fate: str
    difference: str


@dataclass(frozen=True)
class BothReadings:
    """A study's table. ``entries`` are the places of the ledger where its probes differ between the readings."""

    study: str
    rows: tuple[BothRow, ...]
    sums: str
    entries: tuple[Entry, ...]


def both_readings(record: Record) -> tuple[BothReadings, ...]:
    """A table for each study of which a record holds verdicts under both readings."""
    studies: dict[str, list[VerdictPart]] = {}
    for verdict in record.verdicts:
        if verdict.other_reading is not None:
            studies.setdefault(verdict.study, []).append(verdict)
    return tuple(_table(study, verdicts) for study, verdicts in sorted(studies.items()))


def _table(study: str, verdicts: Iterable[VerdictPart]) -> BothReadings:
    order = list(FATE)
    found = sorted(verdicts, key=lambda v: (order.index(_state(v)), v.claim))
    counts = Counter(_state(verdict) for verdict in found)
    sums = f"{len(found)} conclusions are judged under both readings: " + ", ".join(
        f"{counts[state]} {SUMMED[state]}" for state in order if counts[state]
    )
    judged = {verdict.claim for verdict in found}
    asked = (cell for claim in CLAIMS if claim.id in judged for cell in cells_asked(claim, "measured"))
    probes = {cell.protocol.probe for cell in asked}
    entries = tuple(entry for entry in LEDGER if entry.probe in probes)
    return BothReadings(study, tuple(map(_row, found)), sums, entries)


def _state(verdict: VerdictPart) -> State:
    assert verdict.reading_state is not None
    return verdict.reading_state


def _row(verdict: VerdictPart) -> BothRow:
    other, test = verdict.other_reading, verdict.readings
    assert other is not None
    difference = ""
    if test is not None and test.difference is not None:
        difference = f"{reading_difference(test)}, p {p_value(test.p)}"
    elif test is not None and test.untested:
        difference = f"not tested: {test.untested}"
    return BothRow(
        verdict.claim, verdict.says, verdict_words(verdict), verdict_words(other), FATE[_state(verdict)], difference
    )
