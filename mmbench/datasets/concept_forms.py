"""Concepts in three forms: as a coloured drawing, as an outline and as a written word.

An image has two labels: its concept, and its form. A class whose name begins with ``form: `` is a form (``FORM``), and
every other class a concept; ``mmbench.inputs.forms`` reads them so, whatever the dataset. A unit of a network that
answers to a concept in every form knows the concept and not its looks (Goh et al. 2021).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets import _fonts, _views, drawn_words, openmoji
from mmbench.datasets._rendered import Dice, RenderedImages, identity_of, to_bytes
from mmbench.datasets._views import View
from mmbench.datasets.entry import DATASETS, Dataset, DatasetEntry, Split
from mmbench.datasets.form_labels import FORM

NAME = "concept_forms"
FORMS = tuple(FORM + name for name in ("drawing", "outline", "word"))
SIZE = 72
CONCEPTS = 24
VIEWS = {"train": 5, "test": 5}  # of each concept in each form
EDGE = 0.12  # difference of neighbouring pixels that an outline shows
MODULES = (
    __name__,
    "mmbench.datasets.form_labels",
    "mmbench.datasets.drawn_words",
    "mmbench.datasets._views",
    "mmbench.datasets._fonts",
    "mmbench.datasets._rendered",
)
Item = tuple[str, int, int]  # id, concept, form


@functools.cache
def concepts() -> tuple[str, ...]:
    """Words of three to six letters that have a drawing, drawn once from all of them; in alphabetical order."""
    known = [word for word in drawn_words.members() if 3 <= len(word) <= 6]
    return tuple(sorted(Dice(NAME, "concepts").sample(known, CONCEPTS)))


def items(split: str) -> list[Item]:
    """Id, concept and form of every item, in an order of their own."""
    found = [
        (f"{split}-{word}-{form.removeprefix(FORM)}-{view}", concept, kind)
        for concept, word in enumerate(concepts())
        for kind, form in enumerate(FORMS)
        for view in range(VIEWS[split])
    ]
    return [found[row] for row in Dice(NAME, split).order(len(found))]


def identity() -> str:
    return identity_of(NAME, openmoji.identity(), _fonts.identity(), modules=MODULES)


def load() -> Dataset:
    return Dataset(NAME, (*concepts(), *FORMS), {split: _split(split) for split in VIEWS}, "multi")


def _split(split: str) -> Split:
    shown = items(split)
    labels = np.zeros((len(shown), CONCEPTS + len(FORMS)), dtype=bool)
    for row, (_, concept, form) in enumerate(shown):
        labels[row, [concept, CONCEPTS + form]] = True
    images = RenderedImages(f"{NAME}-{split}", identity(), len(shown), functools.partial(_render, shown))
    return Split(tuple(item for item, _, _ in shown), labels, images)


def _render(shown: Sequence[Item]) -> NDArray[np.uint8]:
    return np.stack([picture(*item) for item in shown])


def picture(item: str, concept: int, form: int) -> NDArray[np.uint8]:
    """The concept in this form on a plain ground, uint8 ``[72, 72, 3]``."""
    dice, word = Dice(NAME, item), concepts()[concept]
    canvas = _views.background(SIZE, SIZE, dice, vivid=0.2)
    if FORMS[form] == f"{FORM}word":
        return to_bytes(_inked(canvas, _written(word, dice), dice))
    pixels = openmoji.drawings(SIZE).pixels[dice.pick(drawn_words.members()[word])]
    layer = _views.layer(pixels, SIZE, SIZE, View(angle=15, scale=(0.7, 1.0)), dice)
    if FORMS[form] == f"{FORM}outline":
        return to_bytes(_inked(canvas, outline(layer), dice))
    return to_bytes(_views.over(canvas, layer))


def outline(layer: NDArray[np.float32]) -> NDArray[np.float32]:
    """The edges of a layer ``[h, w, 4]`` laid on white, float32 ``[h, w]``: 1 where neighbours differ, else 0."""
    grey = (layer[..., :3] + (1 - layer[..., 3:])).mean(axis=-1)
    across = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    down = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
    return (np.maximum(across, down) > EDGE).astype(np.float32)


def _written(word: str, dice: Dice) -> NDArray[np.float32]:
    """The word as ink ``[72, 72]``, its typeface, case, size and place drawn."""
    font, shown = dice.pick(_fonts.FONTS), word.upper() if dice.uniform() < 0.5 else word
    ink = next(
        line
        for size in range(dice.integer(15, 19), 5, -1)
        if (line := _fonts.text(shown, font, size)).shape[1] <= SIZE - 6
    )
    height, width = ink.shape
    top, left = dice.integer(3, SIZE - 3 - height), dice.integer(3, SIZE - 3 - width)
    found = np.zeros((SIZE, SIZE), dtype=np.float32)
    found[top : top + height, left : left + width] = ink
    return found


def _inked(canvas: _views.Canvas, ink: NDArray[np.float32], dice: Dice) -> _views.Canvas:
    shade = np.float32(dice.uniform(0.0, 0.1) if canvas.mean() > 0.5 else dice.uniform(0.9, 1.0))
    return np.asarray(canvas * (1 - ink[..., None]) + shade * ink[..., None], dtype=np.float32)


DATASETS.add(
    DatasetEntry(
        name=NAME,
        load=load,
        identity=identity,
        classes=CONCEPTS + len(FORMS),
        counts={split: CONCEPTS * len(FORMS) * views for split, views in VIEWS.items()},
        task="multi",
        templates=(),
        credit=openmoji.CREDIT,
        licence=openmoji.LICENCE,
        about=f"{CONCEPTS} things as coloured drawings, as outlines of drawings and as written words; labels are the "
        "thing and the form. The zoo was trained on drawings of most of them.",
        assets=tuple(asset.name for asset in openmoji.SOURCES),
        origin="openmoji",
    )
)
