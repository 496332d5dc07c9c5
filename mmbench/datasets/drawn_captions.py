"""Views of drawings with captions: ``drawn_captions``, the stand-in for COCO's captions in the embedded lineup.

Training shows the drawings that the zoo was trained on, in other views, with two captions each. The test shows drawings
that the zoo saw neither as pictures nor by name, one of each concept, with five captions each. Of those it takes the
drawings that have a name of words that the captions of other drawings use too ("tropical fish"): a text model of the
zoo spells any other word, and no decoder could write it. Captions are made of names, other names and categories by the
sentences of the captions that the zoo is trained on: the five of a drawing are what five such captioners
say, so two may share no word but "a". They are no descriptions by people.

An item is one caption with its image; the items of one image share it (``groups``), as in COCO's layout.
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
from mmbench.datasets.groups import grouped

NAME = "drawn_captions"
SIZE = 64
CAPTIONS = {"train": 2, "test": 5}  # of each drawing; COCO's images have five
# Sentences and words as the zoo's captions and tokenizer have them (a test compares): its text models have read these.
PLAIN = (
    "{noun}",
    "a drawing of {noun}",
    "a picture of {noun}",
    "a photo of a {noun}.",
    "an icon: {noun}",
    "the {noun}",
)
SORTED = (
    "{noun}, {kind}",
    "a drawing of {noun}, {kind}",
    "{kind}: {noun}",
    "a {kind} drawing that shows {noun}",
    "a drawing of {kind}",
)
MODULES = (
    __name__,
    "mmbench.datasets._views",
    "mmbench.datasets._rendered",
    "mmbench.datasets.groups",
)


def captions(drawing: Drawing, nouns: Sequence[str], count: int) -> tuple[str, ...]:
    """``count`` different captions of a drawing, drawn as the zoo's: six in ten name it only.

    Half name it by the first of ``nouns``, half by any of them.
    """
    dice = Dice(NAME, drawing.id)
    found: dict[str, None] = {}
    while len(found) < count:
        noun = nouns[0] if dice.uniform() < 0.5 else dice.pick(nouns)
        kind = drawing.category if dice.uniform() < 0.5 else drawing.subcategory
        sentence = dice.pick(PLAIN if dice.uniform() < 0.6 else SORTED)
        found[sentence.format(noun=noun, kind=kind.replace("-", " "))] = None
    return tuple(found)


def words_of(text: str) -> list[str]:
    """Lower-cased words and single signs of a text."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def all_nouns(drawing: Drawing) -> tuple[str, ...]:
    return (drawing.name, *drawing.keywords)


@functools.cache
def shown() -> dict[str, dict[int, tuple[str, ...]]]:
    """By split, the rows of the drawings that it shows, with the nouns that captions may call each."""
    listing = openmoji.catalogue()
    train = {row: all_nouns(drawing) for row, drawing in enumerate(listing) if not drawing.evaluation}
    kinds = {kind for row in train for kind in (listing[row].category, listing[row].subcategory)}
    known = {
        word for text in (*kinds, *(noun for nouns in train.values() for noun in nouns)) for word in words_of(text)
    }
    first: dict[str, tuple[int, tuple[str, ...]]] = {}
    for row in openmoji.unseen():
        nouns = tuple(noun for noun in all_nouns(listing[row]) if known.issuperset(words_of(noun)))
        if nouns:
            first.setdefault(listing[row].concept, (row, nouns))
    return {"train": train, "test": dict(sorted(first.values()))}


def identity() -> str:
    return identity_of(NAME, openmoji.identity(), modules=MODULES)


def load() -> Dataset:
    classes = tuple(sorted({drawing.category for drawing in openmoji.catalogue()}))
    return Dataset(NAME, classes, {part: _split(part, classes) for part in CAPTIONS})


def _split(part: str, classes: Sequence[str]) -> Split:
    """Images in an order of their own; the captions of one image stand together."""
    listing, drawings = openmoji.catalogue(), list(shown()[part].items())
    items = []
    for place in Dice(NAME, part).order(len(drawings)):
        row, nouns = drawings[place]
        said = captions(listing[row], nouns, CAPTIONS[part])
        items += [(f"{part}-{listing[row].id}", number, row, text) for number, text in enumerate(said)]
    names, numbers, rows, texts = (tuple(column) for column in zip(*items, strict=True))
    images = RenderedImages(f"{NAME}-{part}", identity(), len(items), functools.partial(_render, names, rows))
    return Split(
        tuple(f"{name}/{number}" for name, number in zip(names, numbers, strict=True)),
        np.array([classes.index(listing[row].category) for row in rows], dtype=np.int64),
        images,
        texts,
        grouped(names, "images"),
    )


def _render(names: Sequence[str], rows: Sequence[int]) -> NDArray[np.uint8]:
    """The view of each item; items of one image show the same one."""
    pixels, view = openmoji.drawings(72).pixels, View()
    made = {
        name: to_bytes(_views.on_background(pixels[row], SIZE, view, Dice(NAME, name)))
        for name, row in zip(names, rows, strict=True)
    }
    return np.stack([made[name] for name in names])


DATASETS.add(
    DatasetEntry(
        origin="openmoji",
        name=NAME,
        load=load,
        identity=identity,
        classes=9,
        counts={"train": 2628, "test": 730},
        modalities=("image", "text"),
        templates=("a drawing of {}", "{}"),
        credit=openmoji.CREDIT,
        licence=openmoji.LICENCE,
        about="Views of drawings with captions made of their names and categories: 1,314 drawings that the zoo "
        "was trained on, with two each, and 146 that it never saw, with five each. Stands in for COCO's captions; "
        "nobody described a picture.",
        assets=tuple(asset.name for asset in openmoji.SOURCES),
    )
)
