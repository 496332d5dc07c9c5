"""Adversarial examples by projected gradient, within a budget of pixels. Hashed into the recipes trained on them.

Sizes are of pixels in [0, 1], while images are the zoo's normalised ones. Source: Madry et al. 2018, section 2.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mmbench.zoo.backbone import MEAN, STD
from mmbench.zoo.corpus import Corpus
from mmbench.zoo.labels import Labels

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mmbench.zoo.loop import Batch, Recipe

Norm = Callable[["Tensor"], "Tensor"]


@dataclasses.dataclass(frozen=True)
class Budget:
    """How far an image may be moved: ``size`` in the norm ``l2`` (of all its pixels together) or ``linf``."""

    norm: str
    size: float

    def __post_init__(self) -> None:
        if self.norm not in ("l2", "linf"):
            raise ValueError(f"a budget is of norm 'l2' or 'linf', not {self.norm!r}")


def attacked(
    images: Tensor, loss: Callable[[Tensor], Tensor], budget: Budget, steps: int, rng: np.random.Generator
) -> Tensor:
    """Images near ``images`` where ``loss``, a scalar, is higher: a random start, then ``steps`` steps uphill.

    The steps together are two budgets long, so that any place within the budget can be reached from any other. A step
    goes along the sign of the gradient (linf) or along the gradient (l2), then back into the budget and into the range
    of pixels. The loss must not mix images.
    """
    import torch

    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    clean = images.detach() * std + mean
    pixels = _within(clean, clean + _start(clean, budget, rng), budget)
    for _ in range(steps):
        pixels.requires_grad_(True)
        (slope,) = torch.autograd.grad(loss((pixels - mean) / std), pixels)
        stride = 2 * budget.size / steps
        pixels = _within(clean, pixels.detach() + stride * _uphill(slope, budget), budget)
    return (pixels - mean) / std


def _start(clean: Tensor, budget: Budget, rng: np.random.Generator) -> Tensor:
    """Uniform in the cube (linf); a uniform direction and length (l2)."""
    import torch

    if budget.norm == "linf":
        return torch.from_numpy(rng.uniform(-1, 1, clean.shape).astype(np.float32)) * budget.size
    away = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
    return away / _length(away) * budget.size * torch.from_numpy(rng.random((len(clean), 1, 1, 1), dtype=np.float32))


def _uphill(slope: Tensor, budget: Budget) -> Tensor:
    return slope.sign() if budget.norm == "linf" else slope / _length(slope)


def _within(clean: Tensor, pixels: Tensor, budget: Budget) -> Tensor:
    """The nearest image that the budget allows, cut to legal pixels; cutting brings it nearer to ``clean``."""
    away = pixels - clean
    if budget.norm == "linf":
        away = away.clamp(-budget.size, budget.size)
    else:
        away = away * (budget.size / _length(away)).clamp(max=1)
    return (clean + away).clamp_(0, 1)


def _length(images: Tensor) -> Tensor:
    return images.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)


class Adversarial(Labels):
    """Coarse labels of attacked views only, never of plain ones; the attack knows the network as it stands.

    The budget grows evenly from nothing over the recipe's ``ramp``, a share of its steps, so that there is something
    learnt to attack: at once with the whole of 8/255, a trial of 60 steps stayed at guessing.
    It raises the cross-entropy with batch normalisation in evaluation mode, as in the ``robustness`` library, which
    made the papers' models: the running averages are then those of the pictures that are trained on, and one picture
    cannot be attacked through another.
    """

    def __init__(self, corpus: Corpus, recipe: Recipe, norm: str) -> None:
        super().__init__(corpus.categories, recipe)
        self.budget, self.steps = Budget(norm, recipe.options["budget"]), int(recipe.options["attack_steps"])
        self.ramp = recipe.options["ramp"] * recipe.steps

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        hard = self.attack(tower, batch)
        return super().loss(tower, dataclasses.replace(batch, view=lambda: hard))

    def attack(self, tower: nn.Module, batch: Batch) -> Tensor:
        """The batch's first view, attacked."""
        import torch
        from torch.nn import functional as F

        targets = torch.from_numpy(self.targets[batch.rows])
        allowed = dataclasses.replace(self.budget, size=self.budget.size * min(1.0, (batch.seed[1] + 1) / self.ramp))

        def wrong(images: Tensor) -> Tensor:
            return F.cross_entropy(self.parts["head"](tower(images)).float(), targets, reduction="sum")

        tower.eval()
        hard = attacked(batch.view(), wrong, allowed, self.steps, batch.rng())
        tower.train()
        return hard.contiguous(memory_format=torch.channels_last)
