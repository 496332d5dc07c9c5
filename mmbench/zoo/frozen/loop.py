"""Training, the same for all of the zoo: batches, schedule, optimiser.

Which drawings a step shows, and in which pose, colour and place, follows from the seed and the step alone: every
recipe sees the same pictures in the same order, and a run that is resumed goes on as if it had never stopped.
Progress, checkpoints and files are in ``mmbench.zoo.training``, which is not hashed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo.frozen import augment, backbone
from mmbench.zoo.frozen.corpus import Corpus, training_corpus

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """One step's drawings: ``rows`` of the corpus, and a new view of each at every call of ``view``."""

    rows: NDArray[np.int64]
    seed: tuple[int, int]
    view: Callable[[], Tensor]

    def rng(self) -> np.random.Generator:
        """Randomness for an objective, apart from that of the views."""
        return np.random.default_rng((*self.seed, 1))


class Objective(Protocol):
    """A training signal: what is trained beside the image tower, and the loss of a batch.

    ``parts`` are shipped or not as ``ships`` says: shipped name to parts, with ``tower`` for the image tower.
    """

    parts: dict[str, nn.Module]
    ships: dict[str, tuple[str, ...]]
    notes: dict[str, dict[str, str]]

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor: ...


@dataclass(frozen=True)
class Recipe:
    """How one model of the zoo is trained.

    Hashed are all fields but ``about``, and the program of the objective's module and of what it imports. ``modules``
    names further modules that decide the training and that no import statement there shows.
    """

    name: str
    objective: Callable[[Corpus, Recipe], Objective]
    about: str = ""
    projection: bool = False
    modules: tuple[str, ...] = ()
    steps: int = 1200
    batch: int = 256
    seed: int = 0
    rate: float = 2e-3
    decay: float = 0.05
    warmup: int = 100
    autocast: bool = True
    options: dict[str, float] = field(default_factory=dict)


class Trainer:
    """A recipe under way: ``advance`` takes one step and returns its loss."""

    def __init__(self, recipe: Recipe, corpus: Corpus | None = None) -> None:
        import torch

        self.recipe, self.corpus = recipe, corpus or training_corpus()
        self.pixels = augment.premultiplied(self.corpus.pixels)
        self.tower = backbone.build(projection=recipe.projection, seed=recipe.seed)
        self.tower.to(memory_format=torch.channels_last)
        self.objective = recipe.objective(self.corpus, recipe)
        self.network = torch.nn.ModuleDict({"tower": self.tower, **self.objective.parts})
        parameters = list(self.network.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), fused=True)
        self.losses: list[float] = []

    @property
    def step(self) -> int:
        return len(self.losses)

    def advance(self) -> float:
        """One step of the optimiser; its loss."""
        import torch

        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate * pace(self.step, self.recipe)
        batch = self.batch(self.step)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.autocast):
            loss = self.objective.loss(self.tower, batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.losses.append(float(loss.detach()))
        return self.losses[-1]

    def batch(self, step: int) -> Batch:
        """The drawings of a step: an epoch is one shuffle of the corpus, its incomplete last batch left out."""
        import torch

        recipe = self.recipe
        each = max(len(self.corpus) // recipe.batch, 1)
        epoch, place = divmod(step, each)
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(self.corpus))
        rows = order[place * recipe.batch : (place + 1) * recipe.batch]
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        return Batch(rows, (recipe.seed, step), lambda: augment.views(self.pixels[torch.from_numpy(rows)], generator))

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "losses": list(self.losses),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.losses = list(state["losses"])


def pace(step: int, recipe: Recipe) -> float:
    """The learning rate as a share of the recipe's: linear warm-up, then half a cosine down to a hundredth."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    progress = (step - recipe.warmup) / max(recipe.steps - recipe.warmup, 1)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
