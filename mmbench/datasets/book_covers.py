"""``book_covers:30?root=DIR`` and ``book_covers:28?root=DIR``: covers and titles of books by genre (Iwana et al. 2016).

    book30-listing-train.csv, book30-listing-test.csv        no heading; ASIN, file, address, title, author, class
                                                             number and class name, in UTF-8 or Latin-1 line by line
    bookcover30-labels-train.txt, bookcover30-labels-test.txt  "FILE NUMBER" a line; held against the listing
    covers/FILE                                              the images, or in ``images=FOLDER`` (masked covers)

Train and test are as given. ``text=title`` (the default) adds the titles, in small letters as the thesis encodes them
(``lower=0`` keeps capitals); ``text=none`` reads images alone, for which the label files are enough. Books without
image or title are left out and counted.

28 is the version of Lucieri et al. 2020, with one class removed and two made one; 55,100 books. WHICH CLASSES IS NOT
PUBLISHED. The default is our guess and a warning says so: 27 (Teen & Young Adult) removed, 9 and 21 (Christian Books &
Bibles, Religion & Spirituality) made one. Choose others by their numbers: ``removed=27&merged=9,21``.
"""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmbench import files
from mmbench.datasets._collected import Gaps, decoded, names_in
from mmbench.datasets.declared import Declared, files_identity, inside, is_there, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.images import REFERENCE, FileImages
from mmbench.datasets.notes import note
from mmbench.datasets.source import SOURCES, DatasetSource, Spec
from mmbench.datasets.text_files import lines_of, readable, require_plain
from mmbench.errors import BadDataset, BadSpec, UnknownName
from mmbench.program import program_digest
from mmbench.spec import FLAG, choice, matching

CLASSES = tuple(
    """Arts & Photography
Biographies & Memoirs
Business & Money
Calendars
Children's Books
Comics & Graphic Novels
Computers & Technology
Cookbooks, Food & Wine
Crafts, Hobbies & Home
Christian Books & Bibles
Engineering & Transportation
Health, Fitness & Dieting
History
Humor & Entertainment
Law
Literature & Fiction
Medical Books
Mystery, Thriller & Suspense
Parenting & Relationships
Politics & Social Sciences
Reference
Religion & Spirituality
Romance
Science & Math
Science Fiction & Fantasy
Self-Help
Sports & Outdoors
Teen & Young Adult
Test Preparation
Travel""".splitlines()
)
EACH = {"train": 1_710, "test": 190}  # books of a class
GUESS = (27, (9, 21))
MOST_BYTES = 1 << 26
FIELDS = 7
LAYOUT = (
    "the layout of uchidalab/book-dataset, Task1: book30-listing-SPLIT.csv, bookcover30-labels-SPLIT.txt and a folder "
    "of covers"
)


@dataclass(frozen=True)
class Choices:
    """``removed`` and ``merged`` are numbers of classes: none in the version of 30; ``guessed``: by nobody's choice."""

    text: bool = True
    lower: bool = True
    images: str = "covers"
    removed: int | None = None
    merged: tuple[int, int] | None = None
    guessed: bool = False

    @property
    def place(self) -> dict[int, int]:
        """The label of each published class number; the removed class has none, the merged have one."""
        kept = [number for number in range(len(CLASSES)) if number != self.removed]
        first, second = self.merged or (-1, -1)
        names = [number for number in kept if number != second]
        return {number: names.index(first if number == second else number) for number in kept}

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        of: dict[int, list[str]] = {}
        for number, label in self.place.items():
            of.setdefault(label, []).append(CLASSES[number])
        return tuple(" / ".join(of[label]) for label in sorted(of))


@dataclass(frozen=True)
class Book:
    """One line of a listing; ``title`` is None where only the label file was read."""

    file: str
    label: int
    title: str | None


