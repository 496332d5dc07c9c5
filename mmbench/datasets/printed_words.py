"""Images of printed words, held out by typeface: who names a word in a typeface that it was not fitted on reads.

Every word is shown equally often in every typeface. Typefaces of training and of test are of different families, so
what names the word must be its letters and not the pixels of one drawing. All words have five letters, so that their
length says nothing; case, size, place and colours do not depend on the word.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets import _fonts, _views
from mmbench.datasets._rendered import Dice, RenderedImages, identity_of, to_bytes
from mmbench.datasets.entry import DATASETS, Dataset, DatasetEntry, Split

NAME = "printed_words"
SIZE = 72
WORDS = tuple(
    "black bread chair cloud dream glass green heart house light money mouse music never north paper plant queen river "
    "seven stone sugar table tiger train under voice water world young".split()
)
FAMILIES = {"train": ("DejaVuSans-", "DejaVuSans.", "DejaVuSerif"), "test": ("DejaVuSansMono", "STIXGeneral")}
VIEWS = 2  # of each word in each typeface
MODULES = (__name__, "mmbench.datasets._views", "mmbench.datasets._fonts", "mmbench.datasets._rendered")
Item = tuple[str, int, str]  # id, word, typeface


def typefaces(split: str) -> tuple[str, ...]:
    """The font files of a split."""
    return tuple(font for font in _fonts.FONTS if font.startswith(FAMILIES[split]))


def items(split: str) -> list[Item]:
    """Id, word and typeface of every item, in an order of their own."""
    found = [
        (f"{split}-{word}-{font.removesuffix('.ttf')}-{view}", label, font)
        for label, word in enumerate(WORDS)
        for font in typefaces(split)
        for view in range(VIEWS)
    ]
    return [found[row] for row in Dice(NAME, split).order(len(found))]


def identity() -> str:
    return identity_of(NAME, _fonts.identity(), modules=MODULES)


def load() -> Dataset:
    return Dataset(NAME, WORDS, {split: _split(split) for split in FAMILIES})


def _split(split: str) -> Split:
    shown = items(split)
    render = functools.partial(_render, shown)
    return Split(
        tuple(item for item, _, _ in shown),
        np.array([label for _, label, _ in shown], dtype=np.int64),
        RenderedImages(f"{NAME}-{split}", identity(), len(shown), render),
    )


def _render(shown: Sequence[Item]) -> NDArray[np.uint8]:
    return np.stack([picture(item, WORDS[label], font) for item, label, font in shown])


def picture(item: str, word: str, font: str) -> NDArray[np.uint8]:
    """The word on a plain ground, uint8 ``[72, 72, 3]``; it always fits."""
    dice = Dice(NAME, item)
    canvas = _views.background(SIZE, SIZE, dice, vivid=0.3)
    shown = word.upper() if dice.uniform() < 0.5 else word
    ink = next(
        line
        for size in range(dice.integer(16, 20), 5, -1)
        if (line := _fonts.text(shown, font, size)).shape[1] <= SIZE - 6
    )
    height, width = ink.shape
    top, left = dice.integer(3, SIZE - 3 - height), dice.integer(3, SIZE - 3 - width)
    area = canvas[top : top + height, left : left + width]
    shade = np.float32(dice.uniform(0.0, 0.1) if area.mean() > 0.5 else dice.uniform(0.9, 1.0))
    canvas = canvas.copy()
    canvas[top : top + height, left : left + width] = area * (1 - ink[..., None]) + shade * ink[..., None]
    return to_bytes(canvas)


_EACH = {split: len(WORDS) * len(typefaces(split)) * VIEWS for split in FAMILIES}
DATASETS.add(
    DatasetEntry(
        name=NAME,
        load=load,
        identity=identity,
        classes=len(WORDS),
        counts=_EACH,
        templates=('the word "{}".',),
        credit="Fonts DejaVu and STIX, as matplotlib ships them",
        licence="as the fonts' (Bitstream Vera; SIL Open Font License)",
        about=f"{len(WORDS)} words of five letters, drawn in {len(typefaces('train'))} typefaces for training and "
        f"{len(typefaces('test'))} of other families for testing. Who names them reads. Intervals are about other "
        "pictures in these typefaces, not about other typefaces.",
        origin="fonts",
    )
)
