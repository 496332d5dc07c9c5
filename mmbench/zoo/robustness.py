"""What attacks and foreign colours do to the zoo's features of unseen drawings: figures for the cards.

No recipe was trained on any of it: the attack uses the drawings' prototypes where training used labels, takes ten
steps where training took two, and has the other norm as well; foreign colours are those of another drawing, where
stylised ones are random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmbench.attacks.pgd import Threat
from mmbench.zoo import sanity, weight_files
from mmbench.zoo.frozen.adversarial import attacked
from mmbench.zoo.frozen.backbone import MEAN, SIZE, STD

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mmbench.zoo.sanity import Array

ATTACKS = {"l2": Threat("l2", 0.25), "linf": Threat("linf", 2 / 255)}
STEPS = 10
TEMPERATURE = 0.1
GROUND = 0.85
LEVELS = 64


def attacked_one_shot(tower: nn.Module, views: Tensor, threat: Threat, steps: int = STEPS, seed: int = 0) -> float:
    """``sanity.one_shot`` where the second views, of ``views`` float ``[2, n, 3, 64, 64]``, are attacked.

    The attack raises the cross-entropy of the cosines with all first views, over ``TEMPERATURE``: it looks for a
    picture that is taken for another drawing. ``tower`` is in evaluation mode.
    """
    import torch
    from torch.nn import functional as F

    known = torch.from_numpy(sanity.encode(tower, views[0]))
    prototypes, rng, found = F.normalize(known, dim=1), np.random.default_rng(seed), []

    def logits(images: Tensor) -> Tensor:
        return F.normalize(tower(images), dim=1) @ prototypes.T / TEMPERATURE

    for rows in torch.arange(len(known)).split(sanity.BATCH):
        hard = attacked(views[1][rows], logits, rows, threat, steps, rng)
        found.append(sanity.encode(tower, hard))
    return sanity.one_shot(known.numpy(), np.concatenate(found))


def recoloured(shapes: Tensor, others: Tensor) -> Tensor:
    """Each drawing in the colours of another: premultiplied RGBA ``[n, 4, s, s]``, silhouettes those of ``shapes``.

    A pixel gets the other drawing's colour of the same rank in lightness, so ink stays ink and equal colours equal.
    """
    import torch

    made = torch.zeros_like(shapes)
    made[:, 3] = shapes[:, 3]
    for row, (shape, other) in enumerate(zip(shapes, others, strict=True)):
        (light, inside), (lights, within) = _lightness(shape), _lightness(other)
        palette = (other[:3, within] / other[3, within])[:, lights.argsort(stable=True)]
        _, which, counts = light.mul(LEVELS).round().unique(return_inverse=True, return_counts=True)
        rank = (counts.cumsum(0) - counts / 2) / counts.sum()
        places = (rank * palette.shape[1]).long().clamp(max=palette.shape[1] - 1)
        made[row, :3, inside] = palette[:, places[which]] * shape[3, inside]
    return made


def refilled(shapes: Tensor, others: Tensor) -> Tensor:
    """The silhouette of each drawing, filled with tiles of the middle of another: its texture, lines and colours."""
    import torch

    size = shapes.shape[2]
    edge = size // 4
    middle = others[:, :, edge : size - edge, edge : size - edge]
    mean = others[:, :3].sum(dim=(2, 3)) / others[:, 3].sum(dim=(1, 2)).clamp(min=1e-6)[:, None]
    opaque = middle[:, :3] + (1 - middle[:, 3:]) * mean[:, :, None, None]
    tiles = opaque.repeat(1, 1, 3, 3)[:, :, :size, :size]
    return torch.cat((tiles * shapes[:, 3:], shapes[:, 3:]), dim=1)


def placed(drawings: Tensor, size: int) -> Tensor:
    """Drawings of ``size`` pixels in the middle of a light ground, as normalised images ``[n, 3, 64, 64]``."""
    import torch
    from torch.nn import functional as F

    before = (SIZE - size) // 2
    small = F.interpolate(drawings, size=(size, size), mode="bilinear", antialias=True)
    framed = F.pad(small, (before, SIZE - size - before) * 2)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (framed[:, :3] + GROUND * (1 - framed[:, 3:]) - mean) / std


def shape_share(tower: nn.Module, shapes: Tensor, others: Tensor, conflict: Tensor) -> float:
    """Share of ``conflict`` drawings that are nearer, by cosine, to the one with their shape than to the other.

    One half is no preference. Drawings are premultiplied RGBA ``[n, 4, s, s]``; those in conflict are shown smaller,
    so that pixels do not simply coincide.
    """
    given = (placed(shapes, 56), placed(others, 56), placed(conflict, 44))
    same, other, seen = (_unit(sanity.encode(tower, images)) for images in given)
    return float(np.mean((seen * same).sum(axis=1) > (seen * other).sum(axis=1)))


def figures(names: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Of each shipped image model and ``random``: one-shot accuracy plain and under each attack, and shape shares."""
    import torch

    data = sanity.unseen()
    drawings, n = data.drawings, len(data.drawings)
    others = drawings[torch.from_numpy(np.random.default_rng(0).permutation(n))]
    conflicts = {"shape_over_colour": recoloured(drawings, others), "shape_over_fill": refilled(drawings, others)}
    found: dict[str, dict[str, float]] = {}
    for name in names or [*sanity.image_models(), weight_files.RANDOM]:
        tower = weight_files.image_tower(name)
        plain = sanity.one_shot(sanity.encode(tower, data.views[0]), sanity.encode(tower, data.views[1]))
        found[name] = {"one_shot": plain}
        found[name] |= {f"one_shot_{key}": attacked_one_shot(tower, data.views, ATTACKS[key]) for key in ATTACKS}
        found[name] |= {key: shape_share(tower, drawings, others, made) for key, made in conflicts.items()}
    return found


def _lightness(drawing: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the three colours of the pixels that are at least half opaque, and which pixels these are."""
    inside = drawing[3] >= 0.5
    return (drawing[:3, inside] / drawing[3, inside]).mean(dim=0), inside


def _unit(rows: Array) -> Array:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
