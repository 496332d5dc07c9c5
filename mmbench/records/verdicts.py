"""A verdict as the record keeps it, and p-values adjusted over the verdicts of a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmbench.records.schema import AboutPart, ComparisonPart, OtherReadingPart, ReadingsPart, is_test

if TYPE_CHECKING:
    from mmbench.verdict import Readings, Verdict
    from mmbench.verdict.outcome import Row

FINDING = tuple(OtherReadingPart.model_fields)
COMPARISON = tuple(ComparisonPart.model_fields)
READINGS = tuple(ReadingsPart.model_fields)


def verdict_part(
    verdict: Verdict, code: Verdict | None, *, standing: str, reason: str, readings: Readings | None = None
) -> dict[str, Any]:
    """Plain JSON values of one verdict, with that under the code's reading where there is one.

    Numbers of single comparisons are rounded to six decimals, as those of cells are.
    """
    part = _finding(verdict) | {
        "claim": verdict.claim,
        "study": verdict.study,
        "evidence": verdict.evidence,
        "says": verdict.says,
        "expected": verdict.expected,
        "standing": standing,
        "reason": reason,
        "rows": [_row(row) for row in verdict.rows],
        "parts": [{name: rounded(getattr(piece, name)) for name in COMPARISON} for piece in verdict.parts],
        "other_reading": None if code is None else _finding(code),
        "readings": None if readings is None else {name: rounded(getattr(readings, name)) for name in READINGS},
    }
    return plain(part)


def _finding(verdict: Verdict) -> dict[str, Any]:
    about = {name: getattr(verdict.about, name) for name in AboutPart.model_fields}
    return {name: getattr(verdict, name) for name in FINDING} | {"about": about}


def _row(row: Row) -> dict[str, Any]:
    return {
        "protocol": row.cell.protocol.name,
        "fingerprint": row.cell.protocol.fingerprint(),
        "models": list(row.cell.models),
        "dataset": row.cell.dataset,
        "mean": row.mean,
        "spread": row.spread,
        "trials": row.trials,
        "examples": row.examples,
    }


def rounded(value: Any) -> Any:
    """A finite number to six decimals, which is less than any page shows; everything else as it is."""
    return round(value, 6) if isinstance(value, float) and math.isfinite(value) else value


def adjusted(verdicts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The verdicts with ``holm_support`` and ``holm_refute``, over the claims of one study on one kind of evidence.

    Holm 1979, for each side by itself: among a study's verdicts on one kind of evidence, a false "supported" has a
    probability of at most 5 %, and so has a false "refuted". Only tests are
    in the family (``is_test``). Claims that ask a study's sentences by a measure of ours are a family of their own.
    """
    from mmbench.claims import CLAIMS
    from mmbench.stats import holm

    out = [plain(verdict) for verdict in verdicts]
    ours = {claim.id for claim in CLAIMS if claim.beside}
    families: dict[tuple[str, str, bool], list[dict[str, Any]]] = {}
    for verdict in out:
        if is_test(verdict["outcome"], verdict.get("p_support"), verdict.get("p_refute")):
            family = verdict["study"], verdict["evidence"], verdict["claim"] in ours
            families.setdefault(family, []).append(verdict)
    for members in families.values():
        for side in ("support", "refute"):
            for verdict, p in zip(members, holm([m[f"p_{side}"] for m in members]), strict=True):
                verdict[f"holm_{side}"] = float(p)
    return out


def plain(value: Any) -> Any:
    """The value with what JSON cannot say turned into None (NaN, infinities), tuples into lists."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
