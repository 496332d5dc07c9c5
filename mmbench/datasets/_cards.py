"""Titles set on pictures: broken into lines, placed in a box, drawn or painted over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets import _fonts, _views
from mmbench.datasets._rendered import Dice

SIZE = 72
MODULES = (__name__, "mmbench.datasets._views", "mmbench.datasets._fonts", "mmbench.datasets._rendered")

Box = tuple[int, int, int, int]
"""top, left, bottom, right; the last two are one past the box."""


def entitle(canvas: _views.Canvas, title: str, dice: Dice, *, masked: bool) -> tuple[_views.Canvas, Box]:
    """The canvas ``[72, 72, 3]`` with its title, and the title's box; masked, the box is one flat colour instead.

    Font, size, place and shade come from the dice alone; masked or not, the same dice give the same box.
    """
    canvas = canvas.copy()
    lines = _lines(title, dice.pick(_fonts.FONTS), dice)
    top, left, bottom, right = box = _place(lines, dice)
    under = canvas[top:bottom, left:right]
    shade = np.float32(dice.uniform(0.0, 0.12) if under.mean() > 0.5 else dice.uniform(0.88, 1.0))
    if masked:
        under[...] = under.mean(axis=(0, 1))
        return canvas, box
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


def _place(lines: Sequence[NDArray[np.float32]], dice: Dice) -> Box:
    height = min(sum(line.shape[0] + 2 for line in lines), SIZE - 4)
    width = max(line.shape[1] for line in lines)
    top = dice.integer(2, SIZE - 2 - height)
    left = dice.integer(2, SIZE - 2 - width)
    return top, left, top + height, left + width
