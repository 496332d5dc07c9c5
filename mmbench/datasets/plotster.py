"""``plotster:films?root=DIR`` and ``plotster:recent?root=DIR``: film posters with several genres, titles and plots.

Plotster (Bielawski 2022, section 5.3) was published as lists of ids and a script; its posters and texts must be
collected again from TMDb. This reads what the script leaves, beside the lists:

    posters/movie_data                CSV: id, title, genre, Plot, rating, vote_count, release_date; a genre cell is
                                      the Python text of a list of {'id': NUMBER, 'name': NAME}, and is only parsed
    posters/poster_ID.jpg             or in ``images=FOLDER``: posters_without_text for masked posters
    list_clear_id_train, _valid, _test  the ids (``mmbench.datasets.id_lists``), perhaps with .txt or .json behind; the
                                      published ones are pickles, which are never run

``recent`` tests on the films of a second crawl instead, with the heads of the first:

    poster_after_CLIP/posters/movie_data_rating_after_CLIP, poster_AC_ID.jpg    the same columns (Plot or plot)
    list_clear_id_test_after_CLIP     the ids, where it is there (it was not published); else every row counts

Options: ``text=none`` (images alone, the default), ``title`` or ``plot``, in small letters unless ``lower=0``.
``together=1`` makes train and valid one split, as the thesis counts (189,185; D-13). ``after=DATE`` tests only on
films released later, by release_date; for ``recent`` the default is 2021-01-05. ``lists=own`` says that the lists are
not the published ones, whose sizes are checked. Films without poster, row, plot, title or genre are left out and
counted, whatever the text is, so that all variants have the same items. Missing is an empty cell: the public code reads
with pandas, for which NA, null and nan are missing too.
"""

from __future__ import annotations

import ast
import datetime
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mmbench.datasets._collected import Gaps, names_in
from mmbench.datasets.declared import Declared, files_identity, inside, is_there, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.id_lists import read_ids
from mmbench.datasets.images import REFERENCE, FileImages
from mmbench.datasets.notes import note
from mmbench.datasets.source import SOURCES, DatasetSource, Spec
from mmbench.datasets.table import read_rows
from mmbench.datasets.text_files import readable
from mmbench.errors import BadDataset, MissingAsset, UnknownName
from mmbench.program import program_digest
from mmbench.spec import FLAG, Value, choice

GENRES = {
    28: "Action",
    12: "Adventure",
    16: "Animation",
    35: "Comedy",
    80: "Crime",
    99: "Documentary",
    18: "Drama",
    10751: "Family",
    14: "Fantasy",
    36: "History",
    27: "Horror",
    10402: "Music",
    9648: "Mystery",
    10749: "Romance",
    878: "Science Fiction",
    10770: "TV Movie",
    53: "Thriller",
    10752: "War",
    37: "Western",
}
PLACE = {genre: place for place, genre in enumerate(GENRES)}
SIZES = {"train": 187_105, "valid": 2_080, "test": 18_717}  # of the published lists
AFTER_CLIP = "2021-01-05"
NAMES = ("films", "recent")
MOST_CELL = 4_096  # characters of genres; the longest has a few hundred
LAYOUT = "Plotster's layout: posters/movie_data, posters/poster_ID.jpg and list_clear_id_train, _valid and _test"
LATER = "poster_after_CLIP/posters"
LATER_LAYOUT = f"the layout of Plotster's second crawl: {LATER}/ with movie_data_rating_after_CLIP and poster_AC_ID.jpg"

Text = Literal["none", "title", "plot"]


@dataclass(frozen=True)
class Choices:
    """Which text an item has, whether lists are the published ones, and how the split is read."""

    text: Text = "none"
    lower: bool = True
    images: str = "posters"
    together: bool = False
    after: str = ""
    published: bool = True


@dataclass(frozen=True)
class Film:
    """One row of a table; ``genres`` are places in ``GENRES``, ``released`` None where the table has no date."""

    id: str
    title: str
    plot: str
    genres: tuple[int, ...]
    released: datetime.date | None


