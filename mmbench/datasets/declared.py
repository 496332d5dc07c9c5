"""Datasets on a user's disk, with declared sizes that are checked when they are loaded."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmbench.assets import cache_dir, check_member
from mmbench.datasets.entry import Dataset, DatasetEntry
from mmbench.datasets.images import file_digest
from mmbench.datasets.text_files import readable
from mmbench.errors import BadDataset, BadItem, BadSpec, MissingAsset
from mmbench.files import BIG, Stamp, atomic, counts, settled, stamp
from mmbench.progress import progress_bar

SPLITS = ("train", "valid", "test")
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Declared:
    """Sizes that a dataset must have: ``classes``, and items by split. What is None or absent is not checked."""

    classes: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def over(self, known: Declared) -> Declared:
        """These sizes where they are given, and the known ones elsewhere: a subset declares its own sizes."""
        classes = known.classes if self.classes is None else self.classes
        return Declared(classes, {**known.counts, **self.counts})

    def check(self, dataset: Dataset, where: str) -> Dataset:
        """``dataset``, or BadDataset with what was expected, what was found and where."""
        if self.classes is not None and len(dataset.classes) != self.classes:
            raise BadDataset(
                f"{where} has {len(dataset.classes):,} classes, expected {self.classes:,}; is it complete? For a "
                f"part of it, declare its size: ?classes={len(dataset.classes)}"
            )
        for split, count in self.counts.items():
            if split not in dataset.splits:
                raise BadDataset(f"{where} has no split {split!r}, expected {count:,} items in it")
            if (found := len(dataset.splits[split])) != count:
                raise BadDataset(
                    f"{where} has {found:,} items in {split!r}, expected {count:,}; is it complete? For a part of it, "
                    f"declare its size: ?{split}={found}"
                )
        return dataset


def on_disk(
    name: str,
    load: Callable[[], Dataset],
    identity: Callable[[], str],
    declared: Declared,
    where: Path | str,
    **facts: Any,
) -> DatasetEntry:
    """An entry whose ``load`` holds what it found against ``declared``; ``facts`` are further fields of the entry.

    ``classes`` of the entry is 0 where it is not known before the files are read.
    """
    return DatasetEntry(
        name=name,
        load=functools.partial(_load, load, declared, f"{name} in {where}"),
        identity=identity,
        classes=declared.classes or 0,
        counts=dict(declared.counts),
        **facts,
    )


def _load(load: Callable[[], Dataset], declared: Declared, where: str) -> Dataset:
    try:
        return declared.check(load(), where)
    except UnicodeDecodeError as error:
        raise BadDataset(f"{where} holds a file that is not UTF-8 text ({error}); convert it") from error


def text_of(file: Path) -> str:
    """The text of a file in UTF-8, with a mark of byte order or without. Raises BadDataset for another encoding."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDataset(f"{file} is not UTF-8 text ({error}); convert it") from error


def need(path: Path, layout: str) -> Path:
    """The path; raises MissingAsset, which names it and the layout that it belongs to."""
    if is_there(path):
        return path
    unset = str(path).startswith("$")  # os.path.expandvars leaves unset variables unchanged
    if unset:
        way_out = f"set {path.parts[0].strip('${}')} to the folder of your data, which must have {layout}"
    else:
        way_out = f"mmbench does not download this dataset; put it there in {layout}"
    raise MissingAsset(f"{readable(path)} does not exist; {way_out}")


def is_there(path: Path) -> bool:
    """Whether something lies there. Raises BadDataset where that cannot be found out: too long a name, no right."""
    try:
        return path.exists()
    except OSError as error:
        raise BadDataset(f"{readable(path)[:200]} cannot be looked for ({error.strerror})") from error


def inside(folder: Path, name: str, table: Path) -> Path:
    """The file that ``table`` calls ``name``, in ``folder``. Raises BadDataset for a path outside it."""
    try:
        return folder / check_member(name)
    except BadSpec:
        raise BadDataset(f"{table} names the file {name!r}, which is not a path inside {folder}") from None


def files_identity(what: str, paths: Iterable[Path], root: Path, layout: str) -> str:
    """Hex SHA-256 over ``what`` and every file's name below ``root`` and content, in the order given.

    Cached by all names and stamps (``mmbench.files``), so that thousands of images are not read in every run; files
    that changed this very moment are not, since they may change again under the same stamp. Inside ``hashed_afresh`` of
    ``mmbench.files`` every file is read. Raises MissingAsset for the first file that does not exist, and BadDataset for
    one that is replaced while it is read.
    """
    files = [need(path, layout) for path in paths]
    names = [os.path.relpath(path, root) for path in files]
    stamps = [_stamp(path) for path in files]
    seen = [(name, *each) for name, each in zip(names, stamps, strict=True)]
    key = hashlib.sha256(json.dumps([what, str(root.resolve()), seen]).encode()).hexdigest()
    note = cache_dir() / "datasets" / f"{key[:32]}.txt"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if counts(note.stat().st_mtime_ns) and _DIGEST.fullmatch(kept := note.read_text()):
            return kept
    hasher, total = hashlib.sha256(what.encode()), sum(each.size for each in stamps)
    reading = f"{readable(root)}: reading {len(files):,} files for their digest"
    with progress_bar(reading, total, wanted=total >= BIG > max(each.size for each in stamps), unit="bytes") as bar:
        for name, path, before in zip(names, files, stamps, strict=True):
            hasher.update(f"\0{name}\0{_digest(path)}".encode(errors="surrogateescape"))
            bar.advance(before.size)
    if changed := [path for path, before in zip(files, stamps, strict=True) if _stamp(path) != before]:
        raise BadDataset(f"{readable(changed[0])} was replaced while it was read; start the run again")
    if all(map(settled, stamps)):
        with contextlib.suppress(OSError):  # a note only saves time
            note.parent.mkdir(parents=True, exist_ok=True)
            with atomic(note, durable=False) as temporary:
                temporary.write_text(hasher.hexdigest())
    return hasher.hexdigest()


def _stamp(path: Path) -> Stamp:
    try:
        return stamp(path)
    except OSError as error:
        raise BadDataset(f"{readable(path)} cannot be read ({error.strerror})") from error


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except BadItem as error:
        raise BadDataset(str(error)) from error
