"""How much of the text on images an OCR still reads after it was removed, and how much of the image was changed.

The places are those where the detector finds text in the original at a finer resolution; the reader reads them in the
original and in each masked version. A masked version is also searched anew, and the better of both readings counts, so
that a mask is not praised for what moved. A letter of the text is read when it lies in a piece of three letters or more
that text and reading share; with the text of another item the same measure gives what counts by chance.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets._opencv import OPENCV, version_of
from mmbench.datasets._pp_ocr import FINDER, READER, Boxes, PaddleBoxes, Pixels, read
from mmbench.datasets.entry import DatasetEntry, Split
from mmbench.datasets.text_removed import CleanedImages, CleanedWhenDecoded
from mmbench.errors import BadDataset
from mmbench.stats.estimates import student_quantile

SHIPPED = Path(__file__).with_suffix(".json")  # written by: mmbench masks --out FILE
ITEMS = 200
PIECE = 3  # letters
FINER = 288  # pixels of the longer side; larger images keep their own size up to LARGEST
LARGEST = 1280
LEAST = 0.3  # a region's mean, below that of masks: places are searched more eagerly than they are masked


@dataclass(frozen=True)
class Left:
    """One version of a dataset: mean shares over items in [0, 1], and the 95 % interval of ``read``.

    ``changed`` is the share of pixels that differ from the original's. ``nothing_found`` counts the items in which the
    detector found no text; None where the version has no detector.
    """

    dataset: str
    identity: str
    read: float
    low: float
    high: float
    changed: float
    nothing_found: int | None


@dataclass(frozen=True)
class Measured:
    """The versions of one dataset, the original first; ``by_chance`` is its share with the text of another item."""

    split: str
    items: int
    letters: int
    by_chance: float
    versions: tuple[Left, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Item:
    """An item of the original: its text in small letters, its pixels and the places of text in them."""

    row: int
    text: str
    pixels: Pixels
    places: Boxes


def measured(
    original: DatasetEntry,
    masked: Sequence[DatasetEntry],
    *,
    items: int = ITEMS,
    split: str = "test",
    progress: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Measure the first ``items`` items by id of ``original``, whose texts stand on its images, and its versions.

    Raises BadDataset for a dataset without images or texts, a text without letters and a version of other items.
    """
    whole = original.load().split(split)
    shown = _items(original, whole, items)
    said = [_said(item.pixels, item.places) for item in shown]
    texts = [item.text for item in shown]
    before = [share_read(text, reading) for text, reading in zip(texts, said, strict=True)]
    chance = [share_read(texts[at - 1], reading) for at, reading in enumerate(said)]
    versions = [_left(original, before, 0.0, None)]
    progress(f"{original.name}: {len(shown)} items read")
    for entry in masked:
        versions.append(_version(entry, original, whole, shown, split))
        progress(f"{entry.name}: {len(shown)} items read")
    return Measured(split, len(shown), sum(map(len, texts)), float(np.mean(chance)), tuple(versions))


def _items(entry: DatasetEntry, split: Split, items: int) -> list[_Item]:
    if split.images is None or split.texts is None:
        raise BadDataset(f"{entry.name} has no {'images' if split.images is None else 'texts'}; it needs both")
    found = []
    for row in sorted(range(len(split)), key=lambda row: split.ids[row])[:items]:
        text, pixels = _letters(split.texts[row]), np.asarray(split.images.image(row))
        if not text:
            raise BadDataset(f"{entry.name}: the text of {split.ids[row]!r} has no letters that could be read")
        found.append(_Item(row, text, pixels, _places(pixels)))
    return found


