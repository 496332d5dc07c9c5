"""``mvsa:multiple?root=DIR`` and ``mvsa:single?root=DIR``: tweets with image and text, by sentiment (Niu et al. 2016).

    labelResultAll.txt        a heading; then, with tabs between, the id and a cell TEXT,IMAGE for each annotator (three
                              in multiple, one in single), each word positive, neutral or negative
    data/ID.jpg, data/ID.txt  the tweet; UTF-8, or else read as Latin-1, which is counted

How an item's words become one of three classes:

    rule=mean      the rounded mean of all words, positive 2, neutral 1, negative 0 (Bielawski 2022, section 5.3). The
                   default of multiple. ``halves=`` says where 0.5 and 1.5 go, which the thesis does not: to ``even`` (0
                   and 2: Python's ``round``, the default), ``up`` or ``down``
    rule=majority  the word of most annotators on the text, and on the image; where they differ and one of them is
                   neutral, the other. Items without a majority, or positive against negative, are left out and
                   counted. The usual rule of public readers, and the default of single

The split is not published: ``held_out=20`` percent are tested on, chosen by ``seed=0`` (see ``held_out``). Tweets
without image or text are left out and counted.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mmbench import files
from mmbench.datasets._collected import PERCENT, Gaps, decoded, held_out, names_in
from mmbench.datasets.declared import Declared, files_identity, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.images import REFERENCE, FileImages
from mmbench.datasets.source import SOURCES, DatasetSource, Spec
from mmbench.datasets.text_files import lines_of, read_text, readable, require_plain
from mmbench.errors import BadDataset, UnknownName
from mmbench.program import program_digest
from mmbench.spec import choice, whole

CLASSES = ("negative", "neutral", "positive")  # a class's number is its score
LAYOUT = "MVSA's layout: labelResultAll.txt, and data/ with ID.jpg and ID.txt"
LABELS = "labelResultAll.txt"
MOST_TWEET = 1 << 16  # bytes

Rule = Literal["mean", "majority"]
Halves = Literal["even", "up", "down"]


@dataclass(frozen=True)
class Known:
    """A published set: annotators of an item, rows of its labels, and the usual rule."""

    annotators: int
    rows: int
    rule: Rule


KNOWN = {"single": Known(1, 4_869, "majority"), "multiple": Known(3, 19_600, "mean")}


@dataclass(frozen=True)
class Choices:
    """What the papers leave open: the rule of labels, and the split."""

    rule: Rule
    halves: Halves = "even"
    seed: int = 0
    held_out: int = 20


@dataclass(frozen=True)
class Row:
    """One line of the labels: the class numbers that each annotator gave to text and image."""

    id: str
    text: tuple[int, ...]
    image: tuple[int, ...]


def mvsa(name: str, root: Path, choices: Choices | None = None, declared: Declared | None = None) -> DatasetEntry:
    """A set of MVSA as an entry; its files are looked for when it is loaded. Raises UnknownName.

    The labels must have the published number of rows, unless ``declared`` gives sizes.
    """
    if name not in KNOWN:
        raise UnknownName("set of MVSA", name, KNOWN)
    chosen = choices or Choices(KNOWN[name].rule)
    sizes = declared or Declared()
    return on_disk(
        f"mvsa:{name}",
        functools.partial(_load, name, root, chosen, bool(sizes.counts)),
        functools.partial(_identity, name, root, chosen),
        sizes.over(Declared(len(CLASSES))),
        root,
        modalities=("image", "text"),
        templates=("a {} tweet.",),
        credit="MVSA (Niu et al. 2016), http://mcrlab.net/research/mvsa-sentiment-analysis-on-multi-view-social-data/",
        about=f"MVSA-{name.title()}, tweets by sentiment, read from {root}; {_words(chosen)}.",
        assets=(f"file:{root / LABELS}", f"file:{root / 'data'}"),
    )


def _words(chosen: Choices) -> str:
    rule = f"the mean of all labels, halves {chosen.halves}" if chosen.rule == "mean" else "the majority of labels"
    return f"{rule}; {chosen.held_out} % held out by seed {chosen.seed}"


# -- labels --------------------------------------------------------------------------------------------------------


def read_labels(root: Path, annotators: int) -> list[Row]:
    """The rows of ``labelResultAll.txt`` in its order.

    Raises MissingAsset, and BadDataset, which names the line, for a row that lacks an annotator or a label, for a word
    that is no sentiment, and for an id given twice.
    """
    file = need(root / LABELS, LAYOUT)
    heading, *lines = lines_of(read_text(file))
    if heading.split("\t")[0].strip().lower() != "id":
        raise BadDataset(f"{readable(file)} begins with {heading[:60]!r}, expected a heading 'ID' and {_CELLS}")
    rows: dict[str, Row] = {}
    for number, line in enumerate(lines, start=2):
        if line.strip():
            row = _row(line, annotators, f"{readable(file)}, line {number}")
            if row.id in rows:
                raise BadDataset(f"{readable(file)}, line {number} has the id {row.id!r} a second time; remove one")
            rows[row.id] = row
    return list(rows.values())


_CELLS = "a cell 'text,image' for each annotator, with tabs between"


def _row(line: str, annotators: int, where: str) -> Row:
    item, *cells = (cell.strip() for cell in line.split("\t"))
    if len(cells) != annotators or not all(cells):
        given = sum(map(bool, cells))
        raise BadDataset(
            f"{where} has labels of {given} annotator{'s' * (given != 1)}, expected {annotators}; is it the other set "
            "of MVSA? Else complete the line or remove it"
        )
    if not item.isascii() or not item.isdigit():
        raise BadDataset(f"{where} has the id {item[:40]!r}, expected a number, which names data/ID.jpg")
    pairs = [cell.split(",") for cell in cells]
    for cell, pair in zip(cells, pairs, strict=True):
        if len(pair) != 2:
            raise BadDataset(f"{where} has the cell {cell[:60]!r}, expected 'text,image' labels")
    text, image = (tuple(_score(pair[side], where) for pair in pairs) for side in (0, 1))
    return Row(item, text, image)


def _score(word: str, where: str) -> int:
    word = word.strip().lower()
    if word not in CLASSES:
        found = f"the word {word[:40]!r}" if word else "an empty label"
        raise BadDataset(f"{where} has {found}, expected one of {', '.join(CLASSES)}")
    return CLASSES.index(word)


def label_of(row: Row, chosen: Choices) -> tuple[int | None, str]:
    """The class of a row, or None and why it has none."""
    if chosen.rule == "mean":
        return rounded_mean([*row.text, *row.image], chosen.halves), ""
    sides = _majority(row.text), _majority(row.image)
    if None in sides:
        return None, "no label of most annotators"
    text, image = (side for side in sides if side is not None)
    if abs(text - image) == 2:
        return None, "text and image are of opposite sentiment"
    return (text if image == 1 else image), ""


def rounded_mean(scores: Sequence[int], halves: Halves) -> int:
    """The mean of whole numbers, rounded; ``halves`` go to the even neighbour, up or down."""
    below, rest = divmod(sum(scores), len(scores))
    if 2 * rest != len(scores):
        return below + (2 * rest > len(scores))
    return below + {"even": below % 2, "up": 1, "down": 0}[halves]


def _majority(scores: Sequence[int]) -> int | None:
    (first, times), *_ = Counter(scores).most_common()
    return first if 2 * times > len(scores) else None


# -- items ---------------------------------------------------------------------------------------------------------


def _items(name: str, root: Path, chosen: Choices, partial: bool) -> tuple[list[tuple[Row, int, str]], Gaps]:
    """Row, class and text of every item, and what was left out."""
    rows = read_labels(root, KNOWN[name].annotators)
    if not partial and len(rows) != KNOWN[name].rows:
        raise BadDataset(
            f"{readable(root / LABELS)} has {len(rows):,} rows, expected {KNOWN[name].rows:,}; is it complete? For a "
            "part of it, declare its sizes: ?train=N&test=M"
        )
    here, gaps, items = names_in(root / "data", LAYOUT), Gaps(f"mvsa:{name}", "tweets"), []
    for row in rows:
        label, why = label_of(row, chosen)
        lacking = [kind for kind in ("jpg", "txt") if f"{row.id}.{kind}" not in here]
        if label is None or lacking:
            gaps.leave_out(row.id, why or f"no file data/ID.{lacking[0]}")
            continue
        text, known = decoded(_tweet(root / "data" / f"{row.id}.txt"))
        text = " ".join(text.split())
        if not text:
            gaps.leave_out(row.id, "no text")
            continue
        if not known:
            gaps.other(row.id, "with a text that is not UTF-8, read as Latin-1")
        items.append((row, label, text))
    for stranger in sorted({name.rpartition(".")[0] for name in here if name[0] != "."} - {row.id for row in rows}):
        gaps.leave_out(stranger, "no row of labels")
    return items, gaps


def _tweet(file: Path) -> bytes:
    try:
        return files.read_plain(require_plain(file, MOST_TWEET), MOST_TWEET)
    except OSError as error:
        raise BadDataset(f"{readable(file)} cannot be read ({error.strerror})") from error


def _load(name: str, root: Path, chosen: Choices, partial: bool) -> Dataset:
    items, gaps = _items(name, root, chosen, partial)
    gaps.tell()
    tested = held_out([row.id for row, _, _ in items], chosen.seed, chosen.held_out, f"mvsa:{name} in {root}")
    splits = {}
    for split in ("train", "test"):
        part = [item for item in items if (item[0].id in tested) == (split == "test")]
        splits[split] = Split(
            tuple(row.id for row, _, _ in part),
            np.array([label for _, label, _ in part], dtype=np.int64),
            FileImages([root / "data" / f"{row.id}.jpg" for row, _, _ in part], REFERENCE),
            tuple(text for _, _, text in part),
        )
    return Dataset(f"mvsa:{name}", CLASSES, splits)


def _identity(name: str, root: Path, chosen: Choices) -> str:
    items, _ = _items(name, root, chosen, partial=True)
    paths = [root / LABELS, *(root / "data" / f"{row.id}.{kind}" for row, _, _ in items for kind in ("jpg", "txt"))]
    what = json.dumps([name, asdict(chosen), program_digest((__name__, "mmbench.datasets._collected"), ())])
    return files_identity(what, paths, root, LAYOUT)


def _from_spec(spec: Spec) -> DatasetEntry:
    if spec.name not in KNOWN:
        raise UnknownName("set of MVSA", spec.name, KNOWN)
    options = spec.options
    chosen = Choices(
        options.get("rule", KNOWN[spec.name].rule),  # type: ignore[arg-type]
        options.get("halves", "even"),  # type: ignore[arg-type]
        int(options.get("seed", 0)),
        int(options.get("held_out", 20)),
    )
    return mvsa(spec.name, spec.root, chosen, spec.declared)


SOURCES.add(
    DatasetSource(
        "mvsa",
        "mvsa:NAME?root=DIR",
        _from_spec,
        options=("rule", "halves", "seed", "held_out"),
        needs=("root",),
        values={
            "rule": choice("mean", "majority"),
            "halves": choice("even", "up", "down"),
            "seed": whole(),
            "held_out": PERCENT,
        },
    )
)
