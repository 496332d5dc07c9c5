"""The gate on two records: what is compared, what is set apart, and which claims change their verdict.

A cell is compared when both records hold it. Cells of the same models (weights and everything else that decides their
features are known and equal) with outcomes that are equal bit by bit are set apart: nothing about them is left to
chance, and they do not count among the cells that the adjustment for many cells pays for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmbench.gate.decision import DEFAULT_SHARE, LEVEL, Decision, Margins, decide
from mmbench.gate.pairing import Pairing, pair, same_models, unread
from mmbench.gate.seed_margins import with_seeds
from mmbench.records.comparing import Change, code_differs, compare
from mmbench.records.schema import Record
from mmbench.report.names import Names
from mmbench.words import listed


@dataclass(frozen=True)
class Gated:
    """A decision, and what a reader of it must know.

    ``same`` are cells of the same models with the same outcomes, ``added`` cells that only the candidate has,
    ``flips`` claims that both records judged and whose verdicts differ, ``notes`` what else differs between the
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
    base_seeds: Sequence[Record] = (),
    candidate_seeds: Sequence[Record] = (),
) -> Gated:
    """Decide whether the candidate's run is no worse than the base's.

    ``among`` narrows the base to cells of these names; else every cell of the base counts, and one that the candidate
    lacks keeps the gate from passing. ``losses`` by metric, in printed units, are planted into the candidate's cells.
    ``base_seeds`` and ``candidate_seeds`` are records of further trainings of one recipe: means over seeds are
    compared.

    Raises NotComparable naming what differs (protocol, reading, dataset, preprocessing), BadRecord when a record has no
    outcomes by example, and BadOutcomes when the file that holds them is missing or was altered.
    """
    losses, reasons = losses or {}, reasons or {}
    paired = pair(
        base,
        candidate,
        among=among,
        allow_preprocessing=allow_preprocessing,
        losses=losses,
        explained=bool(reasons),
        base_seeds=base_seeds,
        candidate_seeds=candidate_seeds,
    )
    margins = with_seeds(margins or Margins(), paired.was, paired.seeds)
    same, moved = _settled(paired, base, candidate)
    return Gated(
        base,
        candidate,
        _decide(paired, same, margins),
        same=tuple(same),
        added=tuple(name for name in paired.now if name not in paired.was) if among is None else (),
        flips=tuple(c for c in compare(base, candidate) if c.before and c.after and c.evidence == "measured"),
        notes=(
            *_notes(paired, base, candidate, losses),
            *_drift(() if losses else moved),
            *_unread(paired, base, candidate),
            *_seed_notes(paired, same, margins),
        ),
        reasons=reasons,
    )


def _settled(paired: Pairing, base: Record, candidate: Record) -> tuple[list[str], list[str]]:
    """Cells of the same models: those with the same outcomes, and those with others."""
    alone = [name for name in paired.new if name not in paired.more_old and name not in paired.more_new]
    settled = [name for name in alone if same_models(paired.was[name], base, candidate)]
    equal = {name for name in settled if np.array_equal(paired.old[name].outcomes, paired.new[name].outcomes)}
    return [name for name in settled if name in equal], [name for name in settled if name not in equal]


def _decide(paired: Pairing, same: Collection[str], margins: Margins) -> Decision:
    apart = set(same)
    base = {name: scores for name, scores in paired.base.items() if name not in apart}
    candidate = {name: scores for name, scores in paired.candidate.items() if name not in apart}
    if candidate:
        return decide(base, candidate, margins)
    # Every cell in common belongs to the same models with the same outcomes: nothing is left to test.
    return Decision("inconclusive" if base else "pass", (), margins, 1 - LEVEL, tuple(base))


def _notes(paired: Pairing, base: Record, candidate: Record, losses: Mapping[str, float]) -> Iterable[str]:
    roles = dict.fromkeys(role for part, _ in paired.parts for role in (*part.models, part.dataset))
    names = Names.of(base)
    stand_ins = [names.full(role) for role in roles if role in names.stand_ins]
    if stand_ins:
        yield f"stand-ins, which say nothing about a paper: {', '.join(stand_ins)}"
    if losses:
        planted = ", ".join(f"{metric}={loss:g}" for metric, loss in losses.items())
        yield f"a loss was planted into the candidate's cells ({planted}): this gate must fail"
    for name in ("device", "precision"):
        found = {(a.made_of.get(name), b.made_of.get(name)) for a, b in paired.parts}
        yield from (f"{name} differs: {was} and {now}" for was, now in sorted(found, key=str) if was != now)
    if any(code_differs(a, b) for a, b in paired.parts):
        yield "the code of probes or metrics differs between the runs"
    old, new = base.versions, candidate.versions
    pairs = [(name, old.get(name, "none"), new.get(name, "none")) for name in old | new]
    differing = [f"{name} {was} and {now}" for name, was, now in pairs if was != now]
    if differing:
        yield f"versions differ: {', '.join(differing)}"


def _unread(paired: Pairing, base: Record, candidate: Record) -> Iterable[str]:
    """Roles whose files nobody has read again, so that they may not be what the digests say."""
    roles = dict.fromkeys(role for part, _ in paired.parts for role in unread(part, base, candidate))
    if roles:
        yield (
            f"{len(roles)} roles have the base's digests, which the candidate's run did not take from the bytes of the "
            f"files ({listed(roles)}): models among them are not set apart as the same; run the candidate with "
            "--mmbench-gate to have them read"
        )


def _seed_notes(paired: Pairing, same: Collection[str], margins: Margins) -> Iterable[str]:
    """Where the margins come from, and how many trainings a side has."""
    counts = {name: seeds for name, seeds in paired.seeds.items() if name not in same}
    without = [name for name in counts if name not in margins.by_cell and paired.was[name].metric not in margins.given]
    if without:
        yield (
            f"margins of {len(without)} of {len(counts)} cells are {100 * DEFAULT_SHARE:g} % of the metric's range: "
            "the base has no measured seeds of a training recipe there, and an unchanged recipe trained anew may fail"
        )
    several = Counter(seeds for seeds in counts.values())
    if set(several) - {(1, 1)}:
        yield "means over seeds: " + ", ".join(
            f"{count} cells with {old} of the base and {new} of the candidate" for (old, new), count in several.items()
        )


def _drift(cells: Sequence[str]) -> Iterable[str]:
    if cells:
        yield f"same model, other outcomes ({listed(cells)}): mmbench explain says where the runs differ first"
