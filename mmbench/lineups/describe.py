"""A lineup as rows for people and programs: who plays what, as a stand-in for what, from where, and is it here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbench.assets import ASSETS, cached
from mmbench.errors import MMBenchError
from mmbench.lineups.reader import DatasetBinding, Lineup, ModelBinding


def describe(lineup: Lineup) -> list[dict[str, Any]]:
    """One row a role: kind, role, spec, stand_in_for, note, source, licence, here, size, problem.

    ``here`` is whether every file it needs is on this machine (None: cannot be told before it is loaded), ``size``
    their bytes as far as known, ``problem`` why nobody plays the role or why it does not resolve. Nothing is loaded
    or fetched.
    """
    rows = [_row("model", binding) for binding in lineup.models.values()]
    rows += [_nobody("model", role, why) for role, why in lineup.unbound_models.items()]
    rows += [_row("dataset", data) for data in lineup.datasets.values()]
    return rows + [_nobody("dataset", role, why) for role, why in lineup.unbound_datasets.items()]


def _row(kind: str, binding: ModelBinding | DatasetBinding) -> dict[str, Any]:
    row: dict[str, Any] = {
        "kind": kind,
        "role": binding.role,
        "spec": binding.spec,
        "stand_in_for": binding.stand_in_for,
        "note": binding.note,
        "source": "",
        "licence": "",
        "here": None,
        "size": None,
        "problem": "",
    }
    try:
        entry = binding.entry
        row["source"] = entry.source if isinstance(binding, ModelBinding) else entry.credit  # type: ignore[union-attr]
        row["licence"] = entry.licence
        row["here"], row["size"] = _files(entry.assets)
        if not entry.assets and isinstance(binding, ModelBinding):
            row["here"] = True if binding.entry.identity().weights else None
    except MMBenchError as error:
        row["problem"] = str(error)
    return row


def _nobody(kind: str, role: str, why: str) -> dict[str, Any]:
    empty = {"spec": "", "stand_in_for": "", "note": "", "source": "", "licence": "", "here": None, "size": None}
    return {"kind": kind, "role": role, **empty, "problem": why}


def _files(names: Sequence[str]) -> tuple[bool | None, int | None]:
    """Whether all files are here, and their bytes as far as they are known."""
    if not names:
        return None, None
    here, sizes = True, []
    for name in names:
        if name.startswith("file:"):
            path = Path(name.removeprefix("file:"))
            here &= path.exists()
            sizes.append(path.stat().st_size if path.is_file() else None)
            continue
        asset = ASSETS.get(name)
        place = cached(asset)
        here &= place is not None
        sizes.append(asset.size if asset.size is not None else place.stat().st_size if place else None)
    known = [size for size in sizes if size is not None]
    return here, sum(known) if len(known) == len(sizes) else None
