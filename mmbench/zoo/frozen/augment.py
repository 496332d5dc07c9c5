"""Augmented views of drawings, a whole batch at once: pose, colour, background.

No flips: an arrow to the left and one to the right are two drawings.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo.frozen.backbone import MEAN, SIZE, STD

if TYPE_CHECKING:
    from torch import Generator, Tensor

ROTATION = math.radians(30)
SCALE = (0.6, 1.15)
SHIFT = 0.2
HUE = 0.35
GREY = 0.1


def premultiplied(pixels: NDArray[np.uint8]) -> Tensor:
    """Float RGBA ``[n, 4, s, s]`` of uint8 RGBA, colours multiplied by alpha so that edges don't fringe."""
    import torch

    values = torch.from_numpy(pixels).float().div_(255)
    values[:, :3] *= values[:, 3:]
    return values


def views(drawings: Tensor, rng: Generator) -> Tensor:
    """One view of each drawing: premultiplied RGBA ``[n, 4, s, s]`` to normalised float ``[n, 3, 64, 64]``."""
    import torch

    posed = _pose(drawings, rng)
    image = _background(len(drawings), rng).mul_(1 - posed[:, 3:]).add_(_recolour(posed[:, :3], rng))
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return image.clamp_(0, 1).sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def _uniform(count: int, low: float, high: float, rng: Generator) -> Tensor:
    import torch

    return torch.rand(count, generator=rng) * (high - low) + low


def _pose(pixels: Tensor, rng: Generator) -> Tensor:
    """Rotate, scale and shift; what leaves the frame is lost, what enters is transparent."""
    import torch
    from torch.nn import functional as F

    n = len(pixels)
    angle = _uniform(n, -ROTATION, ROTATION, rng)
    scale = _uniform(n, math.log(SCALE[0]), math.log(SCALE[1]), rng).exp()
    shift = _uniform(2 * n, -SHIFT, SHIFT, rng).view(n, 2, 1)
    cos, sin = angle.cos() / scale, angle.sin() / scale
    turn = torch.stack((torch.stack((cos, sin), dim=1), torch.stack((-sin, cos), dim=1)), dim=1)
    grid = F.affine_grid(torch.cat((turn, -turn @ shift), dim=2), [n, 4, SIZE, SIZE], align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _recolour(colours: Tensor, rng: Generator) -> Tensor:
    """Turn the hue about the grey axis, change saturation and brightness; one in ten becomes grey."""
    import torch

    n = len(colours)
    angle = _uniform(n, -HUE, HUE, rng).view(n, 1, 1)
    saturation = _uniform(n, 0.5, 1.2, rng) * (torch.rand(n, generator=rng) > GREY)
    brightness = _uniform(n, 0.75, 1.15, rng).view(n, 1, 1)
    eye, grey = torch.eye(3), torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    turn = angle.cos() * eye + (1 - angle.cos()) * grey + angle.sin() * cross
    saturate = grey + saturation.view(n, 1, 1) * (eye - grey)
    matrix = brightness * (saturate @ turn)
    return torch.bmm(matrix, colours.flatten(2)).view_as(colours)


def _background(n: int, rng: Generator) -> Tensor:
    """Light or any colour, half of them running into a second one, three in ten with blurred clutter."""
    import torch
    from torch.nn import functional as F

    first, second = torch.rand(2, n, 3, 1, 1, generator=rng)
    light = (torch.rand(n, generator=rng) < 0.4).view(n, 1, 1, 1)
    first = torch.where(light, 1 - 0.15 * first, first)
    angle = _uniform(n, 0, 2 * math.pi, rng).view(n, 1, 1, 1)
    running = (torch.rand(n, generator=rng) < 0.5).view(n, 1, 1, 1)
    ramp = torch.linspace(-1, 1, SIZE)
    place = (angle.cos() * ramp.view(1, 1, 1, SIZE) + angle.sin() * ramp.view(1, 1, SIZE, 1)) / 2 + 0.5
    plain = first + running * place.clamp(0, 1) * (second - first)
    amount = _uniform(n, 0.2, 1.0, rng) * (torch.rand(n, generator=rng) < 0.3)
    rise = F.interpolate(torch.eye(8).unsqueeze(0), size=SIZE, mode="linear")[0].T.contiguous()
    clutter = rise @ (amount.view(n, 1, 1, 1) * (torch.rand(n, 3, 8, 8, generator=rng) - 0.5)) @ rise.T
    return plain.add_(clutter)