def book_covers(name: str, root: Path, choices: Choices, declared: Declared | None = None) -> DatasetEntry:
    """A version of Book Covers as an entry; its files are looked for when it is loaded. Counts are the published."""
    count = len(choices.classes)
    books = len(choices.place)
    kind = "book30-listing-{}.csv" if choices.text else "bookcover30-labels-{}.txt"
    needed = [root / kind.format(split) for split in EACH]
    return on_disk(
        f"book_covers:{name}",
        functools.partial(_load, name, root, choices),
        functools.partial(_identity, name, root, choices),
        (declared or Declared()).over(Declared(count, {split: books * each for split, each in EACH.items()})),
        root,
        modalities=("image", "text") if choices.text else ("image",),
        templates=("the cover of a book of the genre {}.",),
        credit="BookCover30 (Iwana et al. 2016), https://github.com/uchidalab/book-dataset",
        licence="covers are copyright of their publishers; for research",
        about=f"Covers{' and titles' * choices.text} of books in {count} genres, read from {root}{_words(choices)}.",
        assets=tuple(f"file:{path}" for path in (*needed, root / choices.images)),
    )


def _words(choices: Choices) -> str:
    if choices.removed is None or choices.merged is None:
        return ""
    removed, merged = CLASSES[choices.removed], " and ".join(CLASSES[number] for number in choices.merged)
    guess = ", a guess of ours" * choices.guessed
    return f"; without {removed}, and with {merged} as one genre{guess}"


# -- the published files -------------------------------------------------------------------------------------------


def read_books(root: Path, split: str, *, titles: bool, gaps: Gaps) -> list[Book]:
    """The books of a split in the order of its listing, or of its label file where there is no listing.

    Where both are there they must agree. Raises MissingAsset and BadDataset, which names the line.
    """
    listing, labels = root / f"book30-listing-{split}.csv", root / f"bookcover30-labels-{split}.txt"
    if not titles and not is_there(listing):
        return [Book(file, label, None) for file, label in _labels(need(labels, LAYOUT)).items()]
    books = _listing(need(listing, LAYOUT), gaps)
    if is_there(labels):
        _compare({book.file: book.label for book in books}, _labels(labels), listing, labels)
    return books


def _lines(file: Path) -> list[tuple[str, bool]]:
    """Lines of mixed encodings; a title in quotes holds no line end."""
    try:
        raw = files.read_plain(require_plain(file, MOST_BYTES), MOST_BYTES)
    except OSError as error:
        raise BadDataset(f"{readable(file)} cannot be read ({error.strerror})") from error
    return [decoded(line) for line in raw.replace(b"\r\n", b"\n").split(b"\n")]


def _listing(file: Path, gaps: Gaps) -> list[Book]:
    books: dict[str, Book] = {}
    for number, (line, known) in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        where = f"{readable(file)}, line {number}"
        try:
            (cells,) = csv.reader([line], strict=True)
        except csv.Error as error:
            raise BadDataset(f"{where} cannot be read as CSV ({error})") from error
        if len(cells) != FIELDS:
            raise BadDataset(f"{where} has {len(cells)} fields, expected {FIELDS}: {_FIELDS}")
        _, name, _, title, _, label, genre = (cell.strip() for cell in cells)
        book = Book(name, _number(label, where), title)
        if CLASSES[book.label] != genre:
            raise BadDataset(f"{where} has the class {label} called {genre[:60]!r}, expected {CLASSES[book.label]!r}")
        if name in books:
            raise BadDataset(f"{where} has the file {name!r} a second time; remove one of the lines")
        if not known:
            gaps.other(name, "with a title or author that is not UTF-8, read as Latin-1")
        books[name] = book
    return list(books.values())


_FIELDS = "ASIN, file, address, title, author, class number, class name"


def _labels(file: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, line in enumerate(lines_of("\n".join(text for text, _ in _lines(file))), start=1):
        if not line.strip():
            continue
        where = f"{readable(file)}, line {number}"
        name, _, label = line.strip().rpartition(" ")
        if not name:
            raise BadDataset(f"{where} is {line[:60]!r}, expected a file, a blank and a class number")
        if name in found:
            raise BadDataset(f"{where} has the file {name!r} a second time; remove one of the lines")
        found[name] = _number(label, where)
    return found


def _number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) < len(CLASSES)):
        raise BadDataset(f"{where} has the class {text[:40]!r}, expected a number from 0 to {len(CLASSES) - 1}")
    return int(text)


