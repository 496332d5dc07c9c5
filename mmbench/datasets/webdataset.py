"""``webdataset:DIR``: images in tar shards, as WebDataset has them: KEY.jpg beside KEY.cls, KEY.txt or KEY.json.

    DIR/train/*.tar, DIR/test/*.tar     or DIR/train-000.tar, DIR/test-000.tar; valid (val, validation, dev) likewise
    DIR/classnames.txt                  optional: a class name a line; the line's number, from 0, is the label
    DIR/zeroshot_classification_templates.txt    optional: prompt templates, one a line, with {c} for the class name

With classnames.txt, labels that are all numbers stay what they are, and two classes may have one name. A .tar that
belongs to no split, and a split with fewer shards than its nshards.txt says, are refused. Members whose names begin
with a dot, or lie in __MACOSX, are no part of a shard. ``alpha=drop`` drops transparency (``mmbench.datasets.images``).

``?label=`` and ``?text=`` name the files that hold label and text, ``?group=`` the one that says what an item was made
from (a person, a film): a suffix, or ``json.KEY`` for a field of the JSON file.

Shards are read in place with tarfile: members are found once by their headers, and their bytes are read when an
item is used. Nothing is unpacked to disk and nothing unpickled; links, devices, sparse members and paths outside
the shard are refused.
"""

from __future__ import annotations

import functools
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.assets import check_member
from mmbench.datasets import columns
from mmbench.datasets.declared import SPLITS, Declared, files_identity, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import grouped
from mmbench.datasets.images import ALPHA, DROPPED, LARGEST, WHITE, EncodedImages, Rule
from mmbench.datasets.source import SOURCES, DatasetSource, Spec
from mmbench.datasets.text_files import (
    TEMPLATES,
    parse_json,
    read_class_names,
    read_entries,
    read_text,
    readable,
    require_plain,
    require_text,
)
from mmbench.errors import BadDataset, BadItem, BadSpec
from mmbench.files import Stamp, settled, stamp

LAYOUT = "WebDataset's layout: DIR/train/*.tar and DIR/test/*.tar, or DIR/train-000.tar and DIR/test-000.tar"
PICKLED = frozenset({"npy", "npz", "pickle", "pkl", "pt", "pth", "pyd", "ten", "tb"})  # could run code, or are arrays
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
MOST_BYTES = 1 << 28  # of one member
_BLOCK = 512


@dataclass(frozen=True)
class Fields:
    """Where an item's parts are: suffixes of the image (the first that is there), of label and text; ``json.KEY`` for
    a field of the JSON beside it. ``text`` empty: no text; ``group`` empty: every item by itself."""

    image: tuple[str, ...] = ("jpg", "jpeg", "png", "webp")
    label: str = "cls"
    text: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        for suffix in (*self.image, self.label, self.text, self.group):
            if suffix.rpartition(".")[2] in PICKLED and not suffix.startswith("json."):
                raise BadSpec(
                    f"webdataset: .{suffix} is read by unpickling, which could run code; use .cls, .txt or .json"
                )


@dataclass(frozen=True)
class Member:
    """Bytes of one file inside a shard."""

    shard: Path
    name: str
    start: int
    size: int

    def read(self) -> bytes:
        try:
            with self.shard.open("rb") as stream:
                stream.seek(self.start)
                found = stream.read(self.size)
        except OSError as error:
            raise BadItem(f"{self.shard} cannot be read ({error.strerror})") from error
        if len(found) != self.size:
            raise BadItem(
                f"{self} is truncated: expected {self.size:,} bytes, found {len(found):,}; copy the shard again"
            )
        return found

    def stamp(self) -> Stamp:
        try:
            return stamp(self.shard)
        except OSError as error:
            raise BadItem(f"{self} cannot be read ({error.strerror})") from error

    def __str__(self) -> str:
        return readable(f"{self.shard}:{self.name}")


class MemberImages(EncodedImages):
    """Images inside shards, decoded one at a time."""

    def __init__(self, members: Sequence[Member], rule: Rule = WHITE) -> None:
        super().__init__(rule)
        self.members = tuple(members)
        self._read: dict[int, tuple[Stamp, str]] = {}

    def __len__(self) -> int:
        return len(self.members)

    def encoded(self, index: int) -> bytes:
        return self.members[index].read()

    def where(self, index: int) -> str:
        return str(self.members[index])

    def sha256(self, index: int) -> str:
        """Read once as long as the shard stays the same: every encoder asks."""
        seen = self.members[index].stamp()
        if index not in self._read or self._read[index][0] != seen or not settled(seen):
            self._read[index] = seen, super().sha256(index)
        return self._read[index][1]


