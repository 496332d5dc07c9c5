"""What a session has found so far, gathered from its tests' notes (which may come from several workers)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.assets import check_assets
from mmbench.datasets.bad_items import left_out
from mmbench.files import asked_for, read_in_this_run
from mmbench.records.provenance import commit, machine, versions
from mmbench.records.schema import SCHEMA, Binding, CeilingPart, LineupPart, Record
from mmbench.words import printable_within

if TYPE_CHECKING:
    from mmbench.session.run_session import RunSession


MOST_SAID = 300  # characters of a reason


@dataclass
class RunNotes:
    """Notes by key, so that what two workers both report is kept once.

    ``lost`` is why a cell is unavailable, ``broken`` names those whose model gives no numbers; ``twice`` counts items
    that were encoded again under a key. ``identities`` are by role the digests of weights or content under which cells
    were measured, ``moved`` the roles whose files had others when the run ended.
    """

    verdicts: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    cells: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)
    timings: dict[str, dict[str, Any]] = field(default_factory=dict)
    costs: list[dict[str, Any]] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    twice: int = 0
    identities: dict[str, set[str]] = field(default_factory=dict)
    moved: tuple[str, ...] = ()
    last: Record | None = None

    def take(self, note: dict[str, Any]) -> None:
        """Add one test's note; a cell that some worker measured freshly stays fresh."""
        if "verdict" in note:
            verdict = note["verdict"]
            self.verdicts[verdict["claim"], verdict["evidence"]] = verdict
        for cell in note.get("cells", ()):
            key = (cell["fingerprint"], *cell["models"], cell["dataset"])
            before = self.cells.get(key)
            self.cells[key] = cell | {"fresh": cell["fresh"] or bool(before and before["fresh"])}
        if "timing" in note:
            self.timings[note["timing"]["test"]] = note["timing"]
        self.costs += note.get("costs", ())
        self.lost |= note.get("lost", {})
        self.broken |= set(note.get("broken", ()))
        self.twice += note.get("twice", 0)
        for role, digest in note.get("identities", {}).items():
            self.identities.setdefault(role, set()).add(digest)

    def record(self, run: RunSession, *, started: float, options: dict[str, Any], folder: Path) -> Record:
        """The run's record; verdicts carry p-values adjusted over their study and evidence (Holm)."""
        from mmbench.records.verdicts import adjusted

        lineup = _lineup_part(run) if "measured" in self._evidence() or self.cells or self.lost else None
        lineup = None if lineup is None else self._as_measured(lineup)
        head, dirty = commit(folder)
        found: dict[str, Any] = printable_within(
            {
                "schema": SCHEMA,
                "label": lineup.name if lineup else "published",
                "commit": head,
                "dirty": dirty,
                "machine": machine(),
                "versions": versions(),
                "lineup": (lineup or LineupPart(name="none", note="judged on printed numbers only")).model_dump(),
                "options": options,
                "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
                "seconds": round(time.time() - started, 3),
                "cells": [self.cells[key] for key in sorted(self.cells)],
                "verdicts": adjusted([self.verdicts[key] for key in sorted(self.verdicts)]),
                "timings": [self.timings[key] for key in sorted(self.timings)],
                "costs": sorted(
                    (cost for cost in self.costs if cost["kind"] != "cell"), key=lambda cost: -cost["seconds"]
                ),
                "encoded": sum(cost["items"] for cost in self.costs if cost["kind"] == "features"),
                "encoded_twice": self.twice,
                "calibration": _calibration(folder / "reports" / "calibration.json"),
                "lost": {name: self.lost[name][:MOST_SAID] for name in sorted(self.lost)},
            }
        )
        self.last = Record.model_validate(found)
        return self.last

    def _as_measured(self, lineup: LineupPart) -> LineupPart:
        """The lineup with the digests that cells were measured under, where a file was replaced since."""

        def placed(bound: Binding) -> Binding:
            known = self.identities.get(bound.role, set())
            if known <= {bound.digest}:
                return bound
            self.moved += (bound.role,)
            return bound.model_copy(update={"digest": min(known), "hashed": False})

        models, datasets = (tuple(map(placed, bound)) for bound in (lineup.models, lineup.datasets))
        return lineup.model_copy(update={"models": models, "datasets": datasets})

    def _evidence(self) -> set[str]:
        return {evidence for _, evidence in self.verdicts}


def _calibration(path: Path) -> str | None:
    """Hex SHA-256 of the simulations of how often verdicts are wrong, where the project has them."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _lineup_part(run: RunSession) -> LineupPart:
    lineup = run.lineup
    return LineupPart(
        name=lineup.name,
        note=lineup.about,
        models=tuple(_binding(bound, _model) for bound in lineup.models.values()),
        datasets=tuple(_binding(bound, _content) for bound in lineup.datasets.values()),
        trainings={training: dict(settings) for training, settings in lineup.trainings.items()},
        reduced={probe: dict(settings) for probe, settings in lineup.reduced.items()},
        changed=tuple(sorted(run.changed)),
    )


def _binding(bound: Any, look: Callable[[Any], tuple[str | None, dict[str, Any] | None]]) -> Binding:
    with asked_for() as files:
        digest, identity = look(bound)
        sound = _or_none(lambda: check_assets(bound.entry.assets))
    hashed = sound is not None and all(map(read_in_this_run, files))
    return Binding(
        role=bound.role,
        spec=bound.spec,
        stand_in_for=bound.stand_in_for or "",
        note=bound.note or "",
        credit=_or_none(lambda: getattr(bound.entry, "credit", "")) or "",
        digest=digest,
        identity=identity,
        ceilings=_or_none(lambda: _ceilings(bound.entry)) or (),
        kind=_or_none(lambda: getattr(bound, "kind", "")) or "",
        seed_of=getattr(bound, "seed_of", ""),
        hashed=None if digest is None else hashed,
        left_out=left_out(digest),
    )


def _ceilings(entry: Any) -> tuple[CeilingPart, ...]:
    found = getattr(entry, "ceilings", ())
    return tuple(CeilingPart(knows=ceiling.given, score=ceiling.score()) for ceiling in found)


def _model(bound: Any) -> tuple[str | None, dict[str, Any] | None]:
    """Digest of the weights, and the rest of the identity as it is read back from JSON (lists for tuples)."""
    from mmbench.records.verdicts import plain

    found = _or_none(lambda: plain(bound.entry.identity().as_dict()))
    return (None, None) if found is None else (found.pop("weights"), found)


def _content(bound: Any) -> tuple[str | None, None]:
    return _or_none(lambda: bound.entry.identity()), None


def _or_none(look: Any) -> Any:
    try:
        return look()
    except Exception:  # what is not on this machine has no digest here, and what is broken must not cost the record
        return None
