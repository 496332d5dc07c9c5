"""A lineup as rows for people and programs: each role's binding, what it stands in for, its source, and its files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmbench.assets import ASSETS, cached, digest
from mmbench.errors import MMBenchError
from mmbench.lineups.reader import DatasetBinding, Lineup, ModelBinding
from mmbench.models.checkpoints import file_digest, folder_digest
from mmbench.models.published import PUBLISHED

UNKNOWN = "unknown until first fetched"


def describe(lineup: Lineup, *, search: bool = False) -> list[dict[str, Any]]:
    """One row a role: kind, role, spec, stand_in_for, note, source, licence, here, size, digest, lacking, problem.

    ``here`` is whether every file it needs is on this machine (None: unknown before it is loaded), ``size`` their bytes
    as far as known, ``digest`` the hex SHA-256 of what is here or declared, or None, ``lacking`` the files that are not
    here, ``problem`` why the role is not bound or why it does not resolve. Nothing is loaded or fetched.

    ``search`` also looks into the caches of the model libraries, which imports torch; then ``here`` is known for every
    published checkpoint.
    """
    if search:
        import torch  # noqa: F401  an identity looks into a library's cache only where this was paid for already
    rows = [_row("model", binding, search) for binding in lineup.models.values()]
    rows += [_unbound("model", role, why) for role, why in lineup.unbound_models.items()]
    rows += [_row("dataset", data, search) for data in lineup.datasets.values()]
    return rows + [_unbound("dataset", role, why) for role, why in lineup.unbound_datasets.items()]


def _row(kind: str, binding: ModelBinding | DatasetBinding, search: bool) -> dict[str, Any]:
    row = _empty(kind, binding.role) | {
        "spec": binding.spec,
        "stand_in_for": binding.stand_in_for,
        "note": binding.note,
    }
    if binding.runs_code:
        return row | {"source": "your own code, which is not run here"}
    try:
        entry = binding.entry
        row["licence"] = entry.licence
        row["here"], row["size"], row["digest"], row["lacking"] = _files(entry.assets)
        if isinstance(binding, ModelBinding):
            row["source"] = binding.entry.source
            if not entry.assets:
                row["digest"] = binding.entry.identity().weights
                row["here"] = True if row["digest"] else False if search else None
        else:
            row["source"] = binding.entry.credit or "your own collection"
            row["size"] = row["size"] or binding.entry.size
            row["here"] = True if not entry.assets and binding.entry.origin else row["here"]  # drawn from code alone
    except MMBenchError as error:
        row["problem"] = str(error)
    return row


def _unbound(kind: str, role: str, why: str) -> dict[str, Any]:
    return _empty(kind, role) | {"problem": why}


def _empty(kind: str, role: str) -> dict[str, Any]:
    texts = dict.fromkeys(("spec", "stand_in_for", "note", "source", "licence", "problem"), "")
    unknown: dict[str, Any] = {"here": None, "size": None, "digest": None, "lacking": []}
    return {"kind": kind, "role": role, **texts, **unknown}


def _files(names: Sequence[str]) -> tuple[bool | None, int | None, str | None, list[str]]:
    """Whether all files are here, their bytes and digest as far as they are known, and those that are not here.

    A folder counts as here when it exists; its size and digest are not taken.
    """
    if not names:
        return None, None, None, []
    sizes: list[int | None] = []
    digests: list[str | None] = []
    lacking: list[str] = []
    plain = [Path(name.removeprefix("file:")) for name in names if name.startswith("file:")]
    for path in plain:
        sizes.append(path.stat().st_size if path.is_file() else None)
        lacking += [] if path.exists() else [str(path)]
    if plain and all(path.is_file() for path in plain):
        digests.append(file_digest(plain[0]) if len(plain) == 1 else folder_digest(plain))
    elif plain:
        digests.append(None)
    for name in names:
        if not name.startswith("file:"):
            asset = ASSETS.get(name)
            place = cached(asset)
            sizes.append(asset.size if asset.size is not None else place.stat().st_size if place else None)
            digests.append(digest(asset))
            lacking += [] if place else [asset.url]
    known = [size for size in sizes if size is not None]
    found_digests = [found for found in digests if found is not None]
    whole = len(found_digests) == len(digests)
    return (
        not lacking,
        sum(known) if len(known) == len(sizes) else None,
        _joined(found_digests) if whole else None,
        lacking,
    )


def _joined(digests: Sequence[str]) -> str:
    return digests[0] if len(digests) == 1 else "+".join(found[:16] for found in digests)


# -- for people ----------------------------------------------------------------------------------------------------


def listing(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The rows as lines: a heading, then a role with its state, size and digest, its specification and its source."""
    lines = [f"{'':7} {'role':22} {'here':10} {'size':>10}  digest"]
    for row in rows:
        if row["problem"]:
            lines.append(f"{row['kind']:7} {row['role']:22} not bound: {row['problem']}")
            continue
        here = {True: "here", False: "not here", None: "unknown"}[row["here"]]
        shown = f"sha256 {row['digest'][:16]}" if _is_hex(row["digest"]) else row["digest"] or _no_digest(row)
        lines.append(f"{row['kind']:7} {row['role']:22} {here:10} {said_size(row['size']):>10}  {shown}")
        lines.append(
            f"{'':30} {row['spec']}" + (f"  [stand-in for {row['stand_in_for']}]" if row["stand_in_for"] else "")
        )
        lines.append(f"{'':30} from {row['source'] or 'unknown'}; licence: {row['licence'] or 'not known'}")
    return lines


def said_size(size: int | None) -> str:
    """Bytes with a unit, such as 28.9 kB."""
    if size is None:
        return "unknown"
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def wanted(rows: Iterable[dict[str, Any]]) -> list[tuple[str, str, str, str, str]]:
    """What is not here: kind, roles, size, where it comes from, and where it goes; roles of the same files together."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if row["here"] is not True and not row["problem"]:
            key = (row["kind"], said_size(row["size"]), row["source"], _goes(row["lacking"]))
            found.setdefault(key, []).append(row["role"])
    return [(kind, ", ".join(roles), size, source, goes) for (kind, size, source, goes), roles in found.items()]


def _goes(lacking: Sequence[str]) -> str:
    if not lacking:
        return "the library's own cache, or a file named with @FILE"
    known = PUBLISHED.get(Path(lacking[0]).name)
    how = " (made by mmbench convert)" if known is not None and known.converted else ""
    return lacking[0] + how + (f" and {len(lacking) - 1} more" if len(lacking) > 1 else "")


def _is_hex(text: str | None) -> bool:
    return text is not None and len(text) == 64 and set(text) <= set("0123456789abcdef")


def _no_digest(row: dict[str, Any]) -> str:
    return UNKNOWN if row["here"] is not True else "taken when it is loaded"
