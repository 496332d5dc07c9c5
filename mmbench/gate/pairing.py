"""Cells of two records side by side, each with its scores, and what keeps records from being compared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mmbench.errors import BadSpec
from mmbench.gate.decision import NotComparable, check_comparable, inject
from mmbench.records.cells import scores_of
from mmbench.records.comparing import bindings, preprocessing_differs
from mmbench.records.schema import BadRecord, Binding, CellPart, Record
from mmbench.scores import Scores
from mmbench.words import listed

MOST_NAMED = 5


@dataclass(frozen=True)
class Pairing:
    """Cells by name: those of the base that count (``was``), those of the candidate (``now``), and both's scores.

    ``old`` are scores of every cell in ``was``, ``new`` of those that both records hold, worse by a planted loss.
    ``more_old`` and ``more_new`` are the scores of further seeds of the same recipe, where a side has some.
    """

    was: Mapping[str, CellPart]
    now: Mapping[str, CellPart]
    old: Mapping[str, Scores]
    new: Mapping[str, Scores]
    more_old: Mapping[str, list[Scores]] = field(default_factory=dict)
    more_new: Mapping[str, list[Scores]] = field(default_factory=dict)

    @property
    def base(self) -> dict[str, list[Scores]]:
        """The scores of every seed of the base, by cell."""
        return {name: [scores, *self.more_old.get(name, ())] for name, scores in self.old.items()}

    @property
    def candidate(self) -> dict[str, list[Scores]]:
        """The scores of every seed of the candidate, by cell."""
        return {name: [scores, *self.more_new.get(name, ())] for name, scores in self.new.items()}

    @property
    def seeds(self) -> dict[str, tuple[int, int]]:
        """How many seeds of base and candidate are compared, by cell."""
        base = self.base
        return {name: (len(base[name]), len(found)) for name, found in self.candidate.items()}

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
    base_seeds: Sequence[Record] = (),
    candidate_seeds: Sequence[Record] = (),
) -> Pairing:
    """The cells that count, side by side; arguments as those of ``gate_records``.

    ``explained``: it is known why the candidate lacks cells, so that it may lack them all. Raises NotComparable naming
    what differs, BadSpec for a loss that no cell can take, BadRecord and BadOutcomes where there are no outcomes.
    """
    sides = ((base, "the base"), (candidate, "the candidate"))
    more = [(record, "a further seed's record") for record in (*base_seeds, *candidate_seeds)]
    for record, name in (*sides, *more):
        check_outcomes(record, name)
    was = {str(part): part for part in first_seeds(base) if among is None or str(part) in among}
    now = {str(part): part for part in first_seeds(candidate)}
    common = [name for name in was if name in now]
    if not common and not (was and explained):
        raise NotComparable(_nothing_common(base, candidate, among))
    if losses and not any(now[name].metric in losses for name in common):
        raise BadSpec(f"no cell that is compared has a metric to plant a loss into: {', '.join(losses)}")
    further = [_further(base, base_seeds, was), _further(candidate, candidate_seeds, common)]
    if not allow_preprocessing:
        _check_preprocessing(base, [(was[name], was[name], candidate) for name in common])
        _check_preprocessing(base, [seed for side in further for seeds in side.values() for seed in seeds])
    old = {name: _placed(part, base) for name, part in was.items()}
    new = {name: _worse(_placed(now[name], candidate), losses) for name in common}
    more_old, more_new = ({n: [_placed(p, r) for _, p, r in seeds] for n, seeds in side.items()} for side in further)
    more_new = {name: [_worse(scores, losses) for scores in seeds] for name, seeds in more_new.items()}
    for name in common:
        for other in (new[name], *more_old.get(name, ()), *more_new.get(name, ())):
            check_comparable(name, old[name], other)
        _check_own_trainings(
            name,
            [(was[name], was[name], base), *further[0].get(name, ())],
            [(now[name], now[name], candidate), *further[1].get(name, ())],
        )
    return Pairing(was, now, old, new, more_old, more_new)


Seed = tuple[CellPart, CellPart, Record]  # a cell as it is named for the first seed, the seed's own, and its record


def first_seeds(record: Record) -> list[CellPart]:
    """The cells of a record without those of further seeds (``--mmbench-seeds``)."""
    return [part for part, own, _ in _seeds(record) if part is own]


def _seeds(record: Record) -> Iterator[Seed]:
    """Every cell of a record with the cell of the first seed that it repeats, which is itself for most."""
    first = {role: bound.seed_of for role, bound in bindings(record).items() if bound.seed_of}
    for part in record.cells:
        models = tuple(first.get(role, role) for role in part.models)
        yield (part if models == part.models else part.model_copy(update={"models": models})), part, record


def _further(record: Record, others: Sequence[Record], cells: Collection[str]) -> dict[str, list[Seed]]:
    """Further seeds of the cells: those that the record itself holds, and those that are records of their own.

    A record of a whole run also holds models that were not trained again: cells of weights that are there already are
    left out. Raises BadSpec for a record that adds no training at all.
    """
    there = {str(part): [_weights((part, part, record))] for part in first_seeds(record)}
    found: dict[str, list[Seed]] = {}
    own = [seed for seed in _seeds(record) if seed[0] is not seed[1]]
    for seeds in (own, *(list(_seeds(other)) for other in others)):
        added = 0
        for seed in seeds:
            name, weights = str(seed[0]), _weights(seed)
            if name in cells and (None in weights or weights not in there[name]):
                there[name].append(weights)
                found.setdefault(name, []).append(seed)
                added += 1
        if not added and seeds is not own:
            label = f"{seeds[0][2].label}, {seeds[0][2].started}" if seeds else "no cells"
            raise BadSpec(f"a record given as a further seed ({label}) has no other weights in any cell; name another")
    return found


def _weights(seed: Seed) -> tuple[str | None, ...]:
    """The digests of the weights of a seed's models."""
    known = bindings(seed[2])
    return tuple(known[role].digest if role in known else None for role in seed[1].models)


