"""The label objective: cross-entropy over classes, through one linear layer on the features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmbench.zoo.frozen import backbone

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mmbench.zoo.frozen.loop import Batch, Recipe


class Labels:
    """Softmax over the distinct values of ``labels`` (one a drawing), with the recipe's ``smoothing``."""

    def __init__(self, labels: Sequence[str], recipe: Recipe) -> None:
        from torch import nn

        classes, self.targets = np.unique(np.asarray(labels), return_inverse=True)
        head = nn.Linear(backbone.DIM, len(classes))
        backbone.initialise(head, recipe.seed + 2)
        self.smoothing = recipe.options.get("smoothing", 0.0)
        self.parts: dict[str, nn.Module] = {"head": head}
        self.ships: dict[str, tuple[str, ...]] = {recipe.name: ("tower", "head")}
        self.notes: dict[str, dict[str, str]] = {recipe.name: {"classes": str(len(classes))}}

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        import torch
        from torch.nn import functional as F

        logits = self.parts["head"](tower(batch.view()))
        targets = torch.from_numpy(self.targets[batch.rows])
        return F.cross_entropy(logits.float(), targets, label_smoothing=self.smoothing)
