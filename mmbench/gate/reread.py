"""The files behind a record, read again where they are here, before the gate says that two models are the same.

A run takes the digest of a large file from a note that an earlier run left beside its size and times, unless it gates
(``mmbench.files.hashed_afresh``). Its record says so (``Binding.hashed``), and the gate believes such a digest only
after the file was read.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.errors import MMBenchError
from mmbench.files import asked_for, stamp
from mmbench.gate.decision import NotComparable
from mmbench.records.comparing import bindings
from mmbench.records.schema import Binding, Record

if TYPE_CHECKING:
    from mmbench.lineups import DatasetBinding, Lineup, ModelBinding


def reread(base: Record, candidate: Record) -> Record:
    """The candidate, with those digests marked as read that are the base's and are found again in the files here.

    Call it inside ``files.hashed_afresh``. What cannot be read here (files of another machine, a user's own code, which
    is not run) stays as it is. Raises NotComparable for a file that holds other bytes than the candidate's digest says,
    and was not written since that run: then the run was not of the bytes that its user saw.
    """
    old, new = bindings(base), bindings(candidate)
    wanted = [
        b for role, b in new.items() if b.digest and not b.hashed and role in old and old[role].digest == b.digest
    ]
    if not wanted:
        return candidate
    lineup = _lineup(candidate)
    read = {bound.role for bound in wanted if _is_here(bound, lineup, candidate)}

    def marked(parts: Iterable[Binding]) -> tuple[Binding, ...]:
        return tuple(b.model_copy(update={"hashed": True}) if b.role in read else b for b in parts)

    models, datasets = marked(candidate.lineup.models), marked(candidate.lineup.datasets)
    part = candidate.lineup.model_copy(update={"models": models, "datasets": datasets})
    return candidate.model_copy(update={"lineup": part})


def _lineup(record: Record) -> Lineup:
    """The lineup of the run, with what its command line bound, as far as it can be read here."""
    from mmbench.lineups import Lineup, load_lineup
    from mmbench.lineups.more_seeds import bind_seeds

    lineup, options = Lineup(""), record.options
    with contextlib.suppress(MMBenchError, OSError, TypeError):
        lineup = load_lineup(options.get("lineup") or "embedded")
    binders = {"model": Lineup.bind_model, "seeds": bind_seeds, "dataset": Lineup.bind_dataset}
    for name, bind in binders.items():
        for option in options.get(name) or ():
            with contextlib.suppress(MMBenchError, OSError, TypeError):
                lineup = bind(lineup, option)
    return lineup


def _is_here(bound: Binding, lineup: Lineup, record: Record) -> bool:
    """Whether the files of the role are here and give the digest in the record; raises NotComparable."""
    binding = lineup.models.get(bound.role) or lineup.datasets.get(bound.role)
    if binding is None or binding.spec != bound.spec or binding.runs_code:
        return False
    with asked_for() as files:
        try:
            digest = _digest(binding)
        except (MMBenchError, OSError):
            return False
    if digest == bound.digest:
        return True
    if digest is None or not files or _written_since(files, record):
        return False
    raise NotComparable(
        f"{bound.role} ({bound.spec}) has the digest {str(bound.digest)[:12]} in the candidate's record and "
        f"{digest[:12]} by the bytes of its files now, which were not written since: that run measured other bytes, or "
        "took old results for those of these. Run the candidate again with --mmbench-gate"
    )


def _digest(binding: ModelBinding | DatasetBinding) -> str | None:
    from mmbench.assets import check_assets
    from mmbench.lineups.seed_table import digest_of

    check_assets(binding.entry.assets)
    return digest_of(binding)


def _written_since(files: Iterable[Path], record: Record) -> bool:
    """Whether one of the files was written after the record's run began."""
    began = datetime.datetime.fromisoformat(record.started).timestamp()
    return any(stamp(path).ctime_ns > began * 1e9 for path in files)