def _check_own_trainings(cell: str, base: Sequence[Seed], candidate: Sequence[Seed]) -> None:
    """Raise NotComparable where some trainings stand on both sides and others do not: they would thin out any loss."""
    old, new = ({weights for seed in side if None not in (weights := _weights(seed))} for side in (base, candidate))
    if old & new and old != new:
        raise NotComparable(
            f"{cell}: {len(old & new)} of the candidate's {len(candidate)} trainings are the base's own, which show "
            "no loss; give each training on one side alone, or the same ones on both"
        )


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
    """Whether the weights of the cell's roles are known in both records, and the models are the same.

    The candidate's digests must be of bytes that its run read: one noted earlier may be that of other weights.
    """
    old, new = bindings(base), bindings(candidate)
    pairs = [(old.get(role), new.get(role)) for role in part.models]
    return all(a and b and b.hashed and a.digest and _same(a, b) for a, b in pairs)


def unread(part: CellPart, base: Record, candidate: Record) -> list[str]:
    """The cell's roles by whose digests alone it is of the same models, or of the same dataset.

    They are digests that the candidate's run did not take from the bytes; older records say that of no dataset.
    """
    old, new = bindings(base), bindings(candidate)
    pairs = [(old.get(role), new.get(role)) for role in part.models]
    same = all(a and b and a.digest and _same(a, b) for a, b in pairs)
    found = [b.role for _, b in pairs if b and not b.hashed] if same else []
    was, now = old.get(part.dataset), new.get(part.dataset)
    return [*found, part.dataset] if was and now and now.hashed is False and was.digest == now.digest else found


def _same(one: Binding, other: Binding) -> bool:
    return (one.digest, one.identity) == (other.digest, other.identity)


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


def _check_preprocessing(base: Record, seeds: Sequence[Seed]) -> None:
    """Raise NotComparable for roles whose images are prepared in another way than the base's."""
    pairs = ((*roles, id(record)) for part, own, record in seeds for roles in zip(part.models, own.models, strict=True))
    records = {id(record): record for _, _, record in seeds}
    found = (preprocessing_differs(role, base, records[at], own) for role, own, at in dict.fromkeys(pairs))
    differing = list(filter(None, found))
    if differing:
        raise NotComparable(
            f"preprocessing differs, so the inputs are not the same: {'; '.join(differing[:MOST_NAMED])}. Give both "
            "the same, or say with --allow-preprocessing (pytest: --mmbench-gate-allow-preprocessing) that it is part "
            "of what is gated"
        )