def _version(entry: DatasetEntry, original: DatasetEntry, whole: Split, shown: Sequence[_Item], name: str) -> Left:
    split = entry.load().split(name)
    if split.ids != whole.ids or split.images is None:
        raise BadDataset(f"{entry.name} is no version of {original.name}: expected the same {name} items with images")
    shares, changed = [], []
    for item in shown:
        pixels = np.asarray(split.images.image(item.row))
        if pixels.shape != item.pixels.shape:
            sizes = " and ".join(f"{size[1]} x {size[0]}" for size in (item.pixels.shape, pixels.shape))
            raise BadDataset(f"{entry.name}: {whole.ids[item.row]!r} has other pixels than in {original.name}: {sizes}")
        readings = (_said(pixels, item.places), _said(pixels, _places(pixels)))
        shares.append(max(share_read(item.text, reading) for reading in readings))
        changed.append(float((pixels != item.pixels).any(axis=2).mean()))
    images = split.images
    nothing = None
    if isinstance(images, CleanedImages | CleanedWhenDecoded):
        nothing = sum(not len(images.boxes(item.row)) for item in shown)
    return _left(entry, shares, float(np.mean(changed)), nothing)


def share_read(text: str, reading: str) -> float:
    """The share of the letters of ``text`` in pieces that ``reading`` has too, in the same order.

    A piece has ``PIECE`` letters or is all of the text. Both are letters in lower case, ``text`` not empty.
    """
    pieces = difflib.SequenceMatcher(None, text, reading, autojunk=False).get_matching_blocks()
    return sum(piece.size for piece in pieces if piece.size >= min(PIECE, len(text))) / len(text)


def interval(shares: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean of independent shares by Student's t, within [0, 1]; all of it for one share.

    Where every share is 0 (or 1), the end that is not at the limit is that of a proportion with no event in so many
    trials (Clopper and Pearson): they show no spread, but the next one may.
    """
    count = len(shares)
    if count < 2:
        return 0.0, 1.0
    unseen = 1 - 0.025 ** (1 / count)
    if set(shares) <= {0.0}:
        return 0.0, unseen
    if set(shares) <= {1.0}:
        return 1 - unseen, 1.0
    half = float(student_quantile(count - 1, 0.975)) * float(np.std(shares, ddof=1)) / math.sqrt(count)
    mean = float(np.mean(shares))
    return max(mean - half, 0.0), min(mean + half, 1.0)


def conditions() -> dict[str, Any]:
    """What decides the measurement beside the datasets."""
    return {
        "finder": FINDER[1],
        "reader": READER[1],
        "finer": FINER,
        "least": LEAST,
        "piece": PIECE,
        "libraries": [version_of(*OPENCV), version_of("onnxruntime")],
    }


def _left(entry: DatasetEntry, shares: Sequence[float], changed: float, nothing: int | None) -> Left:
    low, high = interval(shares)
    return Left(entry.name, entry.identity(), float(np.mean(shares)), low, high, changed, nothing)


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _places(pixels: Pixels) -> Boxes:
    side = min(max(FINER, *pixels.shape[:2]), LARGEST)
    return _in_reading_order(PaddleBoxes(side=side, least=LEAST).boxes(pixels))


def _in_reading_order(boxes: Boxes) -> Boxes:
    """From above, and from the left within a line: a box whose middle is within the first box of the line."""
    lines: list[list[NDArray[np.int32]]] = []
    for box in sorted(boxes, key=lambda box: tuple(box[[1, 0]])):
        if lines and (box[1] + box[3]) / 2 < lines[-1][0][3]:
            lines[-1].append(box)
        else:
            lines.append([box])
    return np.array([box for line in lines for box in sorted(line, key=lambda box: box[0])], np.int32).reshape(-1, 4)


def _said(pixels: Pixels, boxes: Boxes) -> str:
    pieces = [pixels[top:bottom, left:right] for left, top, right, bottom in boxes]
    return _letters("".join(read(pieces)))


def shipped() -> dict[str, Measured]:
    """What was measured of the embedded lineup (``text_left.json``), by the original's name."""
    kept = _shipped()["sets"]
    found = [Measured(**part | {"versions": tuple(Left(**left) for left in part["versions"])}) for part in kept]
    return {measured.versions[0].dataset: measured for measured in found}


def shipped_conditions() -> dict[str, Any]:
    """The ``conditions`` under which that was measured."""
    return {name: value for name, value in _shipped().items() if name != "sets"}


def _shipped() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return found
