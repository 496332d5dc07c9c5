"""Posters made of unseen drawings, with several labels, a title and a plot: the stand-in for film posters by genre.

A poster shows one to four drawings, most often one or two; its labels are their tags, which are groups of Unicode's
subcategories, made by people who had no model in mind. The title names at most two of the drawings, the plot all of
them; neither contains the word of any label. Items of the variants (masked, with title, with plot) share their ids.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets import _cards, _fonts, _views, openmoji
from mmbench.datasets._cards import SIZE, Box, entitle, kept_boxes, titles_painted_over
from mmbench.datasets._rendered import Dice, RenderedImages, identity_of, to_bytes
from mmbench.datasets.derived import masked
from mmbench.datasets.drawn import CONCEPTS, halves
from mmbench.datasets.entry import DATASETS, Ceiling, Dataset, DatasetEntry, Split
from mmbench.datasets.groups import grouped

# Groups of Unicode's subcategories that drawings are taken from, by the tag they give. The larger tags are shown more
# often: with outputs rounded at one half, as the protocol has it, rare labels are hardly ever predicted by anyone.
GROUPS = {
    "animal": (("animal-",),),
    "face": (("face-", "cat-face", "monkey-face"),),
    "food": (("food-", "drink", "dishware"),),
    "object": (
        ("clothing",),
        ("tool", "household"),
        ("computer", "phone", "light & video", "mail", "book-paper", "writing"),
        ("game", "sport", "event", "arts & crafts", "award-medal"),
    ),
    "person": (("person", "family"), ("hand", "body-parts")),
    "place": (("place-",),),
    "vehicle": (("transport-air", "transport-ground", "transport-water"),),
    "weather": (("sky & weather",),),
}
TAGS = tuple(GROUPS)
POOLS = tuple((tag, beginnings) for tag, groups in GROUPS.items() for beginnings in groups)
COUNTS = {"train": 450, "test": 450}
# Chances of a first, second, ... drawing: 1.7 labels a poster on the mean, as Plotster has; recent posters show more.
SHARES = {"train": (1.0, 0.5, 0.2), "test": (1.0, 0.5, 0.2), "recent": (1.0, 0.7, 0.4, 0.2)}
MODULES = (__name__, "mmbench.datasets.drawn", "mmbench.datasets.groups", *_cards.MODULES)

# Words that would give a label away: its own word and its plain synonyms, singular and plural.
TELLTALE = frozenset(
    "animal animals body hand hands face faces head food drink object objects thing things person persons "
    "people man men woman women boy girl place places vehicle vehicles weather".split()
)
TITLES = ("The {0}", "{0}", "{0} for Two", "Return of the {0}", "My {0}", "{0} Forever", "The Last {0}")
DOUBLE_TITLES = ("{0} and {1}", "The {0} and the {1}", "{0} Against {1}", "From {0} to {1}", "{0}, {1}")
OPENINGS = ("It begins with {0}", "Nobody expected {0}", "One day there is {0}", "All that is left is {0}")
TURNS = ("then comes {0}", "but nothing prepares them for {0}", "and soon they meet {0}", "until they find {0}")
ENDINGS = ("and nothing is as it was.", "and the night is long.", "and everyone remembers it.", "and love is near.")

Text = Literal["title", "plot"] | None
Series = Literal["train", "test", "recent"]


@dataclass(frozen=True)
class Poster:
    """What a poster shows: ``rows`` of ``openmoji.drawings()``, one a pool, with its tags, title and plot."""

    id: str
    rows: tuple[int, ...]
    tags: tuple[int, ...]
    title: str
    plot: str


@functools.cache
def posters(series: Series) -> tuple[Poster, ...]:
    """The posters of a series. ``recent`` shows the concepts of ``test``, more of them at once, in another style."""
    side = "train" if series == "train" else "test"
    pool = _pools()[side]
    found = []
    for number in range(COUNTS[side]):
        dice = Dice("posters", series, number)
        count = sum(dice.uniform() < share for share in SHARES[series])
        picked = sorted(dice.sample(range(len(POOLS)), count))
        rows = [dice.pick(pool[str(index)]) for index in picked]
        tags = sorted({TAGS.index(POOLS[index][0]) for index in picked})
        title, plot = _texts_of([_names(row) for row in rows], dice)
        found.append(Poster(f"poster-{series}-{number:04d}", tuple(rows), tuple(tags), title, plot))
    return tuple(found)


@functools.cache
def _pools() -> dict[str, dict[str, list[int]]]:
    """By split and pool, the unseen drawings that have a name without a telltale word; the splits share no concept."""
    classes: dict[str, list[int]] = {str(index): [] for index in range(len(POOLS))}
    for row in openmoji.unseen():
        for index, (_, beginnings) in enumerate(POOLS):
            if openmoji.catalogue()[row].subcategory.startswith(beginnings) and _names(row):
                classes[str(index)].append(row)
    return halves(classes, "posters")


def _names(row: int) -> list[str]:
    """Names of a drawing without the telltale words; empty when nothing is left of them."""
    item = openmoji.catalogue()[row]
    return [name for name in map(without_telltales, (item.name, *item.keywords)) if len(name) > 2]


def without_telltales(name: str) -> str:
    """A name in small letters without the words that would give a label away."""
    words = re.findall(r"[\w’'.]+(?:-[\w’'.]+)*", name.lower())
    kept = [word for word in words if not TELLTALE & set(word.split("-"))]
    while kept and kept[0] in {"with", "and", "of", "on", "in", "the", "for"}:
        kept = kept[1:]
    while kept and kept[-1] in {"with", "and", "of", "on", "in", "the", "for", "without"}:
        kept = kept[:-1]
    return " ".join(kept)


def _texts_of(names: Sequence[Sequence[str]], dice: Dice) -> tuple[str, str]:
    """A title that names one or two of the drawings, and a plot that names all, in any order."""
    order = dice.order(len(names))
    first = [str(names[i][0]).title() for i in order[:2]]
    both = len(first) == 2 and dice.uniform() < 0.5
    title = dice.pick(DOUBLE_TITLES).format(*first) if both else dice.pick(TITLES).format(first[0])
    named = [f"the {dice.pick(names[i])}" for i in dice.order(len(names))]
    turns = [dice.pick(TURNS).format(name) for name in named[1:]]
    return title, ", ".join([dice.pick(OPENINGS).format(named[0]), *turns, dice.pick(ENDINGS)])


def ceiling_by_title(series: Literal["test", "recent"]) -> float:
    """Mean F1 over posters of a prediction from the tags of the drawings that the title names, and nothing else."""
    scores = []
    for item in posters(series):
        title = item.title.lower()
        tags = {_tag(row) for row in item.rows if str(_names(row)[0]) in title}
        scores.append(2 * len(tags) / (len(tags) + len(item.tags)))
    return float(np.mean(scores))


def _tag(row: int) -> int:
    subcategory = openmoji.catalogue()[row].subcategory
    return TAGS.index(next(tag for tag, beginnings in POOLS if subcategory.startswith(beginnings)))


# -- pictures ------------------------------------------------------------------------------------------------------

USUAL = _views.View(angle=15, scale=(0.75, 1.0))
RECENT = _views.View(angle=35, scale=(0.6, 0.9), hue=70, light=0.4)


def poster(item: Poster) -> tuple[NDArray[np.uint8], Box]:
    """The picture of a poster, uint8 ``[72, 72, 3]``, and the box that holds its title."""
    dice, recent = Dice("poster", item.id), "-recent-" in item.id
    canvas = _views.background(SIZE, SIZE, dice, vivid=0.9 if recent else 0.5)
    cells = _cells(len(item.rows), dice)
    for row, (top, left, side) in zip(item.rows, cells, strict=True):
        drawing = openmoji.drawings(72).pixels[row]
        piece = _views.layer(drawing, side, side, RECENT if recent else USUAL, dice)
        canvas[top : top + side, left : left + side] = _views.over(canvas[top : top + side, left : left + side], piece)
    canvas, box = entitle(canvas, item.title, dice)
    return to_bytes(canvas), box


@functools.cache
def boxes(series: Series) -> dict[str, Box]:
    """The box of each poster's title, by the poster's id."""
    items = posters(series)
    return kept_boxes(
        f"posters-boxes-{series}", identity("boxes"), [p.id for p in items], lambda row: poster(items[row])[1]
    )


def _box(item: str) -> Box:
    found: Series = "train" if "-train-" in item else "test" if "-test-" in item else "recent"
    return boxes(found)[item]


def _cells(count: int, dice: Dice) -> list[tuple[int, int, int]]:
    """Top, left and side of the squares that hold ``count`` drawings; they lie in quarters and may overlap a little."""
    side = {1: 52, 2: 40, 3: 36, 4: 36}[count]
    room = SIZE - side
    if count == 1:
        return [(dice.integer(0, room), dice.integer(0, room), side)]
    corners = dice.sample([(0, 0), (room, room), (0, room), (room, 0)], count)
    return [(corner[0], corner[1], side) for corner in corners]


# -- entries -------------------------------------------------------------------------------------------------------


def identity(variant: str) -> str:
    return identity_of(variant, openmoji.identity(), _fonts.identity(), modules=MODULES)


def load(name: str, test: Literal["test", "recent"], text: Text) -> Dataset:
    splits = {"train": _split("train", text), "test": _split(test, text)}
    return Dataset(name, TAGS, splits, task="multi")


def _split(series: Series, text: Text) -> Split:
    items = posters(series)
    labels = np.zeros((len(items), len(TAGS)), dtype=bool)
    for row, item in enumerate(items):
        labels[row, list(item.tags)] = True
    images = RenderedImages(  # of one key for all variants, which differ in their texts alone
        f"posters-whole-{series}", identity("whole"), len(items), functools.partial(_render, items)
    )
    texts = {None: None, "title": tuple(item.title for item in items), "plot": tuple(item.plot for item in items)}
    shown = grouped([[openmoji.catalogue()[row].concept for row in item.rows] for item in items], CONCEPTS)
    return Split(tuple(item.id for item in items), labels, images, texts[text], shown)


def _render(items: Sequence[Poster]) -> NDArray[np.uint8]:
    return np.stack([poster(item)[0] for item in items])


def _add(name: str, about: str, *, test: Literal["test", "recent"] = "test", text: Text = None) -> DatasetEntry:
    return DATASETS.add(
        DatasetEntry(
            name=name,
            load=functools.partial(load, name, test, text),
            identity=functools.partial(identity, name),
            classes=len(TAGS),
            counts=COUNTS,
            modalities=("image",) if text is None else ("image", "text"),
            task="multi",
            templates=("a picture with a {}.", "a drawing of a {}."),
            ceilings=(
                Ceiling("which drawings it shows", lambda: 1.0),
                Ceiling("the drawings that the title names", functools.partial(ceiling_by_title, test)),
            ),
            credit=openmoji.CREDIT,
            licence=openmoji.LICENCE,
            about=f"{_ABOUT} {about}",
            assets=tuple(asset.name for asset in openmoji.SOURCES),
            origin="openmoji",
        )
    )


MASK = titles_painted_over(_box, functools.partial(identity, "title painted over"))


def _add_masked(parent: DatasetEntry, about: str) -> None:
    """``parent`` without its titles in the pictures. Its ceilings hold: they rest on drawings and titles as such."""
    DATASETS.add(
        masked(parent, MASK, name=f"{parent.name}_masked", about=f"{_ABOUT} {about}", ceilings=parent.ceilings)
    )


_ABOUT = (
    "Posters composed of one to four drawings that the zoo never saw, labelled with their tags (eight groups of "
    "Unicode's subcategories); the test shows concepts that the training split does not. A stand-in for Plotster, "
    "whose film posters may not be distributed: several human-made labels an item, a title that names some drawings "
    "and a plot that names all, none with a label's own word; no film and no genre."
)
_LATER = (
    "The test posters are of another style (more drawings at once, smaller, recoloured), a stand-in for films released "
    "later; they have no date."
)
_POSTERS = _add("posters", "Pictures only; the title is drawn on them.")
_TITLE = _add("posters_title", "With the title as text.", text="title")
_PLOT = _add("posters_plot", "With the plot as text.", text="plot")
_add_masked(_POSTERS, "Pictures only, the title's box painted over.")
_add_masked(_TITLE, "With the title as text, painted over in the picture.")
_add_masked(_PLOT, "With the plot as text; the title painted over in the picture.")
_add("posters_recent", _LATER, test="recent")
_add("posters_recent_title", f"With the title as text. {_LATER}", test="recent", text="title")
