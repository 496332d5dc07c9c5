"""The content-addressed store: features by (model, item) and scores by cell, on disk, shared by every run.

Layout under the root (``$MMBENCH_STORE``, else the user's cache folder)::

    features/<2>/<key>/key.json             the parts of the key, for readers
    features/<2>/<key>/<sha256>.safetensors a shard (mmbench.features.shards)
    features/<2>/<key>/<sha256>.damaged     a shard that was damaged: scores that were made from it are not used
    features/<2>/<key>/lock                 held by the run that encodes under this key
    scores/<2>/<key>.safetensors            outcomes with their provenance and a checksum

A shard is hashed once in each process that reads features, whatever its time says: a failing disk, or a copy, can
change bytes and leave time and size as they were. A run that finds all its scores stored reads no features.

Items are stored under the digest of their content, so an image that two datasets share is encoded once. Readers need
no lock, because a shard appears in its folder only when it is complete.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import files, locks, words
from mmbench.errors import StoreError
from mmbench.features import score_files
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

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DAMAGED = ".damaged"


class StoreWarning(UserWarning):
    """Something in the store was damaged and is computed again, or something cannot be stored."""

    def __str__(self) -> str:
        return words.printable(super().__str__())


def default_root() -> Path:
    """``$MMBENCH_STORE``, or ``mmbench/store`` in the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get("MMBENCH_STORE")
    return Path(named) if named else user_cache_path("mmbench") / "store"


def _root(named: Path | str) -> Path:
    """The absolute path of a store; raises StoreError where it names no place."""
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:
        raise StoreError(f"there is no store at {str(named)!r}: {error} Name a folder (--mmbench-store DIR)") from None


