"""Where two runs differ first: the stage, from item bytes to the metric, at which their cells are no longer equal.

A record holds digests of what led to a cell, as far as the run had them. Where a digest is missing, what the record
declares (dataset, preprocessing, weights) is compared instead. A stage for which a record has neither is unknown, and
the output says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mmbench.records.comparing import bindings, code_differs, preprocessing_differs
from mmbench.records.outcomes import BadOutcomes
from mmbench.records.schema import CellPart, Record
from mmbench.words import listed

STAGES = ("item bytes", "preprocessed tensor", "features", "probe", "metric")
State = Literal["same", "differs", "unknown"]


@dataclass(frozen=True)
class Step:
    """One stage of one cell in two runs; ``why`` is what differs, what stands in for a digest, or what is lacking."""

    stage: str
    state: State
    why: str = ""

    def __str__(self) -> str:
        return f"{self.stage}: {self.state}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True)
class FirstDifference:
    """Cells that differ first at the same step, by name and their two means; ``step`` None where no stage differs."""

    step: Step | None
    unknown: tuple[Step, ...]
    cells: tuple[str, ...]


def explain_records(a: Record, b: Record) -> list[FirstDifference]:
    """Cells of both records grouped by the first step that differs, earliest stage first, equal ones last.

    ``unknown`` are steps before it about which the records say nothing: the runs may differ there already.
    """
    others = {str(part): part for part in b.cells}
    found: dict[tuple[Step | None, tuple[Step, ...]], list[str]] = {}
    for part in a.cells:
        other = others.get(str(part))
        if other is not None:
            gap = (
                "" if part.mean == other.mean else f" ({part.mean:g} and {other.mean:g} {part.unit})".replace(" )", ")")
            )
            found.setdefault(first_difference(part, other, a, b), []).append(f"{part}{gap}")
    groups = [FirstDifference(step, unknown, tuple(cells)) for (step, unknown), cells in found.items()]
    return sorted(groups, key=lambda group: STAGES.index(group.step.stage) if group.step else len(STAGES))


def first_difference(part: CellPart, other: CellPart, a: Record, b: Record) -> tuple[Step | None, tuple[Step, ...]]:
    """The first step that differs, or None, and the unknown steps before it."""
    unknown: list[Step] = []
    for step in steps(part, other, a, b):
        if step.state == "differs":
            return step, tuple(unknown)
        if step.state == "unknown":
            unknown.append(step)
    return None, tuple(unknown)


def steps(part: CellPart, other: CellPart, a: Record, b: Record) -> Iterator[Step]:
    """Every stage of a cell, in order."""
    yield _items(part, other, a, b)
    yield _preprocessed(part, other, a, b)
    yield _features(part, other, a, b)
    yield _probe(part, other, a, b)
    yield _metric(part, other)


def _items(part: CellPart, other: CellPart, a: Record, b: Record) -> Step:
    stage = STAGES[0]
    if part.paired_by and other.paired_by and part.paired_by != other.paired_by:
        return Step(stage, "differs", f"ids or labels of the test examples of {part.dataset}")
    mine, theirs = part.made_of.get("items"), other.made_of.get("items")
    if isinstance(mine, dict) and isinstance(theirs, dict):
        splits = [name for name in mine | theirs if mine.get(name) != theirs.get(name)]
        return Step(stage, "differs", f"{part.dataset}, {' and '.join(splits)}") if splits else Step(stage, "same")
    was, now = (bindings(record).get(part.dataset) for record in (a, b))
    if was is None or now is None or was.digest is None or now.digest is None:
        return Step(stage, "unknown", f"a record has no digest of {part.dataset}")
    if was.digest != now.digest:
        return Step(stage, "differs", f"identity of {part.dataset}: {_pair(was.digest, now.digest)}")
    noted = " as an earlier run noted it" if False in (was.hashed, now.hashed) else ""
    return Step(stage, "same", f"by the identity of {part.dataset}{noted}")


def _preprocessed(part: CellPart, other: CellPart, a: Record, b: Record) -> Step:
    stage = STAGES[1]
    declared = [text for role in part.models if (text := preprocessing_differs(role, a, b))]
    if declared:
        return Step(stage, "differs", "; ".join(declared))
    mine, theirs = part.made_of.get("preprocessed"), other.made_of.get("preprocessed")
    if isinstance(mine, dict) and isinstance(theirs, dict) and len(mine) == len(theirs):
        # By tower in order: another checkpoint may go by another name.
        same = list(mine.values()) == list(theirs.values())
        return Step(stage, "same") if same else Step(stage, "differs", "the first test item, though declared the same")
    if all(_identity(role, record) is not None for role in part.models for record in (a, b)):
        return Step(stage, "same", "as declared; no digest of the tensor")
    return Step(stage, "unknown", "a record does not say how its images were prepared")


def _features(part: CellPart, other: CellPart, a: Record, b: Record) -> Step:
    stage = STAGES[2]
    causes = list(_causes(part, other, a, b))
    mine, theirs = part.made_of.get("features"), other.made_of.get("features")
    if mine and theirs:
        if mine == theirs:
            return Step(stage, "same")
        return Step(stage, "differs", "; ".join(causes) or "though weights, architecture and precision are the same")
    if causes:
        return Step(stage, "differs", "; ".join(causes))
    return Step(stage, "unknown", "no digest of the features in both records; what they are made from does not differ")


def _causes(part: CellPart, other: CellPart, a: Record, b: Record) -> Iterator[str]:
    """What is known to make the features differ, other than items and preprocessing."""
    for role in part.models:
        was, now = bindings(a).get(role), bindings(b).get(role)
        if was is not None and now is not None and was.digest and now.digest and was.digest != now.digest:
            yield f"weights of {role}: {_pair(was.digest, now.digest)}"
        mine, theirs = _identity(role, a) or {}, _identity(role, b) or {}
        for name in sorted((mine.keys() & theirs.keys()) - {"preprocess"}):
            if mine[name] != theirs[name]:
                yield f"{name} of {role}: {mine[name]} and {theirs[name]}"
    for name in ("device", "precision"):
        first, second = part.made_of.get(name), other.made_of.get(name)
        if first and second and first != second:
            yield f"{name}: {first} and {second}"


def _probe(part: CellPart, other: CellPart, a: Record, b: Record) -> Step:
    stage = STAGES[3]
    if part.fingerprint != other.fingerprint:
        return Step(stage, "differs", f"settings of {part.protocol}: {_pair(part.fingerprint, other.fingerprint)}")
    mine, theirs = part.made_of.get("predictions"), other.made_of.get("predictions")
    code = "the code of probes or metrics differs" if code_differs(part, other) else ""
    if mine and theirs:
        return Step(stage, "same") if mine == theirs else Step(stage, "differs", code or "its predictions")
    return Step(stage, "unknown", code or "no digest of the predictions in both records")


def _metric(part: CellPart, other: CellPart) -> Step:
    stage = STAGES[4]
    if part.metric != other.metric:
        return Step(stage, "differs", f"{part.metric} and {other.metric}")
    state: State = "same" if part.trials == other.trials else "differs"
    if part.outcomes is None or other.outcomes is None:
        return Step(stage, state, "by its means by trial; a record has no outcomes by example")
    try:
        return Step(stage, "same" if part.outcomes.same(other.outcomes) else "differs")
    except BadOutcomes as error:
        return Step(stage, state, f"by its means by trial; {error}")


def _identity(role: str, record: Record) -> dict[str, Any] | None:
    bound = bindings(record).get(role)
    return None if bound is None else bound.identity


def _pair(first: str, second: str) -> str:
    """Two digests, shortened."""
    return f"{first[:12]} and {second[:12]}"


def explain_lines(a: Record, b: Record) -> Iterator[str]:
    """The explanation for a person: the first stage at which the runs differ, then the cells by stage."""
    groups = explain_records(a, b)
    total = sum(len(group.cells) for group in groups)
    if not total:
        yield "the records have no cell in common"
        return
    apart = [group for group in groups if group.step]
    if not apart:
        yield f"all {total} cells that both records hold are the same to the metric"
    else:
        first = apart[0].step
        assert first is not None
        differing = sum(len(group.cells) for group in apart)
        where = "at, or before" if apart[0].unknown else "first at"
        yield f"the runs differ {where}: {first.stage} ({differing} of {total} cells that both records hold differ)"
    for group in groups:
        yield f"{group.step or 'the same'}: {len(group.cells)} cells: {listed(group.cells)}"
        yield from (f"    before that {step}" if group.step else f"    {step}" for step in group.unknown)
