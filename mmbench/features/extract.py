"""Encode a split once: reuse what the store has, encode what it lacks, account for every item."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, BadItem, BadSpec
from mmbench.features import prepared_images as recent
from mmbench.features.encode import check_finite, check_ready, forward_all, place, prepared
from mmbench.features.keys import feature_key, feature_parts
from mmbench.features.shards import DIGEST_BYTES
from mmbench.features.store import Shelf, Store, StoreWarning
from mmbench.models.entry import Encoder, Identity, Modality

_said: set[str] = set()


@dataclass(frozen=True)
class Left:
    """An item without features: its row in the split, its id and the reason."""

    row: int
    id: str
    reason: str


@dataclass(frozen=True)
class Census:
    """Every item of a split: ``items`` = ``encoded`` + failed + excluded.

    ``failed`` is what stopped a run (policy ``stop``), ``excluded`` what could not be read and was left out (policy
    ``exclude``). ``fresh`` counts items that this call put through the encoder; equal items count once.
    """

    items: int
    encoded: int
    fresh: int
    failed: tuple[Left, ...] = ()
    excluded: tuple[Left, ...] = ()


class UnreadableItem(BadItem):
    """The item that stopped an extraction, with the census at that moment."""

    def __init__(self, message: str, census: Census) -> None:
        super().__init__(message)
        self.census = census


@dataclass(frozen=True)
class Features:
    """``array`` float32 ``[n, dim]``: a row for each of ``rows`` int64 ``[n]``, the split's rows that have features.

    ``seconds`` is what this call spent on encoding, decoding included (0 when all was stored); ``recorded_seconds``
    what the same rows cost when they were encoded, by whichever run. ``key`` is None when nothing could be stored.
    """

    array: NDArray[np.float32]
    rows: NDArray[np.int64]
    census: Census
    seconds: float
    recorded_seconds: float
    key: str | None


def item_digests(split: Split, modality: Modality) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Digests uint8 ``[n, 32]`` of a split's items, and the reason for each that has none.

    An image source may have ``digests()``, which returns all hex digests at once; else ``digest(i)`` is asked for each.
    """
    bad: dict[int, str] = {}
    if modality == "text":
        if split.texts is None:
            raise BadSpec("this split has no texts, so a text encoder has nothing to encode; bind an image encoder")
        found = [split.text_digest(row) for row in range(len(split))]
    else:
        if split.images is None:
            raise BadSpec("this split has no images, so an image encoder has nothing to encode; bind a text encoder")
        found = _image_digests(split, bad)
    try:
        flat = np.frombuffer(bytes.fromhex("".join(found)), np.uint8)
        return flat.reshape(len(split), DIGEST_BYTES), bad
    except ValueError as error:
        raise BadDataset(f"an item's digest is not a hex SHA-256 of {2 * DIGEST_BYTES} characters: {error}") from error


def _image_digests(split: Split, bad: dict[int, str]) -> list[str]:
    images: Any = split.images
    if hasattr(images, "digests"):
        with contextlib.suppress(BadItem, OSError):  # asked one by one below, to learn which item it is
            return list(images.digests())
    found = []
    for row in range(len(split)):
        try:
            found.append(images.digest(row))
        except (BadItem, OSError) as error:
            bad[row] = str(error)
            found.append("0" * 2 * DIGEST_BYTES)
    return found