def _compare(listed: Mapping[str, int], labelled: Mapping[str, int], listing: Path, labels: Path) -> None:
    for name in {**listed, **labelled}:
        first, second = listed.get(name), labelled.get(name)
        if first != second:
            here, there = ("does not have it" if n is None else f"says {n}" for n in (first, second))
            raise BadDataset(
                f"the class of {name!r}: {readable(listing)} {here}, and {readable(labels)} {there}; copy both again"
            )


# -- items ---------------------------------------------------------------------------------------------------------


def _items(name: str, root: Path, chosen: Choices) -> tuple[dict[str, list[Book]], Gaps]:
    home = inside(root, chosen.images, root)
    here, gaps = names_in(home, LAYOUT), Gaps(f"book_covers:{name}", "books")
    found: dict[str, list[Book]] = {}
    for split in EACH:
        found[split] = []
        for book in read_books(root, split, titles=chosen.text, gaps=gaps):
            if book.label not in chosen.place:
                continue
            if book.file not in here:
                gaps.leave_out(book.file, f"no image in {chosen.images}")
            elif chosen.text and not book.title:
                gaps.leave_out(book.file, "no title")
            else:
                found[split].append(book)
    return found, gaps


def _load(name: str, root: Path, chosen: Choices) -> Dataset:
    parts, gaps = _items(name, root, chosen)
    gaps.tell()
    if chosen.guessed and chosen.removed is not None and chosen.merged is not None:
        names = [CLASSES[number] for number in (chosen.removed, *chosen.merged)]
        note(gaps.where, "classes are removed or made one", names, "a guess: which was not published; see removed=")
    splits = {}
    for split, books in parts.items():
        titles = tuple(" ".join((book.title or "").split()) for book in books)
        splits[split] = Split(
            tuple(book.file for book in books),
            np.array([chosen.place[book.label] for book in books], dtype=np.int64),
            FileImages([root / chosen.images / book.file for book in books], REFERENCE),
            (tuple(map(str.lower, titles)) if chosen.lower else titles) if chosen.text else None,
        )
    return Dataset(f"book_covers:{name}", chosen.classes, splits)


def _identity(name: str, root: Path, chosen: Choices) -> str:
    parts, _ = _items(name, root, chosen)
    tables = [
        path
        for split in EACH
        for path in (root / f"book30-listing-{split}.csv", root / f"bookcover30-labels-{split}.txt")
        if is_there(path)
    ]
    covers = dict.fromkeys(root / chosen.images / book.file for books in parts.values() for book in books)
    what = json.dumps([name, asdict(chosen), program_digest((__name__, "mmbench.datasets._collected"), ())])
    return files_identity(what, [*tables, *covers], root, LAYOUT)


def _from_spec(spec: Spec) -> DatasetEntry:
    if spec.name not in ("28", "30"):
        raise UnknownName("version of Book Covers", spec.name, ("28", "30"))
    options = spec.options
    chosen: dict[str, Any] = {
        "text": options.get("text", "title") == "title",
        "lower": options.get("lower", "1") == "1",
        "images": options.get("images", "covers"),
    }
    own = {key: options[key] for key in ("removed", "merged") if key in options}
    if spec.name == "30":
        if own:
            raise BadSpec(f"{spec.owner}: {next(iter(own))}= belongs to book_covers:28; version 30 has all classes")
        return book_covers(spec.name, spec.root, Choices(**chosen), spec.declared)
    removed = int(options.get("removed", GUESS[0]))
    first, second = sorted(map(int, options["merged"].split(","))) if "merged" in options else GUESS[1]
    if len({removed, first, second}) < 3 or max(removed, second) >= len(CLASSES):
        raise BadSpec(f"{spec.owner}: removed= and merged= are three different numbers from 0 to {len(CLASSES) - 1}")
    guessed = len(own) < 2
    made = Choices(**chosen, removed=removed, merged=(first, second), guessed=guessed)
    return book_covers(spec.name, spec.root, made, spec.declared)


SOURCES.add(
    DatasetSource(
        "book_covers",
        "book_covers:NAME?root=DIR",
        _from_spec,
        options=("text", "lower", "images", "removed", "merged"),
        needs=("root",),
        values={
            "text": choice("title", "none"),
            "lower": FLAG,
            "removed": matching("[0-9]{1,2}", "the number of a class"),
            "merged": matching("[0-9]{1,2},[0-9]{1,2}", "two numbers of classes with a comma between"),
        },
    )
)
