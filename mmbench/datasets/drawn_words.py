"""Drawings of things by a word for each: ``drawn_words``, the images behind the visual words of the embedded lineup.

A drawing's word is its name where that is one word, else what it shows where that is one word (its concept, as
``mmbench.datasets.openmoji`` has it), else the last word of its group where that names a kind of thing
("animal-mammal": mammal). This taxonomy is that of the drawings; it stands in for WordNet's hypernyms. Faces, symbols
and flags are left out: they are drawings of no thing. Unlike the other datasets of drawings this one shows concepts
that the zoo was trained on too, as the validation images of ImageNet show classes that most networks were trained on.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets import _views, openmoji
from mmbench.datasets._drawings import Drawing
from mmbench.datasets._rendered import Dice, RenderedImages, identity_of, to_bytes
from mmbench.datasets._views import View
from mmbench.datasets.entry import DATASETS, Dataset, DatasetEntry, Split

NAME = "drawn_words"
SIZE = 64
VIEWS = {"train": 1, "test": 2}  # of each word
CATEGORIES = ("Activities", "Animals & Nature", "Food & Drink", "Objects", "People & Body", "Travel & Places")
# Last words of groups that name what is drawn; of the others ("food-prepared", "hand-fingers-open") nothing is taken.
KINDS = frozenset(
    "mammal bird reptile bug fruit vegetable flower drink dishware building clothing sport game tool money instrument "
    "phone computer lock family mail medal".split()
)
MODULES = (__name__, "mmbench.datasets._views", "mmbench.datasets._rendered")


def word_of(drawing: Drawing) -> str:
    """The one word that the drawing stands for, in small letters; empty where its taxonomy has none."""
    for text in (drawing.name, drawing.concept):
        if re.fullmatch("[a-z]{2,}", text.lower()):
            return text.lower()
    kind = drawing.subcategory.rpartition("-")[2]
    return kind if kind in KINDS else ""


@functools.cache
def members() -> dict[str, tuple[int, ...]]:
    """Rows of the drawings of each word, words in alphabetical order."""
    found: dict[str, list[int]] = {}
    for row, drawing in enumerate(openmoji.catalogue()):
        word = word_of(drawing)
        if word and drawing.category in CATEGORIES:
            found.setdefault(word, []).append(row)
    return {word: tuple(found[word]) for word in sorted(found)}


def identity() -> str:
    return identity_of(NAME, openmoji.identity(), modules=MODULES)


def load() -> Dataset:
    return Dataset(NAME, tuple(members()), {split: _split(split) for split in VIEWS})


def _split(split: str) -> Split:
    """Views of each word's drawings in turn, in an order of their own."""
    codes = [drawing.id for drawing in openmoji.catalogue()]
    items = []
    for label, (word, rows) in enumerate(members().items()):
        order = Dice(NAME, split, word).order(len(rows))
        shown = [rows[order[view % len(rows)]] for view in range(VIEWS[split])]
        items += [(f"{split}-{word}-{codes[row]}-{view}", row, label) for view, row in enumerate(shown)]
    ids, rows, labels = (tuple(column) for column in zip(*items, strict=True))
    images = RenderedImages(f"{NAME}-{split}", identity(), len(ids), functools.partial(_render, ids, rows))
    return Split(ids, np.array(labels, dtype=np.int64), images)


def _render(ids: Sequence[str], rows: Sequence[int]) -> NDArray[np.uint8]:
    pixels = openmoji.drawings(72).pixels
    view, pairs = View(), zip(ids, rows, strict=True)
    return np.stack([to_bytes(_views.on_background(pixels[row], SIZE, view, Dice(NAME, item))) for item, row in pairs])


CLASSES = 529
DATASETS.add(
    DatasetEntry(
        origin="openmoji",
        name=NAME,
        load=load,
        identity=identity,
        classes=CLASSES,
        counts={split: each * CLASSES for split, each in VIEWS.items()},
        templates=("a {}.", "a drawing of a {}."),
        credit=openmoji.CREDIT,
        licence=openmoji.LICENCE,
        about=f"Random views of drawings by a word for each, {CLASSES} words: the name of the drawing where it is one "
        "word, else a word of its group. Concepts that the zoo was trained on are among them. Stands in for the "
        "validation images of ImageNet, merged into classes of one word.",
        assets=tuple(asset.name for asset in openmoji.SOURCES),
    )
)
