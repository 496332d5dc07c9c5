"""``table:FILE``: a table of items that the user collected: a CSV, TSV or JSONL file with images, texts and labels.

    id,split,image,title,plot,genres
    603,test,poster_603.jpg,The Matrix,"A hacker learns ...",Action|Science Fiction

``table:FILE?image=image&text=title&labels=genres`` reads columns by name:

    image=COL    path of the image file, below the table's folder or below ``images=DIR`` in it
    text=COL     the text; with ``lower=1`` in small letters
    label=COL    one class an item, or labels=COL for several, separated by ``sep`` (default |); JSONL may have lists
    split=COL    train, valid or test (default: the column 'split')
    id=COL       names the item (default: the column 'id', else its row); equal ids pair items of two tables
    group=COL    what the item was made from: a person, a film (default: the column 'group', where there is one); up to
                 four things, separated by ``sep``, or a list in JSONL; an empty cell stands for nothing shared

Every item of the table must be complete: a missing cell is an error that names its line; no item is left out.
"""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmbench.datasets import columns
from mmbench.datasets.declared import Declared, files_identity, inside, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import grouped
from mmbench.datasets.images import FileImages
from mmbench.datasets.source import SOURCES, DatasetSource, Spec
from mmbench.errors import BadDataset, BadSpec
from mmbench.spec import FLAG

LAYOUT = "the form that mmbench.datasets.table describes"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
MOST_CELL = 10_000_000  # characters


@dataclass(frozen=True)
class Columns:
    """Which columns hold what; empty is none (of ``group``: the column 'group', where there is one).

    ``sep`` is about labels and groups, ``several`` about labels, ``images`` about paths.
    """

    image: str = ""
    text: str = ""
    label: str = ""
    several: bool = False
    split: str = "split"
    id: str = "id"
    sep: str = "|"
    images: str = ""
    lower: bool = False
    group: str = ""


GROUP = "group"
Row = Mapping[str, Any]


def table(file: Path, wanted: Columns, declared: Declared | None = None) -> DatasetEntry:
    """The items of a table as an entry; the file is looked for when it is loaded. Raises BadSpec."""
    spec = f"table:{file}"
    if file.suffix.lower() not in (*DELIMITERS, ".jsonl"):
        raise BadSpec(f"{spec} is read by its suffix, which must be .csv, .tsv or .jsonl")
    if not wanted.label:
        raise BadSpec(f"{spec} needs a column of labels: label=COL, or labels=COL for several an item")
    if not (wanted.image or wanted.text):
        raise BadSpec(f"{spec} needs image=COL or text=COL, or both")
    return on_disk(
        spec,
        functools.partial(_load, file, wanted),
        functools.partial(_identity, file, wanted),
        declared or Declared(),
        file.parent,
        modalities=tuple(kind for kind, column in (("image", wanted.image), ("text", wanted.text)) if column),
        task="multi" if wanted.several else "single",
        about=f"The items of {file}.",
        assets=(f"file:{file}", *([f"file:{_home(file, wanted)}"] if wanted.image and wanted.images else [])),
    )


def _home(file: Path, wanted: Columns) -> Path:
    return inside(file.parent, wanted.images, file) if wanted.images else file.parent


def read_rows(file: Path) -> Iterator[tuple[str, Row]]:
    """Place (for messages) and cells by column of every row. Raises MissingAsset or BadDataset."""
    need(file, LAYOUT)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            if file.suffix.lower() == ".jsonl":
                for number, line in enumerate(stream, start=1):
                    if line.strip():
                        yield f"{file}, line {number}", _record(line, f"{file}, line {number}")
                return
            csv.field_size_limit(MOST_CELL)
            reader = csv.DictReader(stream, delimiter=DELIMITERS[file.suffix.lower()], strict=True)
            for row in reader:
                where = f"{file}, line {reader.line_num}"
                if None in row:
                    raise BadDataset(f"{where} has more cells than the heading has columns")
                yield where, row
    except UnicodeDecodeError as error:
        raise BadDataset(f"{file} is not UTF-8 text ({error}); convert it") from error
    except csv.Error as error:
        raise BadDataset(f"{file} cannot be read as a table ({error})") from error


def _record(line: str, where: str) -> Row:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise BadDataset(f"{where} is not valid JSON ({error})") from error
    if not isinstance(found, dict):
        raise BadDataset(f"{where} is not a JSON object")
    return found


@dataclass
class _Part:
    ids: list[str]
    paths: list[Path]
    texts: list[str]
    labels: list[list[str]]
    groups: list[list[str] | None]


