"""The content-addressed store: features by (model, item) and scores by cell, on disk, shared by every run.

Layout under the root (``$MMBENCH_STORE``, else the user's cache folder)::

    features/<2>/<key>/key.json             the parts of the key, for readers
    features/<2>/<key>/<sha256>.safetensors a shard (mmbench.features.shards)
    features/<2>/<key>/verified.json        which shards were verified, at which size and time
    features/<2>/<key>/lock                 held by the run that encodes under this key
    scores/<2>/<key>.safetensors            outcomes with their provenance and a checksum

Items are stored under the digest of their content, so an image that two datasets share is encoded once. Readers need
no lock, because a shard appears in its folder only when it is complete.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores, StoreError
from mmbench.features.shards import (
    DIGEST_BYTES,
    SUFFIX,
    TEMPORARY,
    DamagedFile,
    Shard,
    open_shard,
    verify,
    write_atomic,
    write_shard,
)
from mmbench.scores import Scores

logger = logging.getLogger("mmbench.store")

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# A shard is hashed once; for a day after that, equal size and modification time are enough. Not for longer, because a
# failing disk can change bytes and leave both as they were.
_TRUST_SECONDS = 24 * 3600
_SAY_AFTER_SECONDS = 3.0


class StoreWarning(UserWarning):
    """Something in the store was damaged and is computed again, or something cannot be stored."""


def default_root() -> Path:
    """``$MMBENCH_STORE``, or ``mmbench/store`` in the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get("MMBENCH_STORE")
    return Path(named).expanduser() if named else user_cache_path("mmbench") / "store"