def webdataset(
    root: Path, fields: Fields | None = None, declared: Declared | None = None, rule: Rule = WHITE
) -> DatasetEntry:
    """The shards under ``root`` as an entry; they are looked for when it is loaded."""
    fields = fields or Fields()
    own = _templates(root)
    return on_disk(
        f"webdataset:{root}",
        functools.partial(_load, root, fields, rule),
        functools.partial(_identity, root, fields, rule),
        declared or Declared(),
        root,
        modalities=("image", "text") if fields.text else ("image",),
        about=f"Images in the shards of {root}.",
        assets=(f"file:{root}",),
        **({"templates": own} if own else {}),
    )


def _templates(root: Path) -> tuple[str, ...]:
    try:
        return tuple(line.replace("{c}", "{}") for line in read_entries(root / TEMPLATES))
    except FileNotFoundError:
        return ()


def shards(root: Path) -> dict[str, list[Path]]:
    """The shards of each split, in order of their names.

    Raises MissingAsset, and BadDataset where there is no test, a shard belongs to no split, or one is lacking.
    """
    if not need(root, LAYOUT).is_dir():
        raise BadDataset(f"{readable(root)} is not a folder; expected {LAYOUT}")
    found: dict[str, list[Path]] = {split: [] for split in SPLITS}
    names: dict[str, str] = {}
    for part in sorted(root.iterdir(), key=lambda part: (not part.is_dir(), part.name)):
        inside = sorted(part.glob("*.tar")) if part.is_dir() else [part] if part.name.endswith(".tar") else []
        if part.name.startswith(".") or not inside:
            continue
        named = part.name if part.is_dir() else _SPLIT.match(part.name)
        name = named if isinstance(named, str) else named[1] if named else ""
        split = columns.OURS.get(name)
        if split is None:
            raise BadDataset(
                f"{readable(inside[0])} belongs to no split ({', '.join(columns.OURS)}) in {LAYOUT}; rename or move it"
            )
        if names.setdefault(split, name) != name:
            raise BadDataset(
                f"{readable(root)} has shards of {names[split]!r} and of {name!r}, which mean the same split"
            )
        found[split] += [_require_shard(path) for path in inside]
        if part.is_dir():
            _require_all(part, len(inside))
    if not found["test"]:
        packed = next(iter(sorted(root.rglob("*.tar.*"))), None)
        hint = f"; {readable(packed)} is compressed, and items can be found in plain .tar files only" if packed else ""
        raise BadDataset(f"{readable(root)} has no shards of 'test' in {LAYOUT}{hint}")
    return {split: paths for split, paths in found.items() if paths}


_SPLIT = re.compile(f"({'|'.join(columns.OURS)})(?![A-Za-z])")  # of a file's name: test-000.tar, and not testimony.tar


def _require_shard(path: Path) -> Path:
    try:
        return require_plain(path, LARGEST)
    except FileNotFoundError:
        raise BadDataset(f"{readable(path)} is a link to a file that does not exist; repair or remove it") from None


def _require_all(folder: Path, here: int) -> None:
    """Raise BadDataset for a compressed shard, and where CLIP_benchmark's ``nshards.txt`` promises another number."""
    if packed := sorted(path for path in folder.iterdir() if path.name.endswith(PACKED)):
        raise BadDataset(f"{readable(packed[0])} is compressed, and shards are read in place; unpack it to .tar")
    note = folder / "nshards.txt"
    promised = read_text(note).strip() if note.is_file() else ""
    if columns.is_label(promised) and int(promised) != here:
        raise BadDataset(f"{readable(note)} promises {promised} shards, and {here} are there; copy the others too")


def samples(shard: Path) -> Iterator[tuple[str, dict[str, Member]]]:
    """Key and members by suffix of each sample: neighbouring files with the same name up to the first dot.

    Raises BadDataset for a shard that is damaged or holds anything but plain files.
    """
    key, found = "", dict[str, Member]()
    for member in _members(shard):
        folder, slash, base = member.name.rpartition("/")
        stem, dot, suffix = base.partition(".")
        if not stem or not dot or _hidden(member.name):
            continue
        if (name := f"{folder}{slash}{stem}") != key:
            if found:
                yield key, found
            key, found = name, {}
        if suffix.lower() in found:
            raise BadDataset(f"{member} occurs twice")
        found[suffix.lower()] = member
    if found:
        yield key, found


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _members(shard: Path) -> Iterator[Member]:
    try:
        with tarfile.open(shard, "r:") as archive:
            for info in archive:
                if info.isdir():
                    continue
                where = f"{shard}:{info.name}"
                try:
                    check_member(info.name.removeprefix("./"))
                except BadSpec:
                    raise BadDataset(f"{where} is a path outside its shard; the shard was not read") from None
                if not info.isreg() or info.sparse is not None:
                    raise BadDataset(
                        f"{where} is a link, a device or a sparse file, expected a plain file; the shard was not read"
                    )
                if info.size > MOST_BYTES:
                    raise BadDataset(f"{where} has {info.size:,} bytes, more than the limit of {MOST_BYTES:,}")
                yield Member(shard, info.name.removeprefix("./"), info.offset_data, info.size)
            end = archive.offset
        _require_end(shard, end)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BadDataset(f"{shard} is damaged or not an uncompressed tar file ({error}); copy it again") from error


