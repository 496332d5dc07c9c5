"""Known outcomes: the verdicts of an earlier run with their reasons, and whether a new one needs a look.

``reports/expected/<lineup>.toml`` holds an array of tables ``[[outcome]]`` with ``claim``, ``evidence``, ``verdict``,
``estimate``, ``low``, ``high`` and ``reason``. A person writes the reasons; ``mmbench expect`` writes the rest.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmbench import files
from mmbench.errors import BadSpec

VERDICTS = ("supported", "refuted", "inconclusive", "unmeasured")
MOST_BYTES = 1 << 26  # a larger file is not read
Standing = Literal["new", "as recorded", "drifted", "changed"]
Key = tuple[str, str]


@dataclass(frozen=True)
class Known:
    """One recorded outcome; the interval is that of the claim's margin, in the metric's unit."""

    claim: str
    evidence: str
    verdict: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    @property
    def key(self) -> Key:
        return (self.claim, self.evidence)


def standing(known: Known | None, verdict: str, estimate: float | None) -> Standing:
    """How a new verdict compares with the recorded one.

    ``changed`` when it turned from supported to refuted or back, was lost, or differs while its estimate lies outside
    the recorded interval; ``drifted`` when it differs but the estimate stays inside.
    """
    if known is None:
        return "new"
    if known.verdict == verdict:
        return "as recorded"
    if known.verdict == "unmeasured":
        return "drifted"
    if verdict == "unmeasured" or {known.verdict, verdict} == {"supported", "refuted"}:
        return "changed"
    if estimate is None or known.low is None or known.high is None:
        return "changed"
    return "drifted" if known.low <= estimate <= known.high else "changed"


def read_expected(path: Path) -> dict[Key, Known]:
    """Known outcomes by claim and evidence; none when there is no such file. Raises BadSpec naming file and entry."""
    try:
        data = files.read_plain(path, MOST_BYTES)
        entries = files.parse_toml(data).get("outcome", [])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadSpec(f"{path} is not readable TOML: {error}") from error
    if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
        raise BadSpec(f"{path}: outcome is no array of tables; each entry begins with [[outcome]]")
    said = re.search(rb"^# (\d{1,9}) outcomes$", data, re.MULTILINE)
    if said and int(said.group(1)) != len(entries):
        raise BadSpec(
            f"{path} says that it has {int(said.group(1))} outcomes and holds {len(entries)}: it was cut short or "
            "changed by hand; bring it back, or correct the number"
        )
    known: dict[Key, Known] = {}
    for number, entry in enumerate(entries, start=1):
        outcome = _known(path, number, entry)
        if outcome.key in known:
            raise BadSpec(f"{path} records {outcome.claim} on {outcome.evidence} evidence twice; keep one entry")
        known[outcome.key] = outcome
    return known


def _known(path: Path, number: int, entry: Mapping[str, Any]) -> Known:
    try:
        known = Known(**entry)
    except TypeError as error:
        raise BadSpec(f"{path}, outcome {number}: {error}; it has claim, evidence, verdict, ... reason") from None
    for name in ("claim", "evidence", "verdict", "reason"):
        if not isinstance(getattr(known, name), str):
            raise BadSpec(f"{path}, outcome {number}: {name} is {getattr(known, name)!r} and should be a text")
    for name in ("estimate", "low", "high"):
        value = getattr(known, name)
        if not (value is None or (isinstance(value, int | float) and math.isfinite(value))):
            raise BadSpec(f"{path}, outcome {number}: {name} is {value!r} and should be a finite number")
    if known.verdict not in VERDICTS:
        raise BadSpec(f"{path}, outcome {number}: verdict {known.verdict!r} is none of {', '.join(VERDICTS)}")
    if known.evidence not in ("published", "measured"):
        raise BadSpec(f"{path}, outcome {number}: evidence {known.evidence!r} is neither published nor measured")
    return known


def updated(old: Mapping[Key, Known], verdicts: Iterable[Mapping[str, Any]]) -> list[Known]:
    """The old entries with those verdicts in place of theirs; a reason is kept while the verdict stays the same."""
    merged = dict(old)
    for verdict in verdicts:
        key = (verdict["claim"], verdict["evidence"])
        before = old.get(key)
        kept = before.reason if before and before.verdict == verdict["outcome"] else ""
        estimate, low, high = (_rounded(verdict.get(name)) for name in ("estimate", "low", "high"))
        merged[key] = Known(*key, verdict["outcome"], estimate, low, high, kept)
    return sorted((k for k in merged.values() if k.verdict != "unmeasured"), key=lambda k: k.key)


def write_expected(path: Path, outcomes: Iterable[Known], header: str = "") -> None:
    """Write the outcomes as TOML, sorted as given, with ``header`` as leading comment lines, and their number.

    The file is replaced whole or not at all: it holds reasons that a person wrote.
    """
    kept = list(outcomes)
    lines = [f"# {line}".rstrip() for line in [*header.splitlines(), f"{len(kept)} outcomes"]]
    for known in kept:
        lines += ["", "[[outcome]]"]
        for name in ("claim", "evidence", "verdict", "estimate", "low", "high", "reason"):
            value = getattr(known, name)
            if value is not None:
                # A JSON string is a TOML basic string but for DEL, which TOML wants escaped.
                lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f"))
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_whole(path, "\n".join(lines) + "\n")


def _rounded(value: float | None) -> float | None:
    """Six significant digits, and nothing that TOML readers may refuse."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")
