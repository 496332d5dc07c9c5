"""The gate on two records: which cells are compared, what keeps them from it, and what follows for the claims.

A cell is compared when both records hold it. Cells whose models are the same (known weights and all else that decides
their features) and whose outcomes are the same bit by bit are set apart: nothing about them is left to chance, and the
candidate's own cells should not pay for their number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mmbench.errors import BadSpec
from mmbench.gate.decision import LEVEL, Decision, Margins, NotComparable, check_comparable, decide, inject
from mmbench.records.cells import scores_of
from mmbench.records.comparing import Change, bindings, compare, preprocessing_differs
from mmbench.records.schema import BadRecord, CellPart, Record
from mmbench.scores import Scores

MOST_NAMED = 5


@dataclass(frozen=True)
class Gated:
    """A decision with what stands around it.

    ``same`` are cells of the same models with the same outcomes, ``added`` cells that only the candidate has,
    ``flips`` claims that both records judged and that came out otherwise, ``notes`` what else differs between the
    runs, ``reasons`` why the candidate lacks a cell, by its name, where that is known.
    """

    base: Record
    candidate: Record
    decision: Decision
    same: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    flips: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)


def gate_records(
    base: Record,
    candidate: Record,
    margins: Margins | None = None,
    *,
    among: Collection[str] | None = None,
    allow_preprocessing: bool = False,
    losses: Mapping[str, float] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Gated:
    """Decide whether the candidate's run is no worse than the base's.

    ``among`` narrows the base to cells of these names; else every cell of the base counts, and one that the candidate
    lacks keeps the gate from passing. ``losses`` by metric, in printed units, are planted into the candidate's cells.

    Raises NotComparable naming what differs (protocol, reading, dataset, preprocessing), and BadRecord when a record
    has no outcomes by example.
    """
    for record, name in ((base, "the base"), (candidate, "the candidate")):
        check_outcomes(record, name)
    was = {str(part): part for part in base.cells if among is None or str(part) in among}
    now = {str(part): part for part in candidate.cells}
    common = [name for name in was if name in now]
    if not common and not (was and reasons):
        raise NotComparable(_nothing_common(base, candidate, among))
    if losses and not any(now[name].metric in losses for name in common):
        raise BadSpec(f"no cell that is compared has a metric to plant a loss into: {', '.join(losses)}")
    if not allow_preprocessing:
        _check_preprocessing([was[name] for name in common], base, candidate)
    old = {name: _placed(part, base) for name, part in was.items()}
    new = {name: _worse(_placed(now[name], candidate), losses or {}) for name in common}
    for name in common:
        check_comparable(name, old[name], new[name])
    settled = [name for name in common if _same_models(was[name], base, candidate)]
    same = {name for name in settled if np.array_equal(old[name].outcomes, new[name].outcomes)}
    drifted = () if losses else [name for name in settled if name not in same]
    return Gated(
        base,
        candidate,
        _decide(
            {name: scores for name, scores in old.items() if name not in same},
            {name: scores for name, scores in new.items() if name not in same},
            margins or Margins(),
        ),
        same=tuple(name for name in common if name in same),
        added=tuple(name for name in now if name not in was) if among is None else (),
        flips=tuple(c for c in compare(base, candidate) if c.before and c.after and c.evidence == "measured"),
        notes=(
            *_notes([(was[name], now[name]) for name in common], base, candidate, losses or {}),
            *_drift(drifted),
        ),
        reasons=reasons or {},
    )


def check_outcomes(record: Record, name: str) -> None:
    """Raise BadRecord for a record whose cells cannot be paired by example."""
    if any(part.outcomes is None for part in record.cells):
        raise BadRecord(
            f"{name} ({record.label}, {record.started}, schema {record.schema_version}) keeps no outcomes by trial and "
            "example, so nothing can be paired with it; run pytest benchmarks with this mmbench and gate on that record"
        )


def _decide(base: dict[str, Scores], candidate: dict[str, Scores], margins: Margins) -> Decision:
    if candidate:
        return decide(base, candidate, margins)
    # Every cell in common belongs to the same models with the same outcomes: nothing is left to test.
    return Decision("inconclusive" if base else "pass", (), margins, 1 - LEVEL, tuple(base))


def _nothing_common(base: Record, candidate: Record, among: Collection[str] | None) -> str:
    for record, name in ((base, "base"), (candidate, "candidate")):
        if not record.cells:
            return f"the {name} ({record.label}, {record.started}) holds no measured cell; run it on measured evidence"
    if among is not None:
        return f"none of the {len(among)} cells asked for is in the base ({base.label}, {base.started})"
    return (
        f"base and candidate have no cell in common: {_some(map(str, base.cells))} against "
        f"{_some(map(str, candidate.cells))}; measure both on the same claims"
    )


def _placed(part: CellPart, record: Record) -> Scores:
    """The cell's scores with the identity of its dataset, which the record keeps by role."""
    scores = scores_of(part)
    dataset = bindings(record).get(part.dataset)
    known = {"dataset": dataset.digest} if dataset is not None and dataset.digest is not None else {}
    return replace(scores, provenance=scores.provenance | known)


def _worse(scores: Scores, losses: Mapping[str, float]) -> Scores:
    """The scores after the planted loss of their metric, or after all that there is to lose."""
    return inject(scores, min(losses[scores.metric], scores.mean)) if scores.metric in losses else scores


def _same_models(part: CellPart, base: Record, candidate: Record) -> bool:
    """Whether both records know the weights of the cell's roles, and they are the same models in both."""
    old, new = bindings(base), bindings(candidate)
    pairs = [(old.get(role), new.get(role)) for role in part.models]
    return all(a and b and a.digest and (a.digest, a.identity) == (b.digest, b.identity) for a, b in pairs)


def _check_preprocessing(parts: Sequence[CellPart], base: Record, candidate: Record) -> None:
    """Raise NotComparable for roles whose images are prepared in another way."""
    roles = dict.fromkeys(role for part in parts for role in part.models)
    differing = [text for role in roles if (text := preprocessing_differs(role, base, candidate))]
    if differing:
        raise NotComparable(
            f"preprocessing differs, so the inputs are not the same: {'; '.join(differing[:MOST_NAMED])}. Give both "
            "the same, or say with --allow-preprocessing (pytest: --mmbench-gate-allow-preprocessing) that it is part "
            "of what is gated"
        )


def _notes(
    pairs: Sequence[tuple[CellPart, CellPart]], base: Record, candidate: Record, losses: Mapping[str, float]
) -> Iterable[str]:
    if losses:
        planted = ", ".join(f"{metric}={loss:g}" for metric, loss in losses.items())
        yield f"a loss was planted into the candidate's cells ({planted}): this gate must fail"
    for name in ("device", "precision"):
        found = {(a.made_of.get(name), b.made_of.get(name)) for a, b in pairs}
        yield from (f"{name} differs: {was} and {now}" for was, now in sorted(found, key=str) if was != now)
    if base.code and candidate.code and base.code != candidate.code:
        yield "the code of probes or metrics differs between the runs"
    names = [name for name in base.versions | candidate.versions if _version(base, candidate, name)]
    if names:
        yield "versions differ: " + ", ".join(f"{name} {_version(base, candidate, name)}" for name in names)


def _drift(cells: Sequence[str]) -> Iterable[str]:
    if cells:
        yield f"same model, other outcomes ({_some(cells)}): mmbench explain says where the runs part"


def _version(base: Record, candidate: Record, name: str) -> str:
    was, now = base.versions.get(name, "none"), candidate.versions.get(name, "none")
    return "" if was == now else f"{was} and {now}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
