"""Letters as drawings: text set in the fonts that come with matplotlib, so that every machine has them."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSans-Oblique.ttf",
    "DejaVuSansMono.ttf",
    "DejaVuSansMono-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Bold.ttf",
    "DejaVuSerif-Italic.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralBol.ttf",
)


@functools.cache
def folder() -> Path:
    """Where the fonts are; matplotlib is found but not imported. Raises MissingExtra."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise MissingExtra("matplotlib", "embedded", "drawing text (with matplotlib's fonts)")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


@functools.cache
def identity() -> str:
    """Hex SHA-256 of the fonts and of the version of the library that draws them."""
    hasher = hashlib.sha256(importlib.metadata.version("pillow").encode())
    for name in FONTS:
        hasher.update((folder() / name).read_bytes())
    return hasher.hexdigest()


@functools.cache
def _face(font: str, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(folder() / font), size, layout_engine=ImageFont.Layout.BASIC)


def width(words: str, font: str, size: int) -> int:
    """Width in pixels of one line of text, without drawing it."""
    left, _, right, _ = _face(font, size).getbbox(words)
    return max(round(right) - round(left), 1)


@functools.lru_cache(maxsize=256)
def text(words: str, font: str, size: int) -> NDArray[np.float32]:
    """One line of text as its ink, float32 ``[height, width]`` in [0, 1], cut to the ink's box (at least 1 x 1)."""
    from PIL import Image, ImageDraw

    face = _face(font, size)
    left, top, right, bottom = (round(edge) for edge in face.getbbox(words))
    image = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
    ImageDraw.Draw(image).text((-left, -top), words, fill=255, font=face)
    return np.asarray(image, dtype=np.float32) / 255.0