class Store:
    """The store at ``root``; no folder is made before something is written.

    ``encoded[key][item]`` counts how often this process encoded an item (hex digest) under a key, stored or not; it
    shows that no item is encoded twice. A killed run loses at most ``shard_items`` items, or the work of
    ``flush_seconds``, and the batches under way.
    """

    def __init__(self, root: Path | str | None = None, *, shard_items: int = 1024, flush_seconds: float = 20.0) -> None:
        self.root = (Path(root) if root is not None else default_root()).absolute()
        self.shard_items, self.flush_seconds = shard_items, flush_seconds
        self.encoded: dict[str, Counter[str]] = {}
        self._twice: dict[tuple[str, str], None] = {}
        self._shelves: dict[str, Shelf] = {}
        self._unknown: set[str] = set()

    def shelf(self, key: str, parts: Mapping[str, Any] | None = None) -> Shelf:
        """The features stored under ``key``; ``parts`` are written beside them for people to read."""
        if key not in self._shelves:
            self._shelves[key] = Shelf(self, key, dict(parts or {}))
        return self._shelves[key]

    def count(self, key: str, items: NDArray[np.uint8]) -> None:
        """Count ``items`` ``[n, 32]`` as encoded under ``key``."""
        counts, names = self.encoded.setdefault(key, Counter()), [bytes(item).hex() for item in items]
        counts.update(names)
        self._twice |= {(key, name): None for name in names if counts[name] > 1}

    def warn_unknown_weights(self, name: str, architecture: str) -> None:
        """Warn, once for each architecture, that features of a model without known weights are not stored."""
        if architecture not in self._unknown:
            self._unknown.add(architecture)
            warnings.warn(
                f"the weights of {name} cannot be identified, so its features are not stored and are encoded anew "
                "each time; give its entry a digest to store them",
                StoreWarning,
                3,
            )

    def encoded_twice(self) -> list[tuple[str, str]]:
        """(key, item) pairs that this process encoded more than once; empty unless features were lost or had no key."""
        return list(self._twice)

    # scores

    def _score_path(self, key: str) -> Path:
        return self.root / "scores" / key[:2] / f"{key}{SUFFIX}"

    def save_scores(self, key: str, scores: Scores) -> None:
        """Store a cell's scores; raises StoreError when the disk is full, TypeError when provenance is not JSON."""
        from safetensors.numpy import save

        record = {
            "metric": scores.metric,
            "examples": scores.examples,
            "chance": float(scores.chance),
            "pool": scores.pool,
            "grouped_by": scores.grouped_by,
            "provenance": scores.provenance,
        }
        text = json.dumps(record, sort_keys=True, default=_plain)
        arrays: dict[str, NDArray[Any]] = {"outcomes": np.ascontiguousarray(scores.outcomes, np.float32)}
        for name, kind in _SCORE_PARTS.items():
            if (part := getattr(scores, name)) is not None:
                arrays[name] = np.ascontiguousarray(part, kind)
        metadata = {"record": text, "sha256": _score_digest(key, text, arrays)}
        self.write(self._score_path(key), save(arrays, metadata=metadata), f"scores {key[:12]}")

    def load_scores(self, key: str) -> Scores | None:
        """The scores stored under ``key``, or None. A damaged record is named in a StoreWarning and removed."""
        path = self._score_path(key)
        if not path.exists():
            return None
        try:
            return _read_scores(path, key)
        except FileNotFoundError:
            return None
        except (DamagedFile, BadScores) as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            warnings.warn(f"stored scores {path} are damaged: {error}; they are measured again", StoreWarning, 2)
            return None

    # writing

    def write(self, path: Path, data: bytes, what: str, *, durable: bool = False) -> None:
        """Write ``data`` atomically; an OSError becomes a StoreError: it says what, where, how much, and what to do."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data, durable=durable)
        except OSError as error:
            raise self.refusal(error, f"{what} ({len(data):,} bytes)") from error

    def refusal(self, error: OSError, what: str) -> StoreError:
        reason = os.strerror(error.errno) if error.errno else str(error)
        free = ""
        if error.errno == errno.ENOSPC:
            with contextlib.suppress(OSError):
                free = f", {shutil.disk_usage(self.root).free:,} bytes are free"
        if error.errno in _FULL:
            out = "free some space, or name a store on another disk"
        else:
            out = "make it writable, or name another store"
        return StoreError(
            f"the store at {self.root} cannot take {what}: {reason}{free}; what was finished before stays. "
            f"To go on, {out} (--mmbench-store DIR or MMBENCH_STORE=DIR)"
        )


class Shelf:
    """The features of one key: find rows by the digest of their item, read them, append new ones."""

    def __init__(self, store: Store, key: str, parts: dict[str, Any]) -> None:
        self.store, self.key, self.parts = store, key, parts
        self.folder = store.root / "features" / key[:2] / key
        self.shards: list[Shard] = []
        self.damaged: dict[Path, str] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._sorted = np.empty(0, f"S{DIGEST_BYTES}")
        self._order = np.empty(0, np.int64)

    def refresh(self) -> None:
        """Read the list of shards again, and verify those that this process has not seen."""
        present = self._scan()
        if present == self._seen and not self.damaged:
            return
        trusted, now = self._trusted(), time.time()
        known = {shard.path.name: shard for shard in self.shards}
        self.damaged, shards, fresh = {}, [], False
        for name, stamp in present.items():
            path = self.folder / name
            if self._seen.get(name) == stamp and name in known:
                shards.append(known[name])
                continue
            try:
                size, modified, when = trusted.get(name, (0, 0, 0))
                if (size, modified) != stamp or not 0 <= now - when < _TRUST_SECONDS:
                    verify(path)
                    trusted[name], fresh = (*stamp, int(now)), True
                shards.append(open_shard(path))
            except FileNotFoundError:  # another run has just removed it
                continue
            except (DamagedFile, OSError) as error:
                self.damaged[path] = str(error)
        self._seen = {name: present[name] for name in (shard.path.name for shard in shards)}
        self.shards = shards
        self._index()
        if fresh:
            self._remember(trusted)

    def lookup(self, items: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Row numbers int64 ``[n]`` of ``items`` uint8 ``[n, 32]``; -1 where there is none."""
        wanted = _as_strings(items)
        if not len(self._sorted):
            return np.full(len(wanted), -1, np.int64)
        at = np.searchsorted(self._sorted, wanted)
        at[at == len(self._sorted)] = 0
        return np.where(self._sorted[at] == wanted, self._order[at], -1)

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features float32 ``[n, d]`` of the row numbers that lookup gave."""
        out = np.empty((len(rows), self.shards[0].width), np.float32)
        for shard, where, within in self._by_shard(rows):
            out[where] = shard.rows()[within]
        return out

    def cost(self, rows: NDArray[np.int64]) -> float:
        """Seconds that it took to encode these rows, in whichever run that was."""
        return sum(shard.seconds * len(np.unique(within)) / len(shard) for shard, _, within in self._by_shard(rows))

    @contextlib.contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Hold the key's lock, after waiting for a run that has it; damaged and unfinished files are removed first."""
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "lock", thread_local=False)
            try:
                lock.acquire(timeout=_SAY_AFTER_SECONDS)
            except Timeout:
                logger.warning("another run is encoding %s; waiting for it (%s)", what, lock.lock_file)
                lock.acquire(poll_interval=0.2)
        except OSError as error:
            raise self.store.refusal(error, f"features of {what}") from error
        except NotImplementedError as error:
            raise StoreError(
                f"the store at {self.store.root} lies on a file system without file locks, so two runs could spoil "
                f"each other's features of {what}; name a store on a local disk (--mmbench-store DIR)"
            ) from error
        try:
            for leftover in self.folder.glob(f"{TEMPORARY}*"):  # only the run that holds the lock writes here
                leftover.unlink(missing_ok=True)
            self.refresh()
            self._clear_damaged(what)
            yield
        finally:
            lock.release()

    def append(self, items: NDArray[np.uint8], rows: NDArray[np.float32], seconds: float, what: str) -> None:
        """Store ``rows`` ``[n, d]`` of ``items`` ``[n, 32]`` as one shard; call it inside ``writing``."""
        if self.shards and self.shards[0].width != rows.shape[1]:
            raise StoreError(
                f"{what} gave {rows.shape[1]} columns but {self.folder} holds {self.shards[0].width}; "
                "two models have the same identity; give them different layers or architectures"
            )
        described = self.folder / "key.json"
        if self.parts and not described.exists():
            text = json.dumps(self.parts, indent=1, sort_keys=True)
            self.store.write(described, text.encode(), f"the key of {what}")
        write_shard(
            self.folder,
            items,
            rows,
            seconds,
            lambda path, data: self.store.write(path, data, f"{len(rows):,} features of {what}", durable=True),
        )
        self.refresh()

    # internal

    def _scan(self) -> dict[str, tuple[int, int]]:
        present = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and not entry.name.startswith(TEMPORARY):
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat()
                        present[entry.name] = (status.st_size, status.st_mtime_ns)
        return dict(sorted(present.items()))

    def _index(self) -> None:
        strings = [_as_strings(shard.items) for shard in self.shards]
        together = np.concatenate(strings) if strings else np.empty(0, f"S{DIGEST_BYTES}")
        self._order = np.argsort(together, kind="stable")
        self._sorted = together[self._order]

    def _by_shard(self, rows: NDArray[np.int64]) -> Iterator[tuple[Shard, NDArray[np.bool_], NDArray[np.int64]]]:
        ends = np.cumsum([len(shard) for shard in self.shards])
        owner = np.searchsorted(ends, rows, side="right")
        for number in np.unique(owner):
            shard, where = self.shards[number], owner == number
            yield shard, where, rows[where] - (ends[number] - len(shard))

    def _clear_damaged(self, what: str) -> None:
        for path, reason in list(self.damaged.items()):
            path.unlink(missing_ok=True)
            del self.damaged[path]
            warnings.warn(
                f"stored features of {what} in {path} are damaged: {reason}; they are encoded again", StoreWarning, 4
            )

    def _trusted(self) -> dict[str, tuple[int, int, int]]:
        try:
            read = json.loads((self.folder / "verified.json").read_bytes())
            return {str(name): (int(a), int(b), int(c)) for name, (a, b, c) in read.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # without it, every shard is verified again

    def _remember(self, trusted: Mapping[str, tuple[int, int, int]]) -> None:
        kept = {name: trusted[name] for name in self._seen if name in trusted}
        with contextlib.suppress(OSError):  # a store that cannot be written can still be read
            write_atomic(self.folder / "verified.json", json.dumps(kept).encode())


def _as_strings(items: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Digests ``[n, 32]`` as fixed-width strings, which numpy can sort and compare."""
    return np.ascontiguousarray(items).view(f"S{DIGEST_BYTES}").reshape(-1)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"provenance holds {value!r} of type {type(value).__name__}, which JSON does not have")


# Arrays of a score besides its outcomes, which not all scores have, and their types.
_SCORE_PARTS = {"classes": np.int64, "groups": np.int64, "halves": np.float32}


def _score_digest(key: str, record: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    hasher = hashlib.sha256(f"{key}\0{record}\0".encode())
    for name in sorted(arrays):
        hasher.update(f"{name} {arrays[name].shape}\0".encode())
        hasher.update(arrays[name].tobytes())
    return hasher.hexdigest()


def _read_scores(path: Path, key: str) -> Scores:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            outcomes, text = arrays["outcomes"], metadata["record"]
            if metadata["sha256"] != _score_digest(key, text, arrays):
                raise DamagedFile("its checksum is not the recorded one")
            record = json.loads(text)
    except (SafetensorError, KeyError, ValueError, UnicodeDecodeError) as error:
        raise DamagedFile(str(error)) from error
    parts: dict[str, Any] = {name: arrays.get(name) for name in _SCORE_PARTS}
    made = (record["metric"], record["examples"], record["chance"], record["provenance"])
    return Scores(outcomes, *made, pool=record["pool"], grouped_by=record["grouped_by"], **parts)