@dataclass(frozen=True)
class Part:
    """The films of a split, with their images."""

    films: list[Film]
    posters: list[Path]


def plotster(name: str, root: Path, choices: Choices | None = None, declared: Declared | None = None) -> DatasetEntry:
    """Plotster as an entry; its files are looked for when it is loaded. Raises UnknownName."""
    if name not in NAMES:
        raise UnknownName("set of Plotster", name, NAMES)
    chosen = choices or Choices(after=AFTER_CLIP if name == "recent" else "")
    tested = "its test list" if name == "films" else "films of the second crawl"
    needed = [*([root / LATER] if name == "recent" else []), root / "posters" / "movie_data"]
    return on_disk(
        f"plotster:{name}",
        functools.partial(_load, name, root, chosen),
        functools.partial(_identity, name, root, chosen),
        (declared or Declared()).over(Declared(len(GENRES))),
        root,
        modalities=("image",) if chosen.text == "none" else ("image", "text"),
        task="multi",
        templates=("the poster of a film of the genre {}.",),
        credit="Plotster (Bielawski 2022), https://github.com/Bila12/Plotster_dataset; posters and texts from TMDb",
        licence="TMDb's terms of use; may not be distributed",
        about=f"Film posters by genre, read from {root}, tested on {tested}"
        + (f" released after {chosen.after}." if chosen.after else "."),
        assets=tuple(f"file:{path}" for path in dict.fromkeys([*needed, root / chosen.images])),
    )


# -- tables and lists ----------------------------------------------------------------------------------------------


def read_films(
    file: Path, layout: str, gaps: Gaps, wanted: frozenset[str] | None, unused: frozenset[str] = frozenset()
) -> dict[str, Film]:
    """The films of a table by id, of ``wanted`` ids alone where they are given; ``gaps`` takes those left out.

    Rows of the ids ``unused`` are passed over without being counted. Raises MissingAsset and BadDataset, which names
    the line, for an id given twice and for genres that cannot be read.
    """
    found: dict[str, Film] = {}
    seen: set[str] = set()
    for where, row in read_rows(need(file, layout), delimiter=","):
        plot = "plot" if "plot" in row and "Plot" not in row else "Plot"
        for column in ("id", "title", "genre", plot, "release_date"):
            if column not in row:
                raise BadDataset(f"{where} has no column {column!r}; it has {', '.join(map(repr, row))}")
            if row[column] is None:
                raise BadDataset(f"{where} has fewer cells than the heading has columns; copy the table again")
        item = row["id"].strip()
        if item in seen:
            raise BadDataset(f"{where} has the id {item!r} a second time; remove one of the rows")
        seen.add(item)
        if item in unused:
            continue
        if wanted is not None and item not in wanted:
            gaps.leave_out(item, "in no list of ids")
            continue
        genres, texts = _genres(row["genre"], where), [" ".join(row[column].split()) for column in ("title", plot)]
        fields = {"plot": texts[1], "title": texts[0], "genre": genres}
        lacking = next((field for field, there in fields.items() if not there), "")
        if lacking:
            gaps.leave_out(item, f"no {lacking}")
        else:
            found[item] = Film(item, texts[0], texts[1], genres, _date(row["release_date"]))
    if wanted is not None:
        for item in sorted(wanted - seen):
            gaps.leave_out(item, f"no row in {file.name}")
    return found


def _genres(cell: str, where: str) -> tuple[int, ...]:
    try:
        return genres_of(cell.strip())
    except ValueError as error:
        raise BadDataset(f"{where} has the genres {cell[:60]!r}: {error}") from None


