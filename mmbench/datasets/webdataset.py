"""``webdataset:DIR``: images in tar shards, as WebDataset has them: KEY.jpg beside KEY.cls, KEY.txt or KEY.json.

    DIR/train/*.tar, DIR/test/*.tar     or DIR/train-000.tar, DIR/test-000.tar; a split 'valid' likewise
    DIR/classnames.txt                  optional: a class name a line, for labels that are numbers

``?label=`` and ``?text=`` name the files that hold label and text, ``?group=`` the one that says what an item was made
from (a person, a film): a suffix, or ``json.KEY`` for a field of the JSON file.

Shards are read in place with tarfile: members are found once by their headers, and their bytes are read when an
item is used. Nothing is unpacked to disk and nothing unpickled; links, devices, sparse members and paths outside
the shard are refused.
"""

from __future__ import annotations

import functools
import hashlib
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.assets import check_member
from mmbench.datasets import columns
from mmbench.datasets.declared import SPLITS, Declared, files_identity, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import grouped
from mmbench.datasets.images import decode_image
from mmbench.datasets.source import SOURCES, DatasetSource, Spec
from mmbench.errors import BadDataset, BadItem, BadSpec

if TYPE_CHECKING:
    from PIL.Image import Image

LAYOUT = "WebDataset's layout: DIR/train/*.tar and DIR/test/*.tar, or DIR/train-000.tar and DIR/test-000.tar"
PICKLED = frozenset({"npy", "npz", "pickle", "pkl", "pt", "pth", "pyd", "ten", "tb"})  # could run code, or are arrays
MOST_BYTES = 1 << 28  # of one member


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

    def __str__(self) -> str:
        return f"{self.shard}:{self.name}"


class MemberImages:
    """Images inside shards, decoded one at a time."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)

    def __len__(self) -> int:
        return len(self.members)

    def image(self, index: int) -> Image:
        return decode_image(self.members[index].read(), str(self.members[index]))

    def digest(self, index: int) -> str:
        """Hex SHA-256 of the encoded image."""
        return hashlib.sha256(self.members[index].read()).hexdigest()


def webdataset(root: Path, fields: Fields | None = None, declared: Declared | None = None) -> DatasetEntry:
    """The shards under ``root`` as an entry; they are looked for when it is loaded."""
    fields = fields or Fields()
    return on_disk(
        f"webdataset:{root}",
        functools.partial(_load, root, fields),
        functools.partial(_identity, root, fields),
        declared or Declared(),
        root,
        modalities=("image", "text") if fields.text else ("image",),
        about=f"Images in the shards of {root}.",
        assets=(f"file:{root}",),
    )


def shards(root: Path) -> dict[str, list[Path]]:
    """The shards of each split, in order of their names. Raises MissingAsset, or BadDataset when there is no test."""
    need(root, LAYOUT)
    found = {split: sorted((root / split).glob("*.tar")) + sorted(root.glob(f"{split}*.tar")) for split in SPLITS}
    if not found["test"]:
        packed = next(iter(sorted(root.rglob("*.tar.*"))), None)
        hint = f"; {packed} is compressed, and items can be found in plain .tar files only" if packed else ""
        raise BadDataset(f"{root} has no shards of 'test' in {LAYOUT}{hint}")
    return {split: paths for split, paths in found.items() if paths}


def samples(shard: Path) -> Iterator[tuple[str, dict[str, Member]]]:
    """Key and members by suffix of each sample: neighbouring files with the same name up to the first dot.

    Raises BadDataset for a shard that is damaged or holds anything but plain files.
    """
    key, found = "", dict[str, Member]()
    for member in _members(shard):
        folder, slash, base = member.name.rpartition("/")
        stem, dot, suffix = base.partition(".")
        if not stem or not dot:
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
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BadDataset(f"{shard} is damaged or not an uncompressed tar file ({error}); copy it again") from error


def _load(root: Path, fields: Fields) -> Dataset:
    values: dict[str, list[str]] = {}
    parts: dict[str, tuple[list[str], list[Member], list[str], list[str | None]]] = {}
    for split, paths in shards(root).items():
        values[split], parts[split] = [], ([], [], [], [])
        for shard in paths:
            for key, members in samples(shard):
                sample = _Sample(f"{shard}:{key}", members)
                parts[split][0].append(f"{shard.relative_to(root).with_suffix('').as_posix()}/{key}")
                parts[split][1].append(sample.image(fields.image))
                parts[split][2].append(sample.value(fields.text) if fields.text else "")
                parts[split][3].append(sample.value(fields.group) if fields.group else None)
                values[split].append(sample.value(fields.label))
    names = _class_names(root)
    if names and all(value.isdigit() for column in values.values() for value in column):
        beyond = [value for column in values.values() for value in column if int(value) >= len(names)]
        if beyond:
            raise BadDataset(f"{root} has the label {beyond[0]}, and classnames.txt has {len(names)} names")
        values = {split: [names[int(value)] for value in column] for split, column in values.items()}
    classes, labels = columns.single(values, str(root), names or None)
    splits = {
        split: Split(
            tuple(ids),
            labels[split],
            MemberImages(images),
            tuple(texts) if fields.text else None,
            grouped(things, f"values of {fields.group!r}"),
        )
        for split, (ids, images, texts, things) in parts.items()
    }
    return Dataset(f"webdataset:{root}", classes, splits)


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
            if key:
                record = json.loads(found)
                found = record.get(key) if isinstance(record, dict) else None
        except ValueError as error:
            raise BadDataset(f"{self.members[suffix]} is not text ({error})") from error
        if not isinstance(found, str | int) or not str(found).strip():
            raise BadDataset(f"{self.members[suffix]} has no text or number" + (f" under {key!r}" if key else ""))
        return str(found).strip()

    def _has(self) -> str:
        return ", ".join(f".{name}" + (" (a pickle, never read)" if name in PICKLED else "") for name in self.members)


def _class_names(root: Path) -> list[str]:
    file = root / "classnames.txt"
    return (
        [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        if file.exists()
        else []
    )


def _identity(root: Path, fields: Fields) -> str:
    names = [root / "classnames.txt"] if (root / "classnames.txt").exists() else []
    paths = [path for found in shards(root).values() for path in found]
    return files_identity(repr(fields), [*names, *paths], root, LAYOUT)


def _from_spec(spec: Spec) -> DatasetEntry:
    usual, options = Fields(), spec.options
    image = tuple(options["image"].split(",")) if "image" in options else usual.image
    own = {name: options[name] for name in ("label", "text", "group") if name in options}
    fields = Fields(image, **own)
    return webdataset(spec.path, fields, spec.declared)


SOURCES.add(DatasetSource("webdataset", "webdataset:DIR", _from_spec, options=("image", "label", "text", "group")))
