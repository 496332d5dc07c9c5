"""Text in images by EAST (Zhou et al. 2017) through OpenCV, as in the thesis's published code.

The network is a file that OpenCV's samples name, ``frozen_east_text_detection.pb``; it is in no package. Its decoding
is that of the widely copied example: the angle moves a box but does not turn it.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import files
from mmbench.datasets._opencv import opencv
from mmbench.datasets._pp_ocr import Boxes, Pixels
from mmbench.errors import CorruptAsset, MissingAsset

FILE = "frozen_east_text_detection.pb"
LAYERS = ("feature_fusion/Conv_7/Sigmoid", "feature_fusion/concat_3")  # scores and geometry
MEAN = (123.68, 116.78, 103.94)  # of red, green and blue
STRIDE = 4  # pixels of the input for each cell
MOST_BYTES = 512 * 2**20


@dataclass(frozen=True)
class EastBoxes:
    """Settings of EAST with its file; the defaults are those of the thesis's code.

    An image is resized to ``side`` x ``side``. Cells with a score of ``threshold`` or more give boxes, and of two boxes
    that share more than ``overlap`` of the weaker one's area the one with the better score stays.
    """

    weights: Path
    side: int = 320
    threshold: float = 0.0001
    overlap: float = 0.3

    def boxes(self, pixels: Pixels) -> Boxes:
        """As ``PaddleBoxes.boxes``. Raises MissingAsset and CorruptAsset of the file, MissingExtra."""
        cv2, (height, width) = opencv(), pixels.shape[:2]
        network = _network(self.weights)
        resized = cv2.resize(pixels, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        # the published code gives OpenCV's own order (BGR) and swaps it: the network sees RGB
        network.setInput(cv2.dnn.blobFromImage(resized, 1.0, (self.side, self.side), MEAN, swapRB=False, crop=False))
        try:
            scores, geometry = network.forward(LAYERS)
        except cv2.error as error:
            raise CorruptAsset(f"{self.weights} is a network, but not EAST: {_why(error)}; expected {FILE}") from None
        found = kept(*decoded(scores[0, 0], geometry[0], self.threshold), self.overlap)
        scaled = (found * np.array([width, height, width, height]) / self.side).astype(np.int32)
        scaled[:, 2:] += 1  # the last pixel is filled too
        cut = np.clip(scaled, 0, (width, height, width, height)).astype(np.int32)
        return cut[(cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])]

    def identity(self) -> tuple[object, ...]:
        """What decides the boxes of an image, apart from the versions of libraries. Raises MissingAsset."""
        return ("EAST", hashlib.sha256(_bytes(self.weights)).hexdigest(), self.side, self.threshold, self.overlap)


def decoded(
    scores: NDArray[np.float32], geometry: NDArray[np.float32], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Boxes ``[n, 4]`` (left, top, right, bottom in whole pixels of the input) and scores of cells that reach it.

    ``scores`` is ``[h, w]``; ``geometry`` ``[5, h, w]`` holds the distances from a cell to the box's top, right, bottom
    and left edge, and the box's angle in radians (EAST, section 3.2).
    """
    down, across = np.nonzero(scores >= threshold)
    top, right, bottom, left, angle = geometry[:, down, across].astype(np.float64)
    cosine, sine = np.cos(angle), np.sin(angle)
    end_x = np.trunc(across * STRIDE + cosine * right + sine * bottom)
    end_y = np.trunc(down * STRIDE - sine * right + cosine * bottom)
    boxes = np.stack([np.trunc(end_x - (right + left)), np.trunc(end_y - (top + bottom)), end_x, end_y], axis=1)
    return boxes.astype(np.int64), scores[down, across]


def kept(boxes: NDArray[np.int64], scores: NDArray[np.float32], overlap: float) -> NDArray[np.int64]:
    """Non-maximum suppression: the best box stays, those of which it covers more than ``overlap`` go, and so on.

    Unlike OpenCV's, it divides what two boxes share by the weaker one's area and not by their union. Edges are pixels
    that belong to the box.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    order, found = np.argsort(-scores, kind="stable"), []
    while len(order):
        best, rest = order[0], order[1:]
        found.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[rest, :2]), np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low + 1, 0), axis=1)
        order = rest[shared <= overlap * areas[rest]]
    return boxes[found]


def _bytes(path: Path) -> bytes:
    try:
        return files.read_plain(path, MOST_BYTES)
    except FileNotFoundError:
        raise MissingAsset(
            f"{path} does not exist; the detector EAST needs OpenCV's file {FILE}: put it there, or use detector=pp_ocr"
        ) from None
    except OSError as error:
        raise CorruptAsset(f"{path} cannot be read as the network {FILE}: {error.strerror or error}") from None


def _network(path: Path) -> Any:
    return _loaded(path, *files.stamp(path)) if path.is_file() else _loaded(path)


@functools.lru_cache(maxsize=1)
def _loaded(path: Path, *_: object) -> Any:  # a file that has changed is read again
    cv2 = opencv()
    model = np.frombuffer(_bytes(path), np.uint8)
    try:
        network = cv2.dnn.readNetFromTensorflow(model)
    except cv2.error as error:
        raise CorruptAsset(f"{path} is not the network {FILE}: {_why(error)}; fetch it again") from None
    if lacking := [layer for layer in LAYERS if layer not in network.getLayerNames()]:
        raise CorruptAsset(f"{path} is a network, but not EAST: it has no layer {lacking[0]}; expected {FILE}")
    return network


def _why(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
