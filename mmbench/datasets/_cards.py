"""Titles on pictures: broken into lines, placed in a box, drawn, and painted over by a mask."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets import _fonts, _views
from mmbench.datasets._rendered import Dice, kept_array, to_bytes
from mmbench.datasets.masks import Mask

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE = 72
MODULES = (__name__, "mmbench.datasets._views", "mmbench.datasets._fonts", "mmbench.datasets._rendered")


@dataclass(frozen=True)
class Box:
    """The box of a title in pixels (``bottom`` and ``right`` are one past it), and ``fill``, the mean RGB of the
    picture under the title."""

    top: int
    left: int
    bottom: int
    right: int
    fill: tuple[int, int, int]

    def paint(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pixels ``[height, width, 3]`` with this box in its one colour."""
        found = pixels.copy()
        found[self.top : self.bottom, self.left : self.right] = self.fill
        return found


def kept_boxes(name: str, key: str, ids: Sequence[str], draw: Callable[[int], Box]) -> dict[str, Box]:
    """The boxes by id, drawn once by row and then read from the cache; ``name`` and ``key`` as for ``kept_array``."""

    def rows() -> NDArray[np.uint8]:
        boxes = [draw(row) for row in range(len(ids))]
        return np.array([(box.top, box.left, box.bottom, box.right, *box.fill) for box in boxes], dtype=np.uint8)

    table: list[list[int]] = kept_array(name, key, len(ids), rows).tolist()
    return {
        item: Box(top, left, bottom, right, (red, green, blue))
        for item, (top, left, bottom, right, red, green, blue) in zip(ids, table, strict=True)
    }


def entitle(canvas: _views.Canvas, title: str, dice: Dice) -> tuple[_views.Canvas, Box]:
    """The canvas ``[72, 72, 3]`` with its title, and the title's box.

    Font, size, place and shade are drawn from the dice alone.
    """
    canvas = canvas.copy()
    lines = _lines(title, dice.pick(_fonts.FONTS), dice)
    top, left, bottom, right = _place(lines, dice)
    under = canvas[top:bottom, left:right]
    shade = np.float32(dice.uniform(0.0, 0.12) if under.mean() > 0.5 else dice.uniform(0.88, 1.0))
    red, green, blue = to_bytes(under.mean(axis=(0, 1))).tolist()
    box = Box(top, left, bottom, right, (red, green, blue))
    for line in lines:
        ink = line[: bottom - top, :, None]
        area = canvas[top : top + ink.shape[0], left : left + ink.shape[1]]
        area[...] = area * (1 - ink) + shade * ink
        top += line.shape[0] + 2
    return canvas, box


def _lines(title: str, font: str, dice: Dice) -> list[NDArray[np.float32]]:
    """The title broken into lines of ink that fit on the card."""
    shown = title.upper() if dice.uniform() < 0.3 else title
    for size in range(dice.integer(11, 15), 5, -1):
        lines = wrap(shown, int((SIZE - 8) / (0.6 * size)))
        if len(lines) * (size + 2) <= SIZE - 12 and all(_fonts.width(line, font, size) <= SIZE - 8 for line in lines):
            break
    return [_fonts.text(line, font, size)[:, : SIZE - 8] for line in lines]


def wrap(title: str, width: int) -> list[str]:
    """Words in lines of about ``width`` letters."""
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _place(lines: Sequence[NDArray[np.float32]], dice: Dice) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the box."""
    height = min(sum(line.shape[0] + 2 for line in lines), SIZE - 4)
    width = max(line.shape[1] for line in lines)
    top = dice.integer(2, SIZE - 2 - height)
    left = dice.integer(2, SIZE - 2 - width)
    return top, left, top + height, left + width


def titles_painted_over(boxes: Callable[[str], Box], identity: Callable[[], str]) -> Mask:
    """The mask that paints over the title's box; ``boxes`` gives an item's box by its id."""
    return Mask(
        "title_painted_over",
        "image",
        functools.partial(_painted_over, boxes),
        identity,
        "The title's box is painted over with the mean colour of the picture under it.",
    )


def _painted_over(boxes: Callable[[str], Box], image: Image, item: str) -> Image:
    from PIL import Image as Images

    return Images.fromarray(boxes(item).paint(np.asarray(image)))
