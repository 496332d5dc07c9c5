"""Pictures made of drawings: random views of a drawing, backgrounds, composition. Numpy only, float32 in [0, 1].

A drawing is RGBA with straight alpha; a layer is RGBA with its colours already multiplied by alpha, so that
interpolation leaves no fringe and layers add up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets._rendered import Dice

Canvas = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """How much a view may vary: ``angle`` in degrees to either side, ``scale`` as shares of the canvas's side.

    ``shift`` is the share of the free room that is used, ``hue`` a rotation in degrees, ``light`` the largest
    change of brightness; ``stretch`` the largest change of one side's length.
    """

    angle: float = 25.0
    scale: tuple[float, float] = (0.6, 1.0)
    shift: float = 1.0
    hue: float = 20.0
    light: float = 0.2
    stretch: float = 0.15
    mirror: bool = True


def layer(pixels: NDArray[np.uint8], height: int, width: int, view: View, dice: Dice) -> Canvas:
    """A random view of a drawing ``[s, s, 4]`` as a layer ``[height, width, 4]``."""
    side = min(height, width) * dice.uniform(*view.scale)
    angle = math.radians(dice.uniform(-view.angle, view.angle))
    stretch = 1.0 + dice.uniform(-view.stretch, view.stretch)
    room_y, room_x = max(height - side, 0.0), max(width - side, 0.0)
    centre_y = height / 2 + view.shift * room_y * dice.uniform(-0.5, 0.5)
    centre_x = width / 2 + view.shift * room_x * dice.uniform(-0.5, 0.5)
    sign = -1.0 if view.mirror and dice.uniform() < 0.5 else 1.0
    placed = place(pixels, height, width, (centre_y, centre_x), side, angle, (1.0 / stretch, sign * stretch))
    placed[..., :3] = _recolour(placed, dice.uniform(-view.hue, view.hue), 1.0 + dice.uniform(-view.light, view.light))
    return placed


def place(
    pixels: NDArray[np.uint8],
    height: int,
    width: int,
    centre: tuple[float, float],
    side: float,
    angle: float = 0.0,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Canvas:
    """A drawing put on an empty layer: ``side`` pixels long, turned by ``angle`` radians about ``centre`` (y, x)."""
    size = pixels.shape[0]
    source = np.zeros((size + 2, size + 2, 4), dtype=np.float32)  # an empty border, so that edges fade out
    source[1:-1, 1:-1] = pixels
    source *= np.float32(1 / 255)
    source[..., :3] *= source[..., 3:]
    y = np.arange(height, dtype=np.float32)[:, None] + (0.5 - centre[0])
    x = np.arange(width, dtype=np.float32)[None, :] + (0.5 - centre[1])
    cos, sin, unit = math.cos(angle), math.sin(angle), size / side
    down, across, middle = unit / stretch[0], unit / stretch[1], size / 2 + 0.5
    v = (cos * down) * y + (middle - (sin * down) * x)
    u = (sin * across) * y + (middle + (cos * across) * x)
    return _bilinear(source, v, u)


def _bilinear(source: Canvas, v: Canvas, u: Canvas) -> Canvas:
    """Sample a square image, whose border is empty, at fractional rows ``v`` and columns ``u``; outside is empty."""
    width, last = source.shape[1], source.shape[0] - 1
    v, u = np.clip(v, 0.0, last), np.clip(u, 0.0, last)
    top, left = np.minimum(v.astype(np.int32), last - 1), np.minimum(u.astype(np.int32), last - 1)
    down, right = (v - top)[..., None].astype(np.float32), (u - left)[..., None].astype(np.float32)
    cells = source.reshape(-1, 4)  # taken by flat index: several times as fast as by row and column
    corner = top * width + left
    upper_left, upper_right = cells.take(corner, axis=0), cells.take(corner + 1, axis=0)
    lower_left, lower_right = cells.take(corner + width, axis=0), cells.take(corner + (width + 1), axis=0)
    upper = upper_left + (upper_right - upper_left) * right
    lower = lower_left + (lower_right - lower_left) * right
    return upper + (lower - upper) * down


# The hue is turned in YIQ, where lightness is the first axis.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


def _recolour(layer: Canvas, hue: float, light: float) -> Canvas:
    cos, sin = math.cos(math.radians(hue)), math.sin(math.radians(hue))
    rotation = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    matrix = (_FROM_YIQ @ rotation @ _TO_YIQ * light).astype(np.float32)
    red, green, blue = layer[..., 0], layer[..., 1], layer[..., 2]
    turned = np.stack([row[0] * red + row[1] * green + row[2] * blue for row in matrix], axis=-1)
    return np.clip(turned, 0.0, layer[..., 3:])


def background(height: int, width: int, dice: Dice, *, vivid: float = 0.5) -> Canvas:
    """A soft gradient between two colours, with faint waves; ``vivid`` 0 is grey, 1 full colour."""
    first, second = colour(dice, vivid), colour(dice, vivid)
    y, x = np.arange(height) / height, np.arange(width) / width
    angle = dice.uniform(0, 2 * math.pi)
    ramp = np.add.outer(math.cos(angle) * (y - 0.5), math.sin(angle) * (x - 0.5)) / 1.4 + 0.5
    waves = np.zeros_like(ramp)
    for _ in range(2):
        down, across = dice.uniform(-12, 12) * y, dice.uniform(-12, 12) * x + dice.uniform(0, 2 * math.pi)
        waves += np.outer(np.sin(down), np.cos(across)) + np.outer(np.cos(down), np.sin(across))
    ramp, waves = ramp.astype(np.float32), (waves * dice.uniform(0.0, 0.06)).astype(np.float32)
    return np.clip(first + (second - first) * ramp[..., None] + waves[..., None], 0.0, 1.0)


def colour(dice: Dice, vivid: float = 1.0) -> Canvas:
    """A random colour ``[3]`` of medium to high lightness."""
    value = dice.uniform(0.35, 1.0)
    return (value * (1.0 - vivid * dice.uniform(size=3))).astype(np.float32)


def over(canvas: Canvas, *layers: Canvas) -> Canvas:
    """The layers drawn over the canvas, the last on top."""
    for top in layers:
        canvas = canvas * (1 - top[..., 3:]) + top[..., :3]
    return canvas


def on_background(pixels: NDArray[np.uint8], size: int, view: View, dice: Dice, **options: Any) -> Canvas:
    """One random view of a drawing on a random background, ``[size, size, 3]``."""
    return over(background(size, size, dice, **options), layer(pixels, size, size, view, dice))
