"""A dataset without the items that cannot be decoded: counted and named, and another dataset to every key.

A run stops at such an item unless it is asked to leave them out (``--mmbench-skip-bad-items``). They are then left out
for every model, so that scores still pair by example.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmbench import files
from mmbench.assets import cache_dir
from mmbench.datasets.derived import SelectedImages
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import of_rows
from mmbench.datasets.notes import note
from mmbench.errors import BadDataset, BadItem
from mmbench.program import program_digest
from mmbench.progress import progress_bar

SCHEMA = 1
MOST_BYTES = 1 << 28  # of the note of a dataset's bad items
Bad = dict[str, dict[int, str]]  # why an item cannot be decoded, by split and row
_SAID: dict[str, str] = {}  # what was left out, by the identity of the dataset without it


def without_bad_items(entry: DatasetEntry) -> DatasetEntry:
    """``entry`` without the images that cannot be decoded; the same dataset where there are none.

    To know its identity, every image is decoded once, and what was found is noted in the cache for this content.
    Raises, when it is loaded, BadDataset for a split of which nothing is left, and what ``entry`` raises.
    """
    if "image" not in entry.modalities:
        return entry
    bad = functools.cache(functools.partial(_bad_of, entry))

    def identity() -> str:
        whole, found = entry.identity(), bad()
        if not any(found.values()):
            return whole
        rows = sorted((split, row) for split, reasons in found.items() for row in reasons)
        known = hashlib.sha256(json.dumps([whole, rows]).encode()).hexdigest()
        _SAID[known] = ", ".join(f"{len(reasons)} of {split}" for split, reasons in found.items() if reasons)
        return known

    return dataclasses.replace(entry, load=functools.partial(_load, entry, bad), identity=identity)


def left_out(identity: str | None) -> str:
    """What the dataset of this identity lacks, in words; empty where nothing was left out."""
    said = _SAID.get(identity or "")
    return f"items that cannot be decoded were left out: {said}" if said else ""


def _load(entry: DatasetEntry, bad: Callable[[], Bad]) -> Dataset:
    dataset, found = entry.load(), bad()
    splits = {}
    for name, split in dataset.splits.items():
        reasons = found.get(name, {})
        if reasons and max(reasons) >= len(split):
            raise BadDataset(f"{entry.name} changed while its images were looked through; start the run again")
        splits[name] = _without(split, reasons)
        if reasons:
            why = next(iter(reasons.values()))
            note(f"{entry.name}/{name}", "items left out, which cannot be decoded", _ids(split, reasons), why)
        if reasons and not len(splits[name]):
            raise BadDataset(f"none of the {len(split)} images of {entry.name}/{name} can be decoded; the first: {why}")
    return dataclasses.replace(dataset, splits=splits)


def _ids(split: Split, reasons: dict[int, str]) -> list[str]:
    return [split.ids[row] for row in reasons]


def _without(split: Split, reasons: dict[int, str]) -> Split:
    if not reasons or split.images is None:
        return split
    rows = [row for row in range(len(split)) if row not in reasons]
    return Split(
        tuple(split.ids[row] for row in rows),
        split.labels[np.array(rows, dtype=np.int64)],
        SelectedImages(split.images, rows),
        None if split.texts is None else tuple(split.texts[row] for row in rows),
        of_rows(split.groups, rows),
    )


def _bad_of(entry: DatasetEntry) -> Bad:
    """The items that cannot be decoded: as noted for this content, else found by decoding every image."""
    code, library = program_digest("mmbench.datasets.images", ()), importlib.metadata.version("pillow")
    how = [SCHEMA, entry.identity(), code, library]
    key = hashlib.sha256(json.dumps(how).encode()).hexdigest()
    path = cache_dir() / "bad_items" / f"{key}.json"
    if (known := _noted(path)) is not None:
        return known
    found: Bad = {}
    for name, split in entry.load().splits.items():
        found[name] = {}
        if split.images is None:
            continue
        with progress_bar(f"{entry.name}/{name}: decoding every image", len(split)) as bar:
            for row in range(len(split)):
                if why := _why_bad(split, row):
                    found[name][row] = why
                bar.advance(1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic(path, durable=False) as temporary:
            temporary.write_text(json.dumps(found))
    except OSError:
        pass  # a note only saves time
    return found


def _noted(path: Path) -> Bad | None:
    try:
        kept = files.parse_json(files.read_plain(path, MOST_BYTES))
        return {str(name): {int(row): str(why) for row, why in part.items()} for name, part in kept.items()}
    except (OSError, ValueError, AttributeError):
        return None


def _why_bad(split: Split, row: int) -> str:
    assert split.images is not None
    try:
        split.images.image(row)
    except MemoryError:
        raise
    except BadItem as error:
        return str(error)
    except Exception as error:  # decoders raise anything on a broken file
        return f"{type(error).__name__}: {error}"
    return ""