class _Memory:
    """A shelf for features that have no key: the same calls, nothing on disk."""

    def __init__(self) -> None:
        self._row: dict[bytes, int] = {}
        self._rows: list[NDArray[np.float32]] = []
        self._seconds = 0.0

    def refresh(self) -> None:
        pass

    @contextlib.contextmanager
    def writing(self, what: str) -> Iterator[None]:
        yield

    def lookup(self, items: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.array([self._row.get(bytes(item), -1) for item in items], np.int64)

    def append(self, items: NDArray[np.uint8], rows: NDArray[np.float32], seconds: float, what: str) -> None:
        for item, row in zip(items, rows, strict=True):
            self._row[bytes(item)] = len(self._rows)
            self._rows.append(row)
        self._seconds += seconds

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.stack([self._rows[row] for row in rows])

    def cost(self, rows: NDArray[np.int64]) -> float:
        return self._seconds


@dataclass
class _Job:
    """One call of extract: what is encoded, how, and what became of it."""

    name: str
    split: Split
    items: NDArray[np.uint8]
    shelf: Shelf | _Memory
    store: Store
    count_as: str
    batch_size: int
    device: str
    precision: str
    workers: int
    on_bad: str
    bad: dict[int, str]
    fresh: int = 0
    seconds: float = 0.0

    def census(self) -> Census:
        left = tuple(Left(row, self.split.ids[row], reason) for row, reason in sorted(self.bad.items()))
        stopped = self.on_bad == "stop"
        return Census(
            items=len(self.split),
            encoded=len(self.split) - len(left),
            fresh=self.fresh,
            failed=left if stopped else (),
            excluded=() if stopped else left,
        )

    def stop(self, row: int) -> NoReturn:
        census = self.census()
        message = (
            f"{self.name} cannot encode item {self.split.ids[row]!r} (row {row} of {len(self.split)}): "
            f"{self.bad[row]}; {self.fresh} items encoded before it stay in the store. Repair or remove the file, "
            "or leave such items out with on_bad='exclude'"
        )
        raise UnreadableItem(message, census)

    def missing(self) -> NDArray[np.int64]:
        """Rows without features, readable so far, each distinct item once, in the order of the split."""
        absent = np.flatnonzero(self.shelf.lookup(self.items) < 0)
        absent = absent[~np.isin(absent, list(self.bad))]
        strings = np.ascontiguousarray(self.items[absent]).view(f"S{DIGEST_BYTES}").reshape(-1)
        _, first = np.unique(strings, return_index=True)
        return absent[np.sort(first)]

    def encode(self, encoder: Encoder, missing: NDArray[np.int64], advance: Callable[[int], None]) -> None:
        """Encode ``missing`` in batches cut on a grid of places: a resumed run has the same batches."""
        place(encoder, self.device)
        places = self.places(encoder.modality)
        missing = missing[np.argsort(places[missing])]
        known = encoder.prepare and recent.kept(self.split.images, encoder.prepare)
        source = prepared(encoder, self.split, missing.tolist(), self.workers, known)
        pending = _Pending(self)
        kept: deque[list[int]] = deque()  # rows of the batches that are under way
        cells = np.split(missing, np.flatnonzero(np.diff(places[missing] // self.batch_size)) + 1)

        def batches() -> Iterator[list[Any]]:
            for cell in cells:
                found = dict(zip(cell.tolist(), source, strict=False))
                bad = {row: str(item) for row, item in found.items() if isinstance(item, BadItem)}
                self.bad |= bad
                if bad and self.on_bad == "stop":
                    return
                if len(bad) < len(found):
                    kept.append([row for row in found if row not in bad])
                    yield [item for row, item in found.items() if row not in bad]
                advance(len(cell))

        try:
            with contextlib.closing(forward_all(encoder, batches(), self.device, self.precision, self.name)) as encoded:
                for values in encoded:
                    rows = kept.popleft()
                    check_finite(values, [self.split.ids[row] for row in rows], self.name)
                    self.fresh += len(rows)
                    self.store.count(self.count_as, self.items[rows])
                    pending.add(rows, values)
            if self.bad and self.on_bad == "stop":
                self.stop(min(self.bad))
        except BaseException:
            source.close()  # type: ignore[attr-defined]
            pending.rescue()
            raise
        pending.flush()

    def places(self, modality: Modality) -> NDArray[np.int64]:
        """Where each row of the split stands in the order of encoding: its row; texts by length, to pad little."""
        if modality == "image":
            return np.arange(len(self.split))
        assert self.split.texts is not None
        places = np.empty(len(self.split), np.int64)
        places[np.argsort([len(text) for text in self.split.texts], kind="stable")] = np.arange(len(places))
        return places


class _Pending:
    """Rows that are encoded but not yet stored; whole batches only."""

    def __init__(self, job: _Job) -> None:
        self.job = job
        self.kept: list[int] = []
        self.values: list[NDArray[np.float32]] = []
        self.since = time.perf_counter()

    def add(self, kept: list[int], values: NDArray[np.float32]) -> None:
        self.kept += kept
        self.values.append(values)
        store = self.job.store
        if len(self.kept) >= store.shard_items or time.perf_counter() - self.since >= store.flush_seconds:
            self.flush()

    def flush(self) -> None:
        kept, values, job = self.kept, self.values, self.job
        self.kept, self.values = [], []
        seconds = time.perf_counter() - self.since
        if kept:
            job.seconds += seconds
            job.shelf.append(job.items[kept], np.concatenate(values), seconds, job.name)
        self.since = time.perf_counter()

    def rescue(self) -> None:
        """Store what is finished before an error travels on; a second error must not hide the first."""
        with contextlib.suppress(Exception):
            self.flush()


def extract(
    encoder: Encoder | Callable[[], Encoder],
    identity: Identity,
    split: Split,
    store: Store,
    *,
    modality: Modality = "image",
    name: str | None = None,
    batch_size: int = 64,
    device: str = "cpu",
    precision: str = "float32",
    workers: int = 0,
    on_bad: Literal["stop", "exclude"] = "stop",
    progress: bool = True,
) -> Features:
    """Features of every item of ``split``; each (model, item) is encoded once, whatever split it stands in.

    ``encoder`` may be a function that loads it: it is called only when something must be encoded, so that a warm run
    imports no torch. ``workers`` are decoding threads. An item that cannot be read stops the run and is named (what was
    encoded before stays stored), or is left out and listed in the census (``on_bad="exclude"``). When the identity's
    weights are unknown nothing is stored, and a StoreWarning says so once.

    Raises UnreadableItem (a BadItem), BadFeatures on NaN or a wrong width, BadDataset when no item can be read,
    BadSpec on a modality that split or encoder do not have, StoreError when the disk refuses.
    """
    if batch_size < 1 or on_bad not in ("stop", "exclude"):
        raise BadSpec(f"batch_size must be at least 1 and on_bad stop or exclude, got {batch_size} and {on_bad!r}")
    if not len(split):
        raise BadDataset("the split has no items, so there is nothing to encode")
    name = name or identity.architecture
    key = feature_key(identity, modality, device=device, precision=precision)
    items, bad = item_digests(split, modality)
    shelf: Shelf | _Memory
    if key is None:
        _say_uncached(name, identity)
        shelf = _Memory()
    else:
        shelf = store.shelf(key, feature_parts(identity, modality, device=device, precision=precision))
    job = _Job(
        name, split, items, shelf, store, key or f"uncached {name}", batch_size, device, precision, workers, on_bad, bad
    )
    if bad and on_bad == "stop":
        job.stop(min(bad))
    shelf.refresh()
    if len(job.missing()) or getattr(shelf, "damaged", None):
        with shelf.writing(name):
            missing = job.missing()  # another run may have encoded them while this one waited
            if len(missing):
                with _progress(f"{name}: {len(missing):,} of {len(split):,} items", len(missing), progress) as advance:
                    job.encode(_load(encoder, modality, name), missing, advance)
    kept = np.setdiff1d(np.arange(len(split)), list(bad))
    if not len(kept):
        raise BadDataset(f"none of the {len(split)} items can be read; the first: {bad[min(bad)]}")
    rows = shelf.lookup(items[kept])
    return Features(shelf.gather(rows), kept, job.census(), job.seconds, shelf.cost(rows), key)


def _load(encoder: Encoder | Callable[[], Encoder], modality: Modality, name: str) -> Encoder:
    loaded = encoder if isinstance(encoder, Encoder) else encoder()
    if loaded.modality != modality:
        raise BadSpec(f"{name} encodes {loaded.modality}s but {modality} features were asked of it")
    check_ready(loaded, name)
    return loaded


def _say_uncached(name: str, identity: Identity) -> None:
    if identity.architecture not in _said:
        _said.add(identity.architecture)
        warnings.warn(
            f"the weights of {name} cannot be identified, so its features are not stored and are encoded anew each "
            "time; give its entry a digest to store them",
            StoreWarning,
            3,
        )


@contextlib.contextmanager
def _progress(what: str, total: int, wanted: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error when that is a terminal, else nothing."""
    import sys

    if not wanted or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
