"""Two records side by side: claims whose verdicts differ, and how the preprocessing of a role differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mmbench.records.schema import Binding, CellPart, Record, VerdictPart

COLUMNS = ("supported", "refuted", "point", "inconclusive", "unmeasured")


@dataclass(frozen=True)
class Change:
    """One claim whose verdict differs between two records; ``before`` or ``after`` is None where it was not judged."""

    claim: str
    evidence: str
    before: VerdictPart | None
    after: VerdictPart | None

    def __str__(self) -> str:
        return f"{self.claim} ({self.evidence}): {_say(self.before)} -> {_say(self.after)}"


def compare(before: Record, after: Record) -> list[Change]:
    """Claims that both records judged otherwise (also: by a sign now tested), or that only one judged."""
    old = {(v.claim, v.evidence): v for v in before.verdicts}
    new = {(v.claim, v.evidence): v for v in after.verdicts}
    changes = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was is None or now is None or was.word != now.word:
            changes.append(Change(*key, was, now))
    return changes


def counts(verdicts: Iterable[VerdictPart]) -> dict[str, Counter[str]]:
    """Verdicts by evidence: how many are in each of COLUMNS. Those by sign alone have a column of their own."""
    found: dict[str, Counter[str]] = {}
    for verdict in sorted(verdicts, key=lambda v: v.evidence != "published"):
        found.setdefault(verdict.evidence, Counter())[verdict.column] += 1
    return found


def _say(verdict: VerdictPart | None) -> str:
    if verdict is None:
        return "not judged"
    return verdict.word if verdict.estimate is None else f"{verdict.word} ({verdict.estimate:+.3g})"


def bindings(record: Record) -> dict[str, Binding]:
    """Who plays each role of a record, models and datasets."""
    return {bound.role: bound for bound in (*record.lineup.models, *record.lineup.datasets)}


def preprocessing_differs(role: str, base: Record, candidate: Record, seed: str = "") -> str:
    """What differs in how a role's images are prepared, field by field; empty where nothing does or it is unknown.

    ``seed`` is the candidate's role that plays it, if that is a further seed.
    """
    was, now = bindings(base).get(role), bindings(candidate).get(seed or role)
    if was is None or now is None or was.identity is None or now.identity is None:
        return ""
    before, after = was.identity.get("preprocess"), now.identity.get("preprocess")
    if before == after:
        return ""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return f"{role} {_brief(before)} and {_brief(after)}"
    fields = [name for name in before | after if before.get(name) != after.get(name)]
    return f"{role} " + ", ".join(f"{name} {before.get(name)} and {after.get(name)}" for name in fields)


def _brief(preprocess: Any) -> str:
    return "no images" if preprocess is None else "images"


def code_differs(part: CellPart, other: CellPart) -> bool:
    """Whether two cells were computed by different programs; False where a record does not say by which."""
    mine, theirs = part.made_of.get("code"), other.made_of.get("code")
    return bool(mine and theirs and mine != theirs)