def _require_end(shard: Path, end: int) -> None:
    """Raise BadDataset unless the shard ends where its last member does, with a block of zeros as tar files do.

    tarfile stops without a word at a cut between members, at a damaged header, and at the end of the first of several
    archives in one file.
    """
    with shard.open("rb") as stream:
        stream.seek(end)
        rest = stream.read(_BLOCK)
        if len(rest) == _BLOCK and not any(rest):
            while rest and not any(rest):
                rest = stream.read(1 << 20)
            if not rest:
                return
            raise BadDataset(
                f"{readable(shard)} goes on behind its end: several archives in one file, of which the first alone "
                "would be read; pack them anew"
            )
    raise BadDataset(
        f"{readable(shard)} is cut or damaged at byte {end:,}: the block of zeros that ends a tar file is not there; "
        "copy it again"
    )


def _load(root: Path, fields: Fields, rule: Rule) -> Dataset:
    values: dict[str, list[str]] = {}
    parts: dict[str, tuple[list[str], list[Member], list[str], list[str | None]]] = {}
    for split, paths in shards(root).items():
        values[split], parts[split] = [], ([], [], [], [])
        for shard in paths:
            for key, members in samples(shard):
                sample = _Sample(readable(f"{shard}:{key}"), members)
                parts[split][0].append(readable(f"{shard.relative_to(root).with_suffix('').as_posix()}/{key}"))
                parts[split][1].append(sample.image(fields.image))
                parts[split][2].append(sample.value(fields.text) if fields.text else "")
                parts[split][3].append(sample.value(fields.group) if fields.group else None)
                values[split].append(sample.value(fields.label))
    classes, labels = _labels(values, root)
    splits = {
        split: Split(
            tuple(ids),
            labels[split],
            MemberImages(images, rule),
            tuple(texts) if fields.text else None,
            grouped(things, f"values of {fields.group!r}"),
        )
        for split, (ids, images, texts, things) in parts.items()
    }
    return Dataset(f"webdataset:{readable(root)}", classes, splits)


def _labels(values: dict[str, list[str]], root: Path) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """Classes and labels by split: numbers where ``classnames.txt`` gives each a name, else names."""
    file = root / "classnames.txt"
    names = read_class_names(file) if file.exists() else None
    if names is not None and all(columns.is_label(value) for column in values.values() for value in column):
        numbers = {split: [int(value) for value in column] for split, column in values.items()}
        return columns.numbered(numbers, f"{readable(root)}, by its classnames.txt,", names)
    return columns.single(values, readable(root), names)


@dataclass(frozen=True)
class _Sample:
    where: str
    members: dict[str, Member]

    def image(self, suffixes: Sequence[str]) -> Member:
        for suffix in suffixes:
            if suffix in self.members:
                return self.members[suffix]
        raise BadDataset(f"{self.where} has no image .{' or .'.join(suffixes)}; it has {self._has()}")

    def value(self, field: str) -> str:
        """A text file without the white space around it, or a field of the JSON file."""
        suffix, _, key = field.partition(".") if field.startswith("json.") else (field, "", "")
        if suffix not in self.members:
            raise BadDataset(f"{self.where} has no .{suffix}; it has {self._has()}")
        try:
            found: Any = self.members[suffix].read().decode()
        except ValueError as error:
            raise BadDataset(f"{self.members[suffix]} is not text ({error})") from error
        where = str(self.members[suffix])
        if key:
            record = parse_json(found, where)
            found = record.get(key) if isinstance(record, dict) else None
        if not isinstance(found, str | int) or not str(found).strip():
            raise BadDataset(f"{where} has no text or number" + (f" under {key!r}" if key else ""))
        return require_text(str(found).strip(), where)

    def _has(self) -> str:
        return ", ".join(f".{name}" + (" (a pickle, never read)" if name in PICKLED else "") for name in self.members)


def _identity(root: Path, fields: Fields, rule: Rule) -> str:
    names = [root / "classnames.txt"] if (root / "classnames.txt").exists() else []
    paths = [path for found in shards(root).values() for path in found]
    return files_identity(f"{fields!r} {rule}", [*names, *paths], root, LAYOUT)


def _from_spec(spec: Spec) -> DatasetEntry:
    usual, options = Fields(), spec.options
    image = tuple(options["image"].split(",")) if "image" in options else usual.image
    own = {name: options[name] for name in ("label", "text", "group") if name in options}
    fields = Fields(image, **own)
    return webdataset(spec.path, fields, spec.declared, DROPPED if options.get("alpha") == DROPPED else WHITE)


SOURCES.add(
    DatasetSource(
        "webdataset",
        "webdataset:DIR",
        _from_spec,
        options=("image", "label", "text", "group", "alpha"),
        values={"alpha": ALPHA},
    )
)
