"""Whether two records say the same: verdicts, their numbers and the means of their cells, within a tolerance.

This is how a change of the code shows that it changed no result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmbench.errors import BadScores
from mmbench.records.outcomes import BadOutcomes
from mmbench.records.schema import CellPart, OtherReadingPart, Record, VerdictPart
from mmbench.words import listed, rest

TOLERANCE = 1e-6
SLACK = 1e-9  # numbers that are written with six decimals may differ by one millionth and the rounding of a float
WORDS = ("outcome", "point", "truth")
NUMBERS = ("estimate", "low", "high", "p_support", "p_refute")
MEANS = ("mean", "chance")


@dataclass(frozen=True)
class Differences:
    """What differs, one line each, and how much was compared; ``notes`` are no differences of results."""

    claims: tuple[str, ...]
    cells: tuple[str, ...]
    notes: tuple[str, ...]
    claims_compared: int
    cells_compared: int

    def __bool__(self) -> bool:
        return bool(self.claims or self.cells)


def differences(a: Record, b: Record, tolerance: float = TOLERANCE) -> Differences:
    """What ``b`` says otherwise than ``a``: claims by claim and evidence, cells by their key.

    A cell whose fingerprint is in one record only is looked up by protocol name, reading, models and dataset, and a
    note says so. Numbers are equal when they differ by no more than ``tolerance`` in their printed unit.
    """
    verdicts = _pairs(a.verdicts, b.verdicts, lambda v: (v.claim, v.evidence))
    claims = [line for was, now in verdicts for line in _verdict_lines(was, now, tolerance)]
    cells, notes = _matched_cells(a, b)
    found: list[str] = []
    unread: list[str] = []
    moved: list[str] = []
    for was, now in cells:
        found += _cell_lines(was, now, tolerance)
        unread += _unread(was, now)
        if was is not None and now is not None:
            moved += [f"{now} {text}" for text in _unequal(was, now, ("low", "high"), tolerance)]
    if moved:
        notes.append(f"intervals of cells differ: {listed(moved)}")
    if unread:
        notes.append(f"outcomes by example of {len(unread)} cells were not compared: {unread[0]}")
    return Differences(tuple(claims), tuple(found), tuple(notes), _both(verdicts), _both(cells))


def lines(found: Differences, most: int | None = None) -> Iterator[str]:
    """The comparison for a person; of differing claims and of cells at most ``most`` lines each (None: all)."""
    parts = (("claims", found.claims, found.claims_compared), ("cells", found.cells, found.cells_compared))
    for what, differing, compared in parts:
        yield f"{what}: {compared} in both records, {len(differing) or 'no'} difference{'s' * (len(differing) != 1)}"
        yield from (f"  {line}" for line in differing[:most])
        if most is not None and len(differing) > most:
            yield f"  {rest(differing, most)}; --all shows them"
    yield from (f"note: {note}" for note in found.notes)


def _pairs(a: Sequence[Any], b: Sequence[Any], key: Callable[[Any], Hashable]) -> list[tuple[Any, Any]]:
    """What both hold, in the order of ``a``, then what only ``b`` holds; None for what one lacks."""
    old, new = {key(part): part for part in a}, {key(part): part for part in b}
    return [(part, new.get(at)) for at, part in old.items()] + [(None, p) for at, p in new.items() if at not in old]


def _both(pairs: Sequence[tuple[Any, Any]]) -> int:
    return sum(was is not None and now is not None for was, now in pairs)


def _verdict_lines(was: VerdictPart | None, now: VerdictPart | None, tolerance: float) -> Iterator[str]:
    if was is None or now is None:
        there = was or now
        assert there is not None
        yield f"{there.claim} ({there.evidence}): judged in the {'second' if was is None else 'first'} record only"
        return
    name = f"{now.claim} ({now.evidence})"
    yield from _finding_lines(name, was, now, tolerance)
    if (was.other_reading is None) != (now.other_reading is None):
        yield f"{name}: judged under the code's reading in one record only"
    elif was.other_reading is not None and now.other_reading is not None:
        yield from _finding_lines(f"{name}, the code's reading", was.other_reading, now.other_reading, tolerance)
    yield from _part_lines(name, was, now, tolerance)


def _finding_lines(
    name: str, was: VerdictPart | OtherReadingPart, now: VerdictPart | OtherReadingPart, tolerance: float
) -> Iterator[str]:
    for field in WORDS:
        if getattr(was, field) != getattr(now, field):
            yield f"{name}: {field} {getattr(was, field)} and {getattr(now, field)}"
    yield from (f"{name}: {text}" for text in _unequal(was, now, NUMBERS, tolerance))


def _part_lines(name: str, was: VerdictPart, now: VerdictPart, tolerance: float) -> Iterator[str]:
    """The comparisons that a verdict is made of, in their order (a label may have been worded anew)."""
    if len(was.parts) != len(now.parts):
        yield f"{name}: {len(was.parts)} comparisons and {len(now.parts)}"
        return
    differing = []
    for old, new in zip(was.parts, now.parts, strict=True):
        if old.outcome != new.outcome or any(_unequal(old, new, ("estimate", "low", "high"), tolerance)):
            differing.append(new.label)
    if differing:
        yield f"{name}: {len(differing)} of {len(now.parts)} comparisons differ: {listed(differing, 2)}"


def _unequal(was: object, now: object, fields: Sequence[str], tolerance: float) -> list[str]:
    texts = []
    for field in fields:
        old, new = getattr(was, field), getattr(now, field)
        if (old is None) != (new is None) or (old is not None and abs(old - new) > tolerance + SLACK):
            texts.append(f"{field} {_number(old)} and {_number(new)}")
    return texts


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.9g}"


def _matched_cells(a: Record, b: Record) -> tuple[list[tuple[CellPart | None, CellPart | None]], list[str]]:
    """Cells side by side, and notes on protocols that go by another fingerprint in each record."""
    pairs = _pairs(a.cells, b.cells, lambda cell: cell.key)
    alone = [pair for pair in pairs if None in pair]
    again = _pairs(
        [was for was, _ in alone if was is not None],
        [now for _, now in alone if now is not None],
        lambda cell: (cell.protocol, cell.reading, cell.models, cell.dataset),
    )
    renamed: dict[str, None] = {}
    for was, now in again:
        if was is not None and now is not None:
            reading = "" if now.reading == "paper" else f" ({now.reading})"
            renamed[f"{now.protocol}{reading} {was.fingerprint} and {now.fingerprint}"] = None
    notes = [f"matched by name, as the fingerprint of a protocol differs: {', '.join(renamed)}"] if renamed else []
    return [pair for pair in pairs if None not in pair] + again, notes


def _cell_lines(was: CellPart | None, now: CellPart | None, tolerance: float) -> Iterator[str]:
    if was is None or now is None:
        yield f"{was or now}: measured in the {'second' if was is None else 'first'} record only"
        return
    texts = [
        f"{field} {getattr(was, field)} and {getattr(now, field)}"
        for field in ("metric", "examples", "paired_by")
        if getattr(was, field) != getattr(now, field)
    ]
    texts += _unequal(was, now, MEANS, tolerance)
    if len(was.trials) != len(now.trials):
        texts.append(f"{len(was.trials)} trials and {len(now.trials)}")
    elif not _close(was.trials, now.trials, tolerance):
        texts.append("means by trial")
    texts += _outcome_texts(was, now, tolerance)
    texts += _dependence_texts(was, now, tolerance)
    if texts:
        yield f"{now}: {'; '.join(texts)}"


def _outcome_texts(was: CellPart, now: CellPart, tolerance: float) -> list[str]:
    arrays = _arrays(was, now)
    if arrays is None or isinstance(arrays, str):
        return []
    old, new = arrays
    if old.shape != new.shape:
        return [f"outcomes of shape {old.shape} and {new.shape}"]
    differing = int((~np.isclose(old, new, rtol=0, atol=tolerance, equal_nan=True)).sum())
    return [f"{differing} of {old.size} outcomes by trial and example"] if differing else []


def _dependence_texts(was: CellPart, now: CellPart, tolerance: float) -> list[str]:
    """What both say about how far examples are independent; an older record says nothing of it."""
    texts = []
    if was.halves and now.halves and not _close(was.halves, now.halves, tolerance):
        texts.append("means over halves of the examples")
    if was.pool and now.pool and not _close((was.pool,), (now.pool,), tolerance):
        texts.append(f"shares {was.pool:g} and {now.pool:g} of the training pool drawn by a trial")
    if was.grouped_by and now.grouped_by and was.grouped_by != now.grouped_by:
        texts.append(f"examples grouped by {was.grouped_by} and {now.grouped_by}")
    elif was.groups is not None and now.groups is not None:
        with contextlib.suppress(BadOutcomes):  # a file that is missing is said where outcomes are compared
            texts += [] if was.groups.same(now.groups) else ["what their examples were made from"]
    return texts


def _close(was: Sequence[float], now: Sequence[float], tolerance: float) -> bool:
    return len(was) == len(now) and np.allclose(was, now, rtol=0, atol=tolerance + SLACK)


def _unread(was: CellPart | None, now: CellPart | None) -> list[str]:
    """Why the outcomes of a cell that both hold were not compared."""
    arrays = None if was is None or now is None else _arrays(was, now)
    return [arrays] if isinstance(arrays, str) else []


def _arrays(was: CellPart, now: CellPart) -> tuple[Any, Any] | str:
    """Outcomes of both, or why they are not at hand."""
    if was.outcomes is None or now.outcomes is None:
        return "a record of schema 1 keeps none"
    try:
        return was.outcomes.array, now.outcomes.array
    except (BadOutcomes, BadScores) as error:
        return str(error)