@functools.lru_cache(maxsize=1 << 16)
def genres_of(cell: str) -> tuple[int, ...]:
    """Places in ``GENRES`` of the genres that the Python text ``[{'id': 18, 'name': 'Drama'}, ...]`` names, in order.

    The text is parsed and never run; raises ValueError, which says what is wrong with it.
    """
    if len(cell) > MOST_CELL:
        raise ValueError(f"they have more than {MOST_CELL:,} characters")
    try:
        found = ast.literal_eval(cell)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(each, dict) and type(each.get("id")) is int for each in found):
        raise ValueError("expected the text of a list of {'id': NUMBER, 'name': NAME}")
    for each in found:
        if each["id"] not in PLACE:
            raise ValueError(f"the genre {each['id']} is not one of TMDb's {len(GENRES)} genres of films")
    return tuple(sorted({PLACE[each["id"]] for each in found}))


def _date(cell: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(cell.strip())
    except ValueError:
        return None


def list_file(root: Path, split: str) -> Path:
    """The file of a list of ids. Raises MissingAsset for none, BadDataset for several."""
    name = f"list_clear_id_{split}"
    found = [path for path in (root / f"{name}{end}" for end in ("", ".txt", ".json")) if is_there(path)]
    if len(found) > 1:
        raise BadDataset(f"{readable(found[0])} and {found[1].name} are there; keep one of them")
    return found[0] if found else need(root / name, LAYOUT)


def read_lists(root: Path, published: bool) -> dict[str, tuple[str, ...]]:
    """The ids of each split. Raises MissingAsset, and BadDataset for an id given twice and for unpublished sizes."""
    found: dict[str, tuple[str, ...]] = {}
    home: dict[str, str] = {}
    for split, size in SIZES.items():
        file = list_file(root, split)
        found[split] = read_ids(file)
        if published and len(found[split]) != size:
            raise BadDataset(
                f"{readable(file)} has {len(found[split]):,} ids, expected {size:,}; is it complete? Say lists=own if "
                "it is not the published list"
            )
        for item in found[split]:
            if item in home:
                raise BadDataset(f"{readable(file)} has the id {item!r}, which is in the list of {home[item]} already")
            home[item] = split
    return found


# -- items ---------------------------------------------------------------------------------------------------------


def _parts(name: str, root: Path, chosen: Choices) -> tuple[dict[str, Part], list[Gaps], list[str]]:
    """The films of each split, what was left out, and the ids that a later test shares with the lists."""
    lists = read_lists(root, chosen.published)
    used = {split: items for split, items in lists.items() if name == "films" or split != "test"}
    gaps = later = Gaps(f"plotster:{name}", "films")
    wanted = frozenset(item for items in used.values() for item in items)
    unused = frozenset(item for items in lists.values() for item in items) - wanted
    films = read_films(root / "posters" / "movie_data", LAYOUT, gaps, wanted, unused)
    folder = inside(root, chosen.images, root)
    here = names_in(folder, LAYOUT)
    parts = {
        split: _with_posters((films[item] for item in items if item in films), folder, "poster_", here, gaps)
        for split, items in used.items()
    }
    shared: list[str] = []
    if name == "recent":
        later = Gaps(f"plotster:{name}", "films of the second crawl")
        parts["test"] = _second_crawl(root, later)
        shared = [film.id for film in parts["test"].films if film.id in wanted | unused]
    everything = [gaps] if later is gaps else [gaps, later]
    if chosen.after:
        parts["test"] = _released_after(parts["test"], datetime.date.fromisoformat(chosen.after), later)
    if chosen.together:
        valid = parts.pop("valid")
        parts["train"] = Part(parts["train"].films + valid.films, parts["train"].posters + valid.posters)
    for split, part in parts.items():
        if not part.films:
            raise BadDataset(f"plotster:{name} in {readable(root)} has no film left in {split!r}; {_said(everything)}")
    kept = {film.id for film in parts["test"].films}
    return parts, everything, [item for item in shared if item in kept]


def _said(gaps: Iterable[Gaps]) -> str:
    counts = [f"{len(names):,} with {why}" for each in gaps for why, names in each.left_out.items()]
    return f"left out were {', '.join(counts)}" if counts else "its list is empty"


def _second_crawl(root: Path, gaps: Gaps) -> Part:
    folder = root / LATER
    try:
        wanted = frozenset(read_ids(list_file(root, "test_after_CLIP")))
    except MissingAsset:
        wanted = None
    films = read_films(folder / "movie_data_rating_after_CLIP", LATER_LAYOUT, gaps, wanted)
    return _with_posters(films.values(), folder, "poster_AC_", names_in(folder, LATER_LAYOUT), gaps)


def _with_posters(films: Iterable[Film], folder: Path, prefix: str, here: frozenset[str], gaps: Gaps) -> Part:
    part = Part([], [])
    for film in films:
        file = f"{prefix}{film.id}.jpg"
        if file in here:
            part.films.append(film)
            part.posters.append(folder / file)
        else:
            gaps.leave_out(film.id, "no poster")
    return part


def _released_after(part: Part, date: datetime.date, gaps: Gaps) -> Part:
    kept = Part([], [])
    for film, poster in zip(part.films, part.posters, strict=True):
        if film.released is None:
            gaps.leave_out(film.id, "no date of release")
        elif film.released <= date:
            gaps.leave_out(film.id, f"released by {date}")
        else:
            kept.films.append(film)
            kept.posters.append(poster)
    return kept


def _load(name: str, root: Path, chosen: Choices) -> Dataset:
    parts, gaps, shared = _parts(name, root, chosen)
    for each in gaps:
        each.tell()
    note(f"plotster:{name}", "films of the second crawl are in Plotster's lists too", shared)
    return Dataset(f"plotster:{name}", tuple(GENRES.values()), _splits(parts, chosen), task="multi")


def _splits(parts: Mapping[str, Part], chosen: Choices) -> dict[str, Split]:
    splits = {}
    for split, part in parts.items():
        labels = np.zeros((len(part.films), len(GENRES)), dtype=bool)
        for row, film in enumerate(part.films):
            labels[row, list(film.genres)] = True
        texts = None
        if chosen.text != "none":
            texts = tuple(film.title if chosen.text == "title" else film.plot for film in part.films)
            texts = tuple(map(str.lower, texts)) if chosen.lower else texts
        ids = tuple(film.id for film in part.films)
        splits[split] = Split(ids, labels, FileImages(part.posters, REFERENCE), texts)
    return splits


def _identity(name: str, root: Path, chosen: Choices) -> str:
    parts, _, _ = _parts(name, root, chosen)
    tables = [root / "posters" / "movie_data", *(list_file(root, split) for split in SIZES)]
    if name == "recent":
        tables.append(root / LATER / "movie_data_rating_after_CLIP")
    ids = {split: [film.id for film in part.films] for split, part in parts.items()}
    what = json.dumps([name, asdict(chosen), ids, program_digest((__name__, "mmbench.datasets._collected"), ())])
    return files_identity(what, [*tables, *(p for part in parts.values() for p in part.posters)], root, LAYOUT)


def _from_spec(spec: Spec) -> DatasetEntry:
    options = spec.options
    chosen = Choices(
        options.get("text", "none"),  # type: ignore[arg-type]
        options.get("lower", "1") == "1",
        options.get("images", "posters"),
        spec.flag("together"),
        options.get("after", AFTER_CLIP if spec.name == "recent" else ""),
        options.get("lists", "published") == "published",
    )
    return plotster(spec.name, spec.root, chosen, spec.declared)


def _is_date(text: str) -> bool:
    return len(text) == len(AFTER_CLIP) and _date(text) is not None


SOURCES.add(
    DatasetSource(
        "plotster",
        "plotster:NAME?root=DIR",
        _from_spec,
        options=("text", "lower", "images", "together", "after", "lists"),
        needs=("root",),
        values={
            "text": choice("none", "title", "plot"),
            "lower": FLAG,
            "together": FLAG,
            "after": Value("a date such as 2021-01-05", _is_date),
            "lists": choice("published", "own"),
        },
    )
)
