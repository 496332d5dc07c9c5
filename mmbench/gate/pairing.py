"""Cells of two records side by side, each with its scores, and what keeps records from being compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from mmbench.errors import BadSpec
from mmbench.gate.decision import NotComparable, check_comparable, inject
from mmbench.records.cells import scores_of
from mmbench.records.comparing import bindings, preprocessing_differs
from mmbench.records.schema import BadRecord, CellPart, Record
from mmbench.scores import Scores
from mmbench.words import listed

MOST_NAMED = 5


@dataclass(frozen=True)
class Pairing:
    """Cells by name: those of the base that count (``was``), those of the candidate (``now``), and both's scores.

    ``old`` are scores of every cell in ``was``, ``new`` of those that both records hold, worse by a planted loss.
    """

    was: Mapping[str, CellPart]
    now: Mapping[str, CellPart]
    old: Mapping[str, Scores]
    new: Mapping[str, Scores]

    @property
    def parts(self) -> list[tuple[CellPart, CellPart]]:
        """Cells that both records hold, base and candidate."""
        return [(self.was[name], self.now[name]) for name in self.new]


def pair(
    base: Record,
    candidate: Record,
    *,
    among: Collection[str] | None,
    allow_preprocessing: bool,
    losses: Mapping[str, float],
    explained: bool,
) -> Pairing:
    """The cells that count, side by side; arguments as those of ``gate_records``.

    ``explained``: it is known why the candidate lacks cells, so that it may lack them all. Raises NotComparable naming
    what differs, BadSpec for a loss that no cell can take, BadRecord and BadOutcomes where there are no outcomes.
    """
    for record, name in ((base, "the base"), (candidate, "the candidate")):
        check_outcomes(record, name)
    was = {str(part): part for part in base.cells if among is None or str(part) in among}
    now = {str(part): part for part in candidate.cells}
    common = [name for name in was if name in now]
    if not common and not (was and explained):
        raise NotComparable(_nothing_common(base, candidate, among))
    if losses and not any(now[name].metric in losses for name in common):
        raise BadSpec(f"no cell that is compared has a metric to plant a loss into: {', '.join(losses)}")
    if not allow_preprocessing:
        _check_preprocessing([was[name] for name in common], base, candidate)
    old = {name: _placed(part, base) for name, part in was.items()}
    new = {name: _worse(_placed(now[name], candidate), losses) for name in common}
    for name in common:
        check_comparable(name, old[name], new[name])
    return Pairing(was, now, old, new)


def check_outcomes(record: Record, name: str) -> None:
    """Raise BadRecord for a record whose cells cannot be paired by example, BadOutcomes where the file is not here."""
    if any(part.outcomes is None for part in record.cells):
        raise BadRecord(
            f"{name} ({record.label}, {record.started}, schema {record.schema_version}) keeps no outcomes by trial and "
            "example, so nothing can be paired with it; run pytest benchmarks with this mmbench and gate on that record"
        )
    if record.cells:
        scores_of(record.cells[0])  # opens the file


def same_models(part: CellPart, base: Record, candidate: Record) -> bool:
    """Whether the weights of the cell's roles are known in both records, and the models are the same."""
    old, new = bindings(base), bindings(candidate)
    pairs = [(old.get(role), new.get(role)) for role in part.models]
    return all(a and b and a.digest and (a.digest, a.identity) == (b.digest, b.identity) for a, b in pairs)


def _nothing_common(base: Record, candidate: Record, among: Collection[str] | None) -> str:
    for record, name in ((base, "base"), (candidate, "candidate")):
        if not record.cells:
            return f"the {name} ({record.label}, {record.started}) holds no measured cell; run it on measured evidence"
    if among is not None:
        return f"none of the {len(among)} cells asked for is in the base ({base.label}, {base.started})"
    return (
        f"base and candidate have no cell in common: {listed(base.cells)} against {listed(candidate.cells)}; measure "
        "both on the same claims"
    )


def _placed(part: CellPart, record: Record) -> Scores:
    """The cell's scores with the identity of its dataset, which the record keeps by role."""
    scores = scores_of(part)
    dataset = bindings(record).get(part.dataset)
    known = {"dataset": dataset.digest} if dataset is not None and dataset.digest is not None else {}
    return replace(scores, provenance=scores.provenance | known)


def _worse(scores: Scores, losses: Mapping[str, float]) -> Scores:
    """The scores after the planted loss of their metric; one that is larger than their mean takes all of it."""
    return inject(scores, min(losses[scores.metric], scores.mean)) if scores.metric in losses else scores


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
