"""Adversarial training (Madry et al. 2018, section 2): coarse labels of attacked views, and the attack on them.

Epsilons are of pixels in [0, 1], while images are the zoo's normalised ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mmbench.attacks.pgd import Norm, Threat, lengths, pgd
from mmbench.zoo.frozen.backbone import MEAN, STD
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.labels import Labels

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mmbench.zoo.frozen.loop import Batch, Recipe


def attacked(
    images: Tensor,
    logits: Callable[[Tensor], Tensor],
    labels: Tensor,
    threat: Threat,
    steps: int,
    rng: np.random.Generator,
) -> Tensor:
    """Normalised images near ``images`` that ``logits`` takes for others than ``labels``: PGD from a random start.

    The steps together are two epsilons long, so that any place of the ball can be reached from any other.
    """
    import torch

    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    clean = images.detach() * std + mean
    changed = pgd(
        lambda pixels: logits((pixels - mean) / std),
        clean,
        labels,
        norm=threat.norm,
        epsilon=threat.epsilon,
        steps=steps,
        step_size=2 * threat.epsilon / max(steps, 1),
        start=_start(clean, threat, rng),
    )
    return (changed - mean) / std


def _start(clean: Tensor, threat: Threat, rng: np.random.Generator) -> Tensor:
    """A random change, drawn by numpy, whose stream no torch version changes.

    Uniform in the cube (linf); of uniform direction and length (l2).
    """
    import torch

    if threat.norm == "linf":
        return torch.from_numpy(rng.uniform(-1, 1, clean.shape).astype(np.float32)) * threat.epsilon
    away = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
    share = torch.from_numpy(rng.random((len(clean), 1, 1, 1), dtype=np.float32))
    return away / lengths(away) * threat.epsilon * share


class Adversarial(Labels):
    """Coarse labels of attacked views only, never of plain ones; the attack uses the network as it stands.

    The epsilon grows evenly from nothing over the recipe's ``ramp``, a share of its steps, so that there is something
    learnt to attack: at once with the whole of 8/255, a trial of 60 steps stayed at guessing.
    The attack raises the cross-entropy with batch normalisation in evaluation mode, as in the ``robustness`` library,
    which made the papers' models: the running averages are then those of the pictures that are trained on, and one
    picture cannot be attacked through another.
    """

    def __init__(self, corpus: Corpus, recipe: Recipe, norm: Norm) -> None:
        super().__init__(corpus.categories, recipe)
        self.threat = Threat(norm, recipe.options["epsilon"])
        self.steps = int(recipe.options["attack_steps"])
        self.ramp = recipe.options["ramp"] * recipe.steps

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        hard = self.attack(tower, batch)
        return super().loss(tower, dataclasses.replace(batch, view=lambda: hard))

    def attack(self, tower: nn.Module, batch: Batch) -> Tensor:
        """The batch's first view, attacked."""
        import torch

        labels = torch.from_numpy(self.targets[batch.rows])
        share = min(1.0, (batch.seed[1] + 1) / self.ramp)
        threat = dataclasses.replace(self.threat, epsilon=self.threat.epsilon * share)

        def logits(images: Tensor) -> Tensor:
            return self.parts["head"](tower(images)).float()

        tower.eval()
        hard = attacked(batch.view(), logits, labels, threat, self.steps, batch.rng())
        tower.train()
        return hard.contiguous(memory_format=torch.channels_last)
