"""``hf_dataset:DIR`` and ``hf_dataset:ORG/NAME@COMMIT``: a Hugging Face dataset, from disk or the hub at one commit.

DIR is what ``save_to_disk`` wrote. From the hub only a full commit hash is taken: a branch may hold something else
tomorrow. Options name columns: ``image`` and ``label`` (by default those), ``text``, ``group`` (what an item was made
from); ``split=NAME`` takes that split alone, as test; ``config=NAME`` chooses one of several configurations;
``alpha=drop`` drops transparency (``mmbench.datasets.images``). No code of a dataset is ever run.

A ClassLabel names its own numbers, in each split by the split's own list; a class that only some splits list keeps its
name. Lists of 0 and 1, a place for each class, are refused, since they do not name the classes. Splits other than
train, validation and test are passed over and named in a warning.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbench.assets import cache_dir, is_offline
from mmbench.datasets import columns
from mmbench.datasets.declared import Declared, files_identity, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import Groups, grouped
from mmbench.datasets.images import ALPHA, WHITE, EncodedImages, Rule, read_file
from mmbench.datasets.notes import note
from mmbench.datasets.source import SOURCES, DatasetSource
from mmbench.datasets.text_files import readable
from mmbench.errors import BadDataset, BadItem, BadSpec, MissingAsset, MissingExtra, MMBenchError
from mmbench.spec import as_path

LAYOUT = "the form that save_to_disk of the datasets library writes"
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?(@(?P<revision>[^@]*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
OLDEST = 4  # older versions of the library can run a dataset's own loading script


@dataclass(frozen=True)
class Columns:
    """Which columns hold what; ``split`` alone is taken as test. Empty is none, or the usual."""

    image: str = "image"
    label: str = "label"
    text: str = ""
    split: str = ""
    config: str = ""
    group: str = ""
    alpha: Rule = WHITE


class RowImages(EncodedImages):
    """Images of a column, as encoded bytes; decoded one at a time by our own reader and its limits.

    ``home`` is the folder that a row may name an image file in; None where the identity knows of no such files.
    """

    def __init__(self, rows: Any, column: str, name: str, rule: Rule = WHITE, home: Path | None = None) -> None:
        super().__init__(rule)
        self.rows, self.column, self.name, self.home = rows, column, name, home

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, index: int) -> str:
        return f"{self.name}, row {index}"

    def encoded(self, index: int) -> bytes:
        cell = self.rows[index][self.column] or {}
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"])
        if not cell.get("path"):
            raise BadItem(f"{self.where(index)} has no image under {self.column!r}")
        path = Path(cell["path"])
        if self.home is None or not path.is_relative_to(self.home):
            raise BadItem(
                f"{self.where(index)} names the file {readable(path)!r} and does not hold its bytes, so the dataset "
                "could change unseen; embed the images (save_to_disk of the datasets library does)"
            )
        return read_file(path)


def hf_dataset(where: str, wanted: Columns | None = None, declared: Declared | None = None) -> DatasetEntry:
    """The dataset as an entry; it is read when it is loaded. Raises BadSpec for a hub name without a commit."""
    wanted = wanted or Columns()
    folder = _folder(where)
    if folder is None:
        _check_pinned(where)
    else:
        where = str(folder)
    return on_disk(
        f"hf_dataset:{where}",
        functools.partial(_load, where, wanted),
        functools.partial(_identity, where, wanted),
        declared or Declared(),
        folder or "the hub",
        modalities=tuple(kind for kind, column in (("image", wanted.image), ("text", wanted.text)) if column),
        credit="" if folder else f"https://huggingface.co/datasets/{where.partition('@')[0]}",
        about=f"The rows of {where}.",
        assets=(f"file:{folder}",) if folder else (),
    )


def _folder(where: str) -> Path | None:
    """The folder that ``where`` names, or None for a name on the hub."""
    path = as_path(where)
    return path if where.startswith((".", "/", "~", "$")) or path.is_dir() else None


def _check_pinned(where: str) -> None:
    match = _HUB.fullmatch(where)
    if match is None:
        raise BadSpec(f"hf_dataset:{where} is neither a folder nor ORG/NAME@COMMIT")
    if match["revision"] is None or not _COMMIT.fullmatch(match["revision"]):
        found = f"{match['revision']!r} is not a commit" if match["revision"] else "no revision is named"
        raise BadSpec(
            f"hf_dataset:{where}: {found}; name the full commit hash, 40 hex digits, as the dataset's page under "
            "'Files and versions' shows it"
        )


def _library(owner: str) -> Any:
    try:
        import datasets
    except ImportError:
        raise MissingExtra("datasets", "hf", owner) from None
    if int(datasets.__version__.split(".")[0]) < OLDEST:
        raise BadSpec(
            f"{owner} needs datasets {OLDEST} or newer, and {datasets.__version__} is installed: older versions can "
            "run code that comes with a dataset"
        )
    return datasets


def _read(where: str, wanted: Columns) -> Mapping[str, Any]:
    """The rows of each of their splits."""
    owner = f"dataset 'hf_dataset:{where}'"
    library, folder = _library(owner), _folder(where)
    library.disable_progress_bars()
    try:
        if folder is not None:
            found = library.load_from_disk(str(need(folder, LAYOUT)))
        else:
            found = library.load_dataset(
                str(_snapshot(where, owner)), wanted.config or None, cache_dir=str(cache_dir() / "hf_datasets")
            )
    except MMBenchError:
        raise
    except Exception as error:  # the library raises anything on files that it did not write
        layout = LAYOUT if folder is not None else "a form that the datasets library reads without code"
        raise BadDataset(f"{owner} is not in {layout} ({_why(error)})") from error
    return found if isinstance(found, dict) else {wanted.split or "test": found}


def _snapshot(where: str, owner: str) -> Path:
    """The hub's files at the commit, fetched when they are not in the hub's cache yet.

    The hub's own client is used, because the datasets library falls back to any cached revision when it has no network.
    """
    from huggingface_hub import snapshot_download

    repo, _, commit = where.partition("@")
    try:
        return Path(snapshot_download(repo, repo_type="dataset", revision=commit, local_files_only=is_offline()))
    except Exception as error:  # the hub's errors, and those of the network below it
        hint = (
            "mmbench is offline; run once with network" if is_offline() else "check its name and commit, or the network"
        )
        raise MissingAsset(
            f"{owner} is not on this machine and could not be fetched ({_why(error)}); {hint}"
        ) from error


def _why(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _load(where: str, wanted: Columns) -> Dataset:
    library = _library(f"dataset 'hf_dataset:{where}'")
    theirs = _read(where, wanted)
    ours = columns.splits_of(theirs, f"hf_dataset:{where}", wanted.split)
    if not wanted.split:
        note(f"hf_dataset:{where}", "splits passed over", [name for name in theirs if name not in ours])
    rows = {split: theirs[name] for name, split in ours.items()}
    for name in filter(None, (wanted.image, wanted.label, wanted.text, wanted.group)):
        for split in rows.values():
            if name not in split.column_names:
                raise BadDataset(f"hf_dataset:{where} has no column {name!r}; it has {', '.join(split.column_names)}")
    classes, labels, several = _labels(rows, wanted.label, f"hf_dataset:{where}", library)
    splits = {}
    for split, part in rows.items():
        images = None
        if wanted.image:
            if not isinstance(part.features[wanted.image], library.Image):
                raise BadDataset(f"hf_dataset:{where}: the column {wanted.image!r} holds no images")
            encoded = part.cast_column(wanted.image, library.Image(decode=False)).select_columns([wanted.image])
            home = None if _folder(where) else _snapshot(where, f"dataset 'hf_dataset:{where}'")
            images = RowImages(encoded, wanted.image, f"hf_dataset:{where}, {split}", wanted.alpha, home)
        texts = columns.texts(part[wanted.text], f"hf_dataset:{where}, {split}") if wanted.text else None
        ids = tuple(f"{split}-{row:06d}" for row in range(len(part)))
        splits[split] = Split(ids, labels[split], images, texts, _groups(part, wanted.group))
    return Dataset(f"hf_dataset:{where}", classes, splits, task="multi" if several else "single")


def _groups(part: Any, column: str) -> Groups | None:
    return grouped(list(part[column]), f"values of {column!r}") if column else None


def _labels(rows: Mapping[str, Any], column: str, where: str, library: Any) -> tuple[tuple[str, ...], Any, bool]:
    """Classes, labels by split, and whether an item has several."""
    where = f"{where}, under {column!r},"
    kinds = {split: part.features[column] for split, part in rows.items()}
    inner = {split: getattr(kind, "feature", kind) for split, kind in kinds.items()}
    many = {split: inner[split] is not kind for split, kind in kinds.items()}
    lists = [tuple(kind.names) if isinstance(kind, library.ClassLabel) else None for kind in inner.values()]
    if len(set(many.values())) > 1 or (None in lists and len(set(lists)) > 1):
        raise BadDataset(f"{where} has another kind of label in each split: {kinds}; make them one kind")
    several = any(many.values())
    names = tuple(dict.fromkeys(name for each in lists for name in each or ())) or None  # no list repeats a name
    found = {split: list(part[column]) for split, part in rows.items()}
    if several:
        columns.refuse_multi_hot([row or () for part in found.values() for row in part], where)
        many_texts = {s: [[_text(v, where, inner[s]) for v in row or ()] for row in part] for s, part in found.items()}
        return *columns.several(many_texts, where, names), True
    if names is not None and len(set(lists)) == 1:  # then a number is the label, also where two classes have one name
        for part in found.values():
            for value in part:
                _text(value, where, next(iter(inner.values())))
        return *columns.numbered(found, where, names), False
    texts = {split: [_text(value, where, inner[split]) for value in part] for split, part in found.items()}
    return *columns.single(texts, where, names), False


def _text(value: Any, where: str, kind: Any) -> str:
    """The class of a value: its name in the list of its own split, or the value as text."""
    names = getattr(kind, "names", None)
    if value is None or value == "" or (names is not None and value == -1):  # -1 marks a label that is not published
        raise BadDataset(f"{where} has items without a label; choose a split with ?split=NAME")
    if names is None:
        if not isinstance(value, str | int):
            raise BadDataset(f"{where} has the label {value!r}, expected a text or a whole number")
        return str(value)
    if not 0 <= value < len(names):
        raise BadDataset(f"{where} has the label {value}, and there are {len(names)} class names, from 0 on")
    return str(names[value])


def _identity(where: str, wanted: Columns) -> str:
    """Digest of the folder's files, or of the pinned name: a commit's content does not change."""
    folder = _folder(where)
    if folder is None:
        return hashlib.sha256(f"{where} {wanted}".encode()).hexdigest()
    files = sorted(path for path in need(folder, LAYOUT).rglob("*") if path.is_file() and path.suffix != ".lock")
    return files_identity(f"{wanted!r}", files, folder, LAYOUT)


SOURCES.add(
    DatasetSource(
        "hf_dataset",
        "hf_dataset:DIR|ORG/NAME@COMMIT",
        entry=lambda spec: hf_dataset(spec.name, Columns(**spec.options), spec.declared),  # type: ignore[arg-type]
        options=("image", "label", "text", "split", "config", "group", "alpha"),
        values={"alpha": ALPHA},
    )
)