def _parts(file: Path, wanted: Columns) -> dict[str, _Part]:
    parts: dict[str, _Part] = {}
    home = _home(file, wanted)
    for number, (where, row) in enumerate(read_rows(file)):
        theirs = _cell(row, wanted.split, where)
        if theirs not in columns.OURS:
            raise BadDataset(f"{where} has the split {theirs!r}; it must be train, valid or test")
        part = parts.setdefault(columns.OURS[theirs], _Part([], [], [], [], []))
        part.ids.append(_cell(row, wanted.id, where) if wanted.id in row else f"row-{number:06d}")
        if wanted.image:
            part.paths.append(inside(home, _cell(row, wanted.image, where), file))
        if wanted.text:
            text = _cell(row, wanted.text, where)
            part.texts.append(text.lower() if wanted.lower else text)
        part.labels.append(_labels(row, wanted, where))
        part.groups.append(_things(row, wanted, where))
    if "test" not in parts:
        raise BadDataset(f"{file} has no items whose {wanted.split!r} is 'test'")
    for split, part in parts.items():
        if len(set(part.ids)) < len(part.ids):
            twice = next(name for name in part.ids if part.ids.count(name) > 1)
            raise BadDataset(f"{file} has the {wanted.id} {twice!r} twice in {split!r}")
    return parts


def _cell(row: Row, column: str, where: str) -> str:
    if column not in row:
        raise BadDataset(f"{where} has no column {column!r}; it has {', '.join(map(repr, row))}")
    value = row[column]
    if not isinstance(value, str | int | float) or not str(value).strip():
        raise BadDataset(f"{where} has an empty cell under {column!r}")
    return str(value).strip()


def _labels(row: Row, wanted: Columns, where: str) -> list[str]:
    if not wanted.several:
        return [_cell(row, wanted.label, where)]
    value = row.get(wanted.label)
    found = value if isinstance(value, list) else _cell(row, wanted.label, where).split(wanted.sep)
    names = list(dict.fromkeys(str(name).strip() for name in found))
    if not names or not all(names):
        raise BadDataset(f"{where} has an empty label under {wanted.label!r}")
    return names


def _things(row: Row, wanted: Columns, where: str) -> list[str] | None:
    """What the item was made from; None where the row does not say."""
    column = wanted.group or GROUP
    if wanted.group and column not in row:
        raise BadDataset(f"{where} has no column {column!r}; it has {', '.join(map(repr, row))}")
    value = row.get(column)
    found = value if isinstance(value, list) else str("" if value is None else value).split(wanted.sep)
    return [name for thing in found if (name := str(thing).strip())] or None


def _load(file: Path, wanted: Columns) -> Dataset:
    parts = _parts(file, wanted)
    labels: Mapping[str, Any]
    if wanted.several:
        classes, labels = columns.several({split: part.labels for split, part in parts.items()}, str(file))
    else:
        classes, labels = columns.single({s: [names[0] for names in p.labels] for s, p in parts.items()}, str(file))
    splits = {
        split: Split(
            tuple(part.ids),
            labels[split],
            FileImages(part.paths) if wanted.image else None,
            tuple(part.texts) if wanted.text else None,
            grouped(part.groups, f"values of {wanted.group or GROUP!r}"),
        )
        for split, part in parts.items()
    }
    return Dataset(f"table:{file}", classes, splits, task="multi" if wanted.several else "single")


def _identity(file: Path, wanted: Columns) -> str:
    images: Sequence[Path] = [path for part in _parts(file, wanted).values() for path in part.paths]
    what = json.dumps(asdict(wanted), sort_keys=True)
    return files_identity(what, [file, *dict.fromkeys(images)], file.parent, LAYOUT)


def _from_spec(spec: Spec) -> DatasetEntry:
    options = spec.options
    if "label" in options and "labels" in options:
        raise BadSpec(f"{spec.owner}: choose one of label=COL and labels=COL")
    chosen = {key: options[key] for key in ("image", "text", "split", "id", "sep", "images", "group") if key in options}
    wanted = Columns(
        **chosen,
        label=options.get("labels") or options.get("label", ""),
        several="labels" in options,
        lower=spec.flag("lower"),
    )
    return table(spec.path, wanted, spec.declared)


SOURCES.add(
    DatasetSource(
        "table",
        "table:FILE?image=COL&label=COL",
        _from_spec,
        options=("image", "text", "label", "labels", "split", "id", "sep", "images", "lower", "group"),
        values={"lower": FLAG},
    )
)
