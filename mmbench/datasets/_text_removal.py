"""How text is removed from one image: boxes of text become black, then small white pieces are painted over.

``mmbench.datasets.text_removed`` says where the steps are from. This module is part of the identity of what it makes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mmbench.datasets._east import EastBoxes
from mmbench.datasets._opencv import OPENCV, opencv, version_of
from mmbench.datasets._pp_ocr import Boxes, PaddleBoxes, Pixels
from mmbench.datasets._rendered import identity_of
from mmbench.datasets.masks import Mask

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
