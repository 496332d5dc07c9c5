"""One run of an encoder over the items of a split whose features are missing, into the store."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.entry import Split
from mmbench.errors import BadItem
from mmbench.features.devices import warn_of_slow_precision
from mmbench.features.encode import check_finite, forward_all, named, place, prepared
from mmbench.features.prepared_images import PreparedImages
from mmbench.features.results import Census, Left, UnreadableItem
from mmbench.features.shards import DIGEST_BYTES
from mmbench.features.store import Shelf, Store
from mmbench.models.entry import Encoder, Modality


class Memory:
    """A shelf for features that have no key: the same methods, nothing on disk."""

    damaged = ()

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

    def names(self, rows: NDArray[np.int64]) -> list[str]:
        return []

    def cost(self, rows: NDArray[np.int64]) -> float:
        return self._seconds


@dataclass
class Target:
    """One layer of a job: where its features are stored, and bool ``[n]``, the rows of the split that it lacks."""

    layer: str
    key: str | None
    shelf: Shelf | Memory
    count_as: str
    lacking: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    seconds: float = 0.0


@dataclass
class Job:
    """One call of extract: what is encoded, how, and what became of each item."""

    name: str
    split: Split
    items: NDArray[np.uint8]
    targets: Sequence[Target]
    store: Store
    batch_size: int
    device: str
    precision: str
    workers: int
    on_bad: str
    bad: dict[int, str]
    prepared_images: PreparedImages | None = None
    fresh: int = 0

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
        """Raise UnreadableItem for the item at ``row``."""
        message = (
            f"{self.name} cannot encode item {self.split.ids[row]!r} (row {row} of {len(self.split)}): "
            f"{self.bad[row]}; {self.fresh} items encoded before it stay in the store. Repair or remove the file, "
            "or leave such items out with --mmbench-skip-bad-items (in Python: extract(..., on_bad='exclude'))"
        )
        raise UnreadableItem(message, self.census())

    def missing(self) -> NDArray[np.int64]:
        """Rows that some layer lacks, readable so far, each distinct item once, in the order of the split."""
        for target in self.targets:
            target.lacking = self._lacking(target)
        return np.flatnonzero(np.any([target.lacking for target in self.targets], axis=0))

    def _lacking(self, target: Target) -> NDArray[np.bool_]:
        absent = np.flatnonzero(target.shelf.lookup(self.items) < 0)
        absent = absent[~np.isin(absent, list(self.bad))]
        strings = np.ascontiguousarray(self.items[absent]).view(f"S{DIGEST_BYTES}").reshape(-1)
        _, first = np.unique(strings, return_index=True)
        lacking = np.zeros(len(self.split), bool)
        lacking[absent[first]] = True
        return lacking

    def encode(self, encoder: Encoder, missing: NDArray[np.int64], advance: Callable[[int], None]) -> None:
        """Encode ``missing`` in batches cut on a grid of places: a resumed run has the same batches."""
        place(encoder, self.device)
        warn_of_slow_precision(self.device, self.precision)
        places = self.places(encoder.modality)
        missing = missing[np.argsort(places[missing])]
        source = prepared(encoder, self.split, missing.tolist(), self.workers, self._kept(encoder))
        targets = [target for target in self.targets if target.lacking.any()]
        pending = _Pending(self, targets)
        under_way: deque[list[int]] = deque()  # rows of the batches that are being encoded
        cells = np.split(missing, np.flatnonzero(np.diff(places[missing] // self.batch_size)) + 1)

        def batches() -> Iterator[list[Any]]:
            for cell in cells:
                found = dict(zip(cell.tolist(), source, strict=False))
                bad = {row: str(item) for row, item in found.items() if isinstance(item, BadItem)}
                self._note_bad(bad)
                if bad and self.on_bad == "stop":
                    return
                if len(bad) < len(found):
                    under_way.append([row for row in found if row not in bad])
                    yield [item for row, item in found.items() if row not in bad]
                advance(len(cell))

        layers = [target.layer for target in targets]
        encoded = forward_all(encoder, batches(), self.device, self.precision, self.name, layers)
        try:
            with contextlib.closing(encoded):
                for values in encoded:
                    pending.add(np.array(under_way.popleft()), values)
            if self.bad and self.on_bad == "stop":
                self.stop(min(self.bad))
        except BaseException:
            source.close()  # type: ignore[attr-defined]
            pending.rescue()
            raise
        pending.flush()

    def _kept(self, encoder: Encoder) -> Any:
        if self.prepared_images is None or encoder.prepare is None:
            return None
        return self.prepared_images.of(self.split.images, encoder.prepare)

    def _note_bad(self, bad: dict[int, str]) -> None:
        """Note unreadable items, and every other row with the same content, which nothing would be encoded for."""
        for row, reason in bad.items():
            for same in np.flatnonzero((self.items == self.items[row]).all(axis=1)).tolist():
                self.bad[same] = reason if same == row else f"the same content as {self.split.ids[row]!r}: {reason}"

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

    def __init__(self, job: Job, targets: Sequence[Target]) -> None:
        self.job, self.targets = job, targets
        self.rows: list[NDArray[np.int64]] = []
        self.values: dict[str, list[NDArray[np.float32]]] = {target.layer: [] for target in targets}
        self.since = time.perf_counter()

    def add(self, rows: NDArray[np.int64], values: dict[str, NDArray[np.float32]]) -> None:
        """Take one batch: its rows of the split, and the features of each layer."""
        job, ids = self.job, [self.job.split.ids[row] for row in rows]
        for target in self.targets:
            check_finite(values[target.layer], ids, named(job.name, target.layer))
        for target in self.targets:
            job.store.count(target.count_as, job.items[rows[target.lacking[rows]]])
            self.values[target.layer].append(values[target.layer])
        job.fresh += len(rows)
        self.rows.append(rows)
        full = sum(map(len, self.rows)) >= job.store.shard_items
        if full or time.perf_counter() - self.since >= job.store.flush_seconds:
            self.flush()

    def flush(self) -> None:
        """Append one shard for each layer: only rows that the layer lacked, so that no item is stored twice."""
        if self.rows:
            rows = np.concatenate(self.rows)
            values = {layer: np.concatenate(found) for layer, found in self.values.items()}
            self.rows, self.values = [], {layer: [] for layer in self.values}
            new = {target.layer: target.lacking[rows] for target in self.targets}
            targets = [target for target in self.targets if new[target.layer].any()]
            share = (time.perf_counter() - self.since) / len(targets)
            for target in targets:
                kept = new[target.layer]
                target.seconds += share
                what = named(self.job.name, target.layer)
                target.shelf.append(self.job.items[rows[kept]], values[target.layer][kept], share, what)
        self.since = time.perf_counter()

    def rescue(self) -> None:
        """Store what is finished before an error is raised again; a second error must not hide the first."""
        with contextlib.suppress(Exception):
            self.flush()
