"""``hf_dataset:DIR`` and ``hf_dataset:ORG/NAME@COMMIT``: a Hugging Face dataset, from disk or the hub at one commit.

DIR is what ``save_to_disk`` wrote. From the hub only a full commit hash is taken: a branch may hold something else
tomorrow. Options name columns: ``image`` and ``label`` (by default those), ``text``, ``group`` (what an item was made
from); ``split=NAME`` takes that split alone, as test; ``config=NAME`` chooses one of several configurations. No code of
a dataset is ever run.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.assets import cache_dir, is_offline
from mmbench.datasets import columns
from mmbench.datasets.declared import Declared, files_identity, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import Groups, grouped
from mmbench.datasets.images import decode_image, read_image
from mmbench.datasets.source import SOURCES, DatasetSource
from mmbench.errors import BadDataset, BadItem, BadSpec, MissingAsset, MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

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


class RowImages:
    """Images of a column, as encoded bytes; decoded one at a time by our own reader and its limits."""

    def __init__(self, rows: Any, column: str, name: str) -> None:
        self.rows, self.column, self.name = rows, column, name

    def __len__(self) -> int:
        return len(self.rows)

    def _cell(self, index: int) -> tuple[bytes | Path, str]:
        cell, where = self.rows[index][self.column] or {}, f"{self.name}, row {index}"
        if cell.get("bytes") is not None:
            return cell["bytes"], where
        if cell.get("path"):
            return Path(cell["path"]), where
        raise BadItem(f"{where} has no image under {self.column!r}")

    def image(self, index: int) -> Image:
        source, where = self._cell(index)
        return decode_image(source, where) if isinstance(source, bytes) else read_image(source)

    def digest(self, index: int) -> str:
        """Hex SHA-256 of the encoded image."""
        from mmbench.datasets.images import file_digest

        source, _ = self._cell(index)
        return hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else file_digest(source)


def hf_dataset(where: str, wanted: Columns | None = None, declared: Declared | None = None) -> DatasetEntry:
    """The dataset as an entry; it is read when it is loaded. Raises BadSpec for a hub name without a commit."""
    wanted = wanted or Columns()
    folder = _folder(where)
    if folder is None:
        _check_pinned(where)
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
    path = Path(where).expanduser()
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
            snapshot = _snapshot(where, owner)
            found = library.load_dataset(
                str(snapshot), wanted.config or None, cache_dir=str(cache_dir() / "hf_datasets")
            )
    except (OSError, ValueError, RuntimeError) as error:
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
            images = RowImages(encoded, wanted.image, f"hf_dataset:{where}, {split}")
        texts = columns.texts(part[wanted.text], f"hf_dataset:{where}, {split}") if wanted.text else None
        ids = tuple(f"{split}-{row:06d}" for row in range(len(part)))
        splits[split] = Split(ids, labels[split], images, texts, _groups(part, wanted.group))
    return Dataset(f"hf_dataset:{where}", classes, splits, task="multi" if several else "single")


def _groups(part: Any, column: str) -> Groups | None:
    return grouped(list(part[column]), f"values of {column!r}") if column else None


def _labels(rows: Mapping[str, Any], column: str, where: str, library: Any) -> tuple[tuple[str, ...], Any, bool]:
    """Classes, labels by split, and whether an item has several."""
    first = next(iter(rows.values())).features[column]
    inner = getattr(first, "feature", first)
    names = list(inner.names) if isinstance(inner, library.ClassLabel) else None

    def named(value: Any) -> str:
        if value is None or value == -1:  # the library's mark of a label that is not published
            raise BadDataset(f"{where} has items without a label under {column!r}; choose a split with ?split=NAME")
        return names[value] if names else str(value)

    if inner is not first:
        found = {split: [[named(value) for value in row] for row in part[column]] for split, part in rows.items()}
        return *columns.several(found, where, names), True
    return *columns.single({s: [named(value) for value in p[column]] for s, p in rows.items()}, where, names), False


def _identity(where: str, wanted: Columns) -> str:
    """Digest of the folder's files, or of the pinned name: a commit's content does not change."""
    folder = _folder(where)
    if folder is None:
        return hashlib.sha256(f"{where} {wanted}".encode()).hexdigest()
    files = sorted(path for path in need(folder, LAYOUT).rglob("*") if path.is_file() and path.suffix != ".lock")
    return files_identity(repr(wanted), files, folder, LAYOUT)


SOURCES.add(
    DatasetSource(
        "hf_dataset",
        "hf_dataset:DIR|ORG/NAME@COMMIT",
        entry=lambda spec: hf_dataset(spec.name, Columns(**spec.options), spec.declared),
        options=("image", "label", "text", "split", "config", "group"),
    )
)
