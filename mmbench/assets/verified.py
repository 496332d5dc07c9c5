"""Digests of assets: declared, or recorded when a file was first seen; remembered until the file changes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from mmbench import files
from mmbench.assets.asset import ASSETS, Asset, cache_dir, member_of, path_of
from mmbench.errors import CorruptAsset


def cached(asset: Asset) -> Path | None:
    """The verified file if it is here, else None; never touches the network. Raises CorruptAsset."""
    path = path_of(asset)
    if not path.is_file():
        return None
    if member_of(asset):  # it came out of a verified wheel; a changed copy is taken out again
        memo = remembered(path) or _read_again(path)
        return path if memo and memo.get("wheel") == (asset.sha256 or memo.get("wheel")) else None
    found = verify(asset, path, asset.sha256 or first_seen(path))
    if remembered(path) is None:
        remember(path, found)
    return path


def check_assets(names: Iterable[str]) -> bool:
    """True; verifies those of the named assets that are here (``file:PATH`` is no asset). Raises CorruptAsset."""
    for name in names:
        if not name.startswith("file:"):
            cached(ASSETS.get(name))
    return True


def digest(asset: Asset) -> str | None:
    """Hex SHA-256 of the fetched file as declared, or as first recorded; None when neither is known."""
    if asset.sha256:
        return asset.sha256
    path = path_of(asset)
    memo = remembered(path) or _read_again(path)
    return None if memo is None else memo.get("wheel", memo["sha256"])


def _memo_path(path: Path) -> Path:
    return cache_dir() / "assets" / "verified" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"


def remembered(path: Path) -> dict[str, str] | None:
    """What was recorded of ``path`` when its digest was last computed, if it has not changed since."""
    try:
        memo, seen = json.loads(_memo_path(path).read_text()), files.stamp(path)._asdict()
    except (OSError, ValueError):
        return None
    return memo if seen.items() <= memo.items() else None


def _read_again(path: Path) -> dict[str, str] | None:
    """As ``remembered``, of a file that is read now and holds what was recorded; inside ``files.hashed_afresh``."""
    try:
        memo, found = json.loads(_memo_path(path).read_text()), files.sha256_of(path)
    except (OSError, ValueError):
        return None
    if not isinstance(memo, dict) or memo.get("sha256") != found:
        return None
    remember(path, found, **({"wheel": memo["wheel"]} if "wheel" in memo else {}))
    return memo


def remember(path: Path, sha256: str, **extra: str) -> None:
    """Record a digest; a cache that cannot be written only costs time."""
    memo = _memo_path(path)
    record = {"path": str(path), **files.stamp(path)._asdict(), "sha256": sha256, **extra}
    with contextlib.suppress(OSError):
        memo.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic(memo, durable=False) as temporary:
            temporary.write_text(json.dumps(record))


def verify(asset: Asset, path: Path, wanted: str | None) -> str:
    """The file's SHA-256, after size, first bytes and digest agreed; raises CorruptAsset with the way out."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(max(512, len(asset.magic)))
    way_out = f"delete {path_of(asset)} and fetch again, or correct the declared value"
    if is_page(head) and not asset.magic.lstrip().startswith(b"<"):
        what = "is an HTML page and not a wheel; does the index ask for a login?"
        raise CorruptAsset(f"asset {asset.name!r} ({asset.url}) {what} ({way_out})")
    if asset.size is not None and size != asset.size:
        raise CorruptAsset(f"asset {asset.name!r} has {size} bytes and not the declared {asset.size}; {way_out}")
    if not head.startswith(asset.magic):
        begins = f"begins with {head[: len(asset.magic)]!r} and not {asset.magic!r}"
        raise CorruptAsset(f"asset {asset.name!r} {begins}; {way_out}")
    memo = remembered(path)
    found = str(memo["sha256"]) if memo else files.sha256_of(path)
    if wanted is not None and found != wanted:
        raise CorruptAsset(f"asset {asset.name!r} has sha256 {found} and not {wanted}; {way_out}")
    return found


def is_page(head: bytes) -> bool:
    """Whether a file that begins so is an HTML page: a login, a warning or a "not found" in place of a download."""
    return re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html)", head, re.IGNORECASE) is not None


def first_seen(path: Path) -> str | None:
    try:
        return str(json.loads(_memo_path(path).read_text())["sha256"])
    except (OSError, ValueError, KeyError):
        return None


def sound_or_none(asset: Asset, *, discard: bool) -> Path | None:
    """``cached``, but a damaged file of our own cache counts as absent when it can be fetched again."""
    try:
        return cached(asset)
    except CorruptAsset:
        if not discard:
            raise
        path_of(asset).unlink(missing_ok=True)
        return None
