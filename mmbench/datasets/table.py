"""``table:FILE``: a table of items that the user collected: a CSV, TSV or JSONL file with images, texts and labels.

    id,split,image,title,plot,genres
    603,test,poster_603.jpg,The Matrix,"A hacker learns ...",Action|Science Fiction

``table:FILE?image=image&text=title&labels=genres`` reads columns by name:

    image=COL    path of the image file, below the table's folder or below ``images=DIR`` in it; ``alpha=drop`` drops
                 transparency (``mmbench.datasets.images`` says how images are read)
    text=COL     the text; with ``lower=1`` in small letters
    label=COL    one class an item, or labels=COL for several, separated by ``sep`` (default |); JSONL may have lists.
                 Rows of 0 and 1, a place for each class, are refused, since they do not name the classes
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
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmbench.datasets import columns
from mmbench.datasets.declared import Declared, files_identity, inside, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import grouped
from mmbench.datasets.images import ALPHA, WHITE, FileImages, Rule
from mmbench.datasets.source import SOURCES, DatasetSource, Spec
from mmbench.datasets.text_files import parse_json, read_lines, readable, require_text
from mmbench.errors import BadDataset, BadSpec
from mmbench.spec import FLAG

LAYOUT = "the form that mmbench.datasets.table describes"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
MISSING = frozenset({"nan", "NaN", "<NA>"})  # how NumPy and pandas write a value that is not there
MOST_CELL = 10_000_000  # characters


@dataclass(frozen=True)
class Columns:
    """Which columns hold what; empty is none (of ``group`` and ``id``: the column of this name, where there is one).

    ``sep`` is about labels and groups, ``several`` about labels, ``images`` about paths.
    """

    image: str = ""
    text: str = ""
    label: str = ""
    several: bool = False
    split: str = "split"
    id: str = ""
    sep: str = "|"
    images: str = ""
    lower: bool = False
    group: str = ""
    alpha: Rule = WHITE


GROUP = "group"
ID = "id"
OTHER_SIGNS = ("|", ";", ",", "/", "\t")
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


def read_rows(file: Path, delimiter: str = "") -> Iterator[tuple[str, Row]]:
    """Place (for messages) and cells by column of every row; without ``delimiter`` the suffix says what the file is.

    Raises MissingAsset or BadDataset.
    """
    lines = read_lines(need(file, LAYOUT))
    name = readable(file)
    if not delimiter and file.suffix.lower() == ".jsonl":
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield f"{name}, line {number}", _record(line, f"{name}, line {number}")
        return
    try:
        csv.field_size_limit(MOST_CELL)
        reader = csv.DictReader(lines, delimiter=delimiter or DELIMITERS[file.suffix.lower()], strict=True)
        heading = Counter(reader.fieldnames or ())
        if twice := [column for column in heading if column and heading[column] > 1]:
            raise BadDataset(f"{name} has {heading[twice[0]]} columns named {twice[0]!r}; rename all but one")
        for row in reader:
            where = f"{name}, line {reader.line_num}"
            if None in row:
                raise BadDataset(f"{where} has more cells than the heading has columns")
            yield where, row
    except csv.Error as error:
        raise BadDataset(f"{name} cannot be read as a table ({error})") from error


def _record(line: str, where: str) -> Row:
    found = parse_json(line, where)
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
    lists: bool = False  # labels are lists of JSON, which nothing divides


def _parts(file: Path, wanted: Columns) -> dict[str, _Part]:
    parts: dict[str, _Part] = {}
    home = _home(file, wanted)
    for number, (where, row) in enumerate(read_rows(file)):
        theirs = _cell(row, wanted.split, where)
        if theirs not in columns.OURS:
            raise BadDataset(f"{where} has the split {theirs!r}; it must be train, valid or test")
        part = parts.setdefault(columns.OURS[theirs], _Part([], [], [], [], []))
        own_id = wanted.id or ID
        part.ids.append(_cell(row, own_id, where) if wanted.id or own_id in row else f"row-{number:06d}")
        if wanted.image:
            part.paths.append(inside(home, _cell(row, wanted.image, where), file))
        if wanted.text:
            text = _cell(row, wanted.text, where)
            part.texts.append(text.lower() if wanted.lower else text)
        part.labels.append(_labels(row, wanted, where))
        part.lists |= isinstance(row.get(wanted.label), list)
        part.groups.append(_things(row, wanted, where))
    if "test" not in parts:
        raise BadDataset(f"{readable(file)} has no items whose {wanted.split!r} is 'test'")
    for split, part in parts.items():
        if len(set(part.ids)) < len(part.ids):
            twice, _ = Counter(part.ids).most_common(1)[0]
            raise BadDataset(f"{readable(file)} has the {wanted.id or ID} {twice!r} twice in {split!r}")
    return parts


def _cell(row: Row, column: str, where: str) -> str:
    if column not in row:
        raise BadDataset(f"{where} has no column {column!r}; it has {', '.join(map(repr, row))}")
    value = row[column]
    if isinstance(value, list | dict):
        raise BadDataset(
            f"{where} has {'a list' if isinstance(value, list) else 'an object'} under {column!r}, expected one value"
        )
    if value is None or value != value or not str(value).strip():  # NaN is how some writers leave a cell empty
        raise BadDataset(f"{where} has an empty cell under {column!r}")
    _require_value(str(value).strip(), column, where)
    return require_text(str(value).strip(), f"{where}, under {column!r},")


def _require_value(text: str, column: str, where: str) -> None:
    if text in MISSING:
        raise BadDataset(
            f"{where} has {text!r} under {column!r}, which is how programs write a missing value; leave the row out, "
            "or write the value in another way"
        )


def _labels(row: Row, wanted: Columns, where: str) -> list[str]:
    value = row.get(wanted.label)
    if not wanted.several:
        if isinstance(value, list):
            raise BadDataset(
                f"{where} has a list under {wanted.label!r}; for several labels an item write labels={wanted.label}"
            )
        found = _label(row, wanted.label, where)
        if wanted.sep in found:
            raise BadDataset(
                f"{where} has the label {found!r}, which {wanted.sep!r} divides; for several labels an item write "
                f"labels={wanted.label}, or name with sep= a sign that no class name has"
            )
        return [found]
    parts = value if isinstance(value, list) else _divided(_cell(row, wanted.label, where), wanted.label, wanted, where)
    names = [
        _label({wanted.label: part}, wanted.label, where) if not isinstance(part, str) else part.strip()
        for part in parts
    ]
    if not names or not all(names):
        raise BadDataset(f"{where} has an empty label under {wanted.label!r}")
    for name in names:
        _require_value(name, wanted.label, where)
    return [require_text(name, f"{where}, under {wanted.label!r},") for name in names]


def _divided(cell: str, column: str, wanted: Columns, where: str) -> list[str]:
    """The parts of a cell between the signs. Raises BadDataset where a sign stands within the brackets of a list."""
    parts = cell.split(wanted.sep)
    if len(parts) > 1 and columns.is_list(cell):
        raise BadDataset(
            f"{where} has {cell!r} under {column!r}, a list in brackets, which {wanted.sep!r} would divide into "
            f"{parts[0]!r} and {parts[1]!r}: write no brackets, or a list in a JSONL file"
        )
    return parts


def _label(row: Row, column: str, where: str) -> str:
    """The label in a cell as text; a number of JSON must be a whole one."""
    value = row.get(column)
    if isinstance(value, float) and value == value:
        if not value.is_integer():
            raise BadDataset(f"{where} has the label {value!r} under {column!r}, expected a class and no measure")
        return str(int(value))
    return _cell(row, column, where)


def _things(row: Row, wanted: Columns, where: str) -> list[str] | None:
    """What the item was made from; None where the row does not say."""
    column = wanted.group or GROUP
    if wanted.group and column not in row:
        raise BadDataset(f"{where} has no column {column!r}; it has {', '.join(map(repr, row))}")
    value = row.get(column)
    found = value if isinstance(value, list) else _divided("" if value is None else str(value), column, wanted, where)
    if isinstance(value, dict) or any(isinstance(thing, list | dict) for thing in found):
        raise BadDataset(f"{where} has {value!r} under {column!r}, expected one name or a list of names")
    names = (require_text(str(thing).strip(), f"{where}, under {column!r},") for thing in found)
    return [name for name in names if name] or None


def _load(file: Path, wanted: Columns) -> Dataset:
    parts = _parts(file, wanted)
    labels: Mapping[str, Any]
    if wanted.several:
        rows = [names for part in parts.values() for names in part.labels]
        _check_several(file, wanted, rows, written=not any(part.lists for part in parts.values()))
        classes, labels = columns.several({split: part.labels for split, part in parts.items()}, readable(file))
    else:
        classes, labels = columns.single(
            {s: [names[0] for names in p.labels] for s, p in parts.items()}, readable(file)
        )
    splits = {
        split: Split(
            tuple(part.ids),
            labels[split],
            FileImages(part.paths, wanted.alpha) if wanted.image else None,
            tuple(part.texts) if wanted.text else None,
            grouped(part.groups, f"values of {wanted.group or GROUP!r}"),
        )
        for split, part in parts.items()
    }
    return Dataset(f"table:{readable(file)}", classes, splits, task="multi" if wanted.several else "single")


def _check_several(file: Path, wanted: Columns, rows: Sequence[list[str]], *, written: bool) -> None:
    """Refuse rows that are vectors of 0 and 1 and, where labels are ``written`` side by side, another sign between."""
    where = f"{readable(file)}, under {wanted.label!r},"
    columns.refuse_multi_hot(rows, where)
    if not written:
        return
    classes = dict.fromkeys(name for row in rows for name in row)
    for name, sign in ((name, sign) for name in classes for sign in OTHER_SIGNS if sign != wanted.sep and sign in name):
        if all(part.strip() in classes for part in name.split(sign)):
            raise BadDataset(
                f"{where} has the label {name!r}, and its parts between {sign!r} are labels too: write {wanted.sep!r} "
                "between the labels of every item, or choose the sign with sep="
            )
    if all(len(row) == 1 for row in rows):
        for sign in OTHER_SIGNS:
            if sign != wanted.sep and (divided := [row[0] for row in rows if sign in row[0]]):
                raise BadDataset(
                    f"{where} has no label that {wanted.sep!r} divides, and {len(divided):,} with {sign!r}, such as "
                    f"{divided[0]!r}: name the sign between labels with sep=, or write label={wanted.label} for one "
                    "class an item"
                )
    columns.refuse_lists(classes, where, "name the sign between labels with sep=, and write no brackets around them")


def _identity(file: Path, wanted: Columns) -> str:
    images: Sequence[Path] = [path for part in _parts(file, wanted).values() for path in part.paths]
    what = f"{json.dumps(asdict(wanted), sort_keys=True)}"
    return files_identity(what, [file, *dict.fromkeys(images)], file.parent, LAYOUT)


def _from_spec(spec: Spec) -> DatasetEntry:
    options = spec.options
    if "label" in options and "labels" in options:
        raise BadSpec(f"{spec.owner}: choose one of label=COL and labels=COL")
    chosen = {
        key: options[key]
        for key in ("image", "text", "split", "id", "sep", "images", "group", "alpha")
        if key in options
    }
    wanted = Columns(
        **chosen,  # type: ignore[arg-type]
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
        options=("image", "text", "label", "labels", "split", "id", "sep", "images", "lower", "group", "alpha"),
        values={"lower": FLAG, "alpha": ALPHA},
    )
)