class Store:
    """The store at ``root``; no folder is made before something is written.

    ``encoded[key][item]`` counts how often this process encoded an item (hex digest) under a key, stored or not; it
    shows that no item is encoded twice. A killed run loses at most ``shard_items`` items, or the work of
    ``flush_seconds``, and the batches under way.
    """

    def __init__(self, root: Path | str | None = None, *, shard_items: int = 1024, flush_seconds: float = 20.0) -> None:
        self.root = _root(root if root is not None else default_root())
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
        self.write(self._score_path(key), score_files.packed(key, scores), f"scores {key[:12]}")

    def load_scores(self, key: str, fault: Callable[[Scores], str] = lambda scores: "") -> Scores | None:
        """The scores stored under ``key``, or None. Damaged ones are named in a StoreWarning and set aside.

        So are scores that were made from features which were found damaged later, and those of which ``fault`` says
        why they are not what is asked for.
        """
        path = self._score_path(key)
        try:
            found = score_files.read(path, key)
        except FileNotFoundError:
            return None
        except DamagedFile as error:
            why = f"are damaged: {error}"
        else:
            fallen = [name for name in _shards_of(found) if self.is_damaged(name)]
            why = f"were made from features that were found damaged since ({words.listed(fallen)})" if fallen else ""
            why = why or fault(found)
            if not why:
                return found
        with contextlib.suppress(OSError):
            files.set_aside(path)
        warnings.warn(f"stored scores {path} {why}; they are measured again", StoreWarning, 2)
        return None

    def is_damaged(self, shard: str) -> bool:
        """Whether a run found damage in the shard ``KEY/SHA256``; the mark of it stays when the shard is gone."""
        key, _, name = shard.partition("/")
        return os.path.lexists(self.root / "features" / key[:2] / key / f"{name}{DAMAGED}")

    # writing

    def write(self, path: Path, data: bytes, what: str, *, durable: bool = False) -> None:
        """Write ``data`` atomically; an OSError becomes a StoreError: it says what, where, how much, and what to do."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data, durable=durable)
        except OSError as error:
            raise self.refusal(error, f"{what} ({len(data):,} bytes)") from error

    def unreadable(self, error: OSError | ValueError) -> StoreError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return StoreError(
            f"the store at {self.root} cannot be read: {reason}; name a folder (--mmbench-store DIR or "
            "MMBENCH_STORE=DIR)"
        )

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
        self._seen: dict[str, files.Stamp] = {}
        self._sorted = np.empty(0, f"S{DIGEST_BYTES}")
        self._order = np.empty(0, np.int64)

    def refresh(self) -> None:
        """Read the list of shards again, and verify those that this process has not seen as they are now."""
        present = self._scan()
        if present == self._seen and not self.damaged:
            return
        known = {shard.path.name: shard for shard in self.shards}
        self.damaged, shards = {}, []
        for name, stamp in present.items():
            path = self.folder / name
            if self._seen.get(name) == stamp and name in known:
                shards.append(known[name])
                continue
            try:
                verify(path)
                shards.append(open_shard(path))
            except FileNotFoundError:  # another run has just removed it
                continue
            except (DamagedFile, OSError) as error:
                self.damaged[path] = str(error)
        self.shards = self._of_one_width(shards)
        self._seen = {name: present[name] for name in (shard.path.name for shard in self.shards)}
        self._index()

    def _of_one_width(self, shards: list[Shard]) -> list[Shard]:
        """The shards of the width that most rows have; one encoder has one width, so that others are damaged."""
        rows: Counter[int] = Counter()
        for shard in shards:
            rows[shard.width] += len(shard)
        if len(rows) < 2:
            return shards
        width = rows.most_common(1)[0][0]
        self.damaged |= {
            shard.path: f"it has {shard.width} columns and the others have {width}"
            for shard in shards
            if shard.width != width
        }
        return [shard for shard in shards if shard.width == width]

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

    def names(self, rows: NDArray[np.int64]) -> list[str]:
        """The shards that hold these rows, each ``KEY/SHA256``."""
        return [f"{self.key}/{shard.path.stem}" for shard, _, _ in self._by_shard(rows)]

    def cost(self, rows: NDArray[np.int64]) -> float:
        """Seconds that it took to encode these rows, in whichever run that was."""
        return sum(shard.seconds * len(np.unique(within)) / len(shard) for shard, _, within in self._by_shard(rows))

    @contextlib.contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Hold the key's lock, after waiting for a run that has it; damaged and unfinished files are removed first."""
        with self._locked(what):
            for leftover in self.folder.glob(f"{TEMPORARY}*"):  # only the run that holds the lock writes here
                leftover.unlink(missing_ok=True)
            self.refresh()
            self._clear_damaged(what)
            yield

    @contextlib.contextmanager
    def _locked(self, what: str) -> Iterator[None]:
        with contextlib.ExitStack() as until_the_end:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                until_the_end.enter_context(locks.held(self.folder / "lock", what))
            except locks.StillHeld as error:
                raise StoreError(f"features of {what} cannot be stored: {error}, and run again") from None
            except OSError as error:
                raise self.store.refusal(error, f"features of {what}") from error
            except NotImplementedError as error:
                raise StoreError(
                    f"the store at {self.store.root} lies on a file system without file locks, so two runs could spoil "
                    f"each other's features of {what}; name a store on a local disk (--mmbench-store DIR)"
                ) from error
            yield

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

    def _scan(self) -> dict[str, files.Stamp]:
        present = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX) and not entry.name.startswith(TEMPORARY):
                        with contextlib.suppress(FileNotFoundError):
                            present[entry.name] = files.stamp(Path(entry.path), follow=False)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:  # a zero byte is a ValueError
            raise self.store.unreadable(error) from error
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
            with contextlib.suppress(OSError):
                path.with_suffix(DAMAGED).touch()
            try:
                files.set_aside(path)
            except OSError as error:
                raise self.store.refusal(error, f"features of {what} in place of damaged ones") from error
            del self.damaged[path]
            warnings.warn(
                f"stored features of {what} in {path} are damaged: {reason}; they are encoded again", StoreWarning, 4
            )


def _shards_of(scores: Scores) -> list[str]:
    named = scores.provenance.get("shards", ())
    return [name for name in named if isinstance(name, str)] if isinstance(named, list | tuple) else []


def _as_strings(items: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Digests ``[n, 32]`` as fixed-width strings, which numpy can sort and compare."""
    return np.ascontiguousarray(items).view(f"S{DIGEST_BYTES}").reshape(-1)
