"""Film titles by genre, drawn as title cards: the title can be read as text, seen as a picture, or masked.

58,788 titles with seven genres (ggplot2's movies, from IMDb); those of exactly one genre are used, as many of each.
The card itself shows one fact about the film: its tone follows the decade.
"""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.assets import GGPLOT_MOVIES, read_member
from mmbench.datasets import _cards, _fonts, _views
from mmbench.datasets._cards import SIZE, Box, entitle, kept_boxes, titles_painted_over
from mmbench.datasets._rendered import Dice, RenderedImages, identity_of, to_bytes
from mmbench.datasets.derived import masked
from mmbench.datasets.entry import DATASETS, Ceiling, Dataset, DatasetEntry, Split

GENRES = ("Action", "Animation", "Comedy", "Documentary", "Drama", "Romance", "Short")
EACH = {"train": 80, "test": 100}
MODULES = (__name__, *_cards.MODULES)


@dataclass(frozen=True)
class Film:
    title: str
    year: int
    genre: int


@functools.cache
def films() -> tuple[Film, ...]:
    """Films of exactly one genre whose title does not name it, one a title, in the file's order; about 0.5 s."""
    lines = csv.reader(io.StringIO(read_member(GGPLOT_MOVIES, "ggplot/datasets/movies.csv").decode()))
    header = next(lines)
    title_at, year_at, *genres_at = (header.index(column) for column in ("title", "year", *GENRES))
    found: dict[str, Film] = {}
    for row in lines:
        genres = [label for label, column in enumerate(genres_at) if row[column] == "1"]
        title = spoken(row[title_at])
        if len(genres) == 1 and 2 <= len(title) <= 40 and not any(name.lower() in title.lower() for name in GENRES):
            found.setdefault(title.lower(), Film(title, int(row[year_at]), genres[0]))
    return tuple(found.values())


def ceiling_by_decade() -> float:
    """Accuracy (percent), all genres weighted alike, of the best prediction from a film's decade.

    A masked card shows no more; how much a title says about the genre is not known, so the other set has no ceiling.
    """
    decades = np.array([[film.genre, film.year // 10] for film in films()])
    counts = np.stack([np.bincount(decades[decades[:, 0] == g, 1], minlength=220) for g in range(len(GENRES))])
    return 100.0 * float((counts / counts.sum(axis=1, keepdims=True)).max(axis=0).sum() / len(GENRES))


def spoken(title: str) -> str:
    """``Kid, The`` as written in a text: ``The Kid``."""
    head, comma, article = title.rpartition(", ")
    if comma and article in {"The", "A", "An", "L'", "La", "Le", "Les", "El", "Los", "Las", "Der", "Die", "Das", "Il"}:
        return article + ("" if article.endswith("'") else " ") + head
    return title


def chosen(split: str) -> list[Film]:
    """The films of a split: as many of each genre, drawn once; no title is in two splits."""
    everything = films()
    picked: list[Film] = []
    for genre in range(len(GENRES)):
        members = [film for film in everything if film.genre == genre]
        order = Dice("titles", genre).order(len(members))
        start = 0 if split == "test" else EACH["test"]
        picked += [members[i] for i in order[start : start + EACH[split]]]
    return [picked[i] for i in Dice("titles", split).order(len(picked))]


def identity(part: str = "cards") -> str:
    return identity_of(part, GGPLOT_MOVIES.sha256, _fonts.identity(), modules=MODULES)


def load() -> Dataset:
    splits = {}
    for split in EACH:
        shown = chosen(split)
        render = functools.partial(_render, shown)
        splits[split] = Split(
            tuple(f"film-{film.title}" for film in shown),
            np.array([film.genre for film in shown], dtype=np.int64),
            RenderedImages(f"title_cards-{split}", identity(), len(shown), render),
            tuple(film.title for film in shown),
        )
    return Dataset("title_cards", GENRES, splits)


def _render(shown: Sequence[Film]) -> NDArray[np.uint8]:
    return np.stack([card(film)[0] for film in shown])


@functools.cache
def boxes() -> dict[str, Box]:
    """The box of each card's title, by the card's id; no title is in two splits."""
    shown = [film for split in EACH for film in chosen(split)]
    ids = [f"film-{film.title}" for film in shown]
    return kept_boxes("title_cards-boxes", identity("boxes"), ids, lambda row: card(shown[row])[1])


# -- cards ---------------------------------------------------------------------------------------------------------


def card(film: Film) -> tuple[NDArray[np.uint8], Box]:
    """The card of a film, uint8 ``[72, 72, 3]``, and the box that holds its title.

    The tone follows the decade; font, size, place and colour of the title do not depend on the genre.
    """
    dice = Dice("title card", film.title)
    canvas, box = entitle(_frame(tone(film.year, dice), dice), film.title, dice)
    return to_bytes(canvas), box


def tone(year: int, dice: Dice) -> _views.Canvas:
    """A background in the style of the time: grey for silent films, warm until the sixties, then more vivid."""
    vivid = float(np.clip((year - 1925) / 80, 0.0, 0.8))
    canvas = _views.background(SIZE, SIZE, dice, vivid=vivid)
    warmth = float(np.clip(1.0 - abs(year - 1945) / 30, 0.0, 1.0)) * 0.15
    return np.clip(canvas + np.array([warmth, warmth / 3, -warmth], dtype=np.float32), 0.0, 1.0)


def _frame(canvas: _views.Canvas, dice: Dice) -> _views.Canvas:
    """Some cards have a thin frame."""
    if dice.uniform() < 0.4:
        inset, shade = dice.integer(2, 5), np.float32(dice.uniform())
        canvas = canvas.copy()
        for rows, columns in ((inset, slice(inset, -inset)), (slice(inset, -inset), inset)):
            canvas[rows, columns] = shade
            mirrored = tuple(-inset - 1 if part == inset else part for part in (rows, columns))
            canvas[mirrored] = shade
    return canvas


_ABOUT = (
    "Titles of real films of one genre out of seven, as text and drawn on a card whose tone follows the film's decade; "
    "font, size and place of the title do not depend on the genre, and titles that name it are left out. "
)
_CARDS = DATASETS.add(
    DatasetEntry(
        name="title_cards",
        load=load,
        identity=identity,
        classes=len(GENRES),
        counts={split: each * len(GENRES) for split, each in EACH.items()},
        modalities=("image", "text"),
        templates=("a {} film.", "the title of a {} film."),
        credit=GGPLOT_MOVIES.credit,
        licence="as IMDb's data",
        about=f"{_ABOUT}Stands in for book_covers: a model that reads gains from the picture, others see the decade "
        "only.",
        assets=(GGPLOT_MOVIES.name,),
        origin="titles",
    )
)
MASK = titles_painted_over(lambda item: boxes()[item], functools.partial(identity, "title painted over"))
DATASETS.add(
    masked(
        _CARDS,
        MASK,
        name="title_cards_masked",
        about=f"{_ABOUT}The title's box is painted over in the picture. Stands in for book_covers_masked.",
        ceilings=(Ceiling("the film's decade", ceiling_by_decade),),
    )
)
