"""Linear probe, trained with Adam (Devillers et al. 2021, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.labelled import Labelled
from mmbench.probes.entry import PROBES, Probe
from mmbench.probes.seed_heads import Heads, rows_at, target
from mmbench.probes.tensors import to_tensor
from mmbench.protocol import LinearSettings
from mmbench.seeds import trial_seeds


def linear(
    arrays: Labelled, settings: Sequence[LinearSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Label test rows by one linear layer with bias on the features as they are; a trial is a seed.

    Cross-entropy, Adam with L2 weight decay (not AdamW), every row once an epoch in shuffled batches, the last one
    smaller, and the weights after the last epoch: nothing is selected. Predictions int64 ``[trials, m]``.
    """
    arrays.check("train")
    found = []
    for s in settings:
        heads = fit_linear(arrays.train_x, arrays.train_y, arrays.classes, s, trial_seeds(seed, trials), device)
        predictions = np.empty((trials, len(arrays.test_x)), dtype=np.int64)
        for part, logits in heads.scores(arrays.test_x):
            predictions[:, part] = logits.argmax(axis=-1)
        found.append(predictions)
    return found


def fit_linear(
    x: NDArray[Any], y: NDArray[Any], classes: int, s: LinearSettings, seeds: Sequence[int], device: str = "cpu"
) -> Heads:
    """One linear head for each seed, trained on all rows of ``x`` ``[n, d]`` with classes ``y`` ``[n]``."""
    rows, labels = to_tensor(x, device), target(y, device)
    heads = Heads(
        (x.shape[1], classes), seeds, several=False, device=device, lr=s.learning_rate, weight_decay=s.weight_decay
    )
    for _ in range(s.epochs):
        for batch in heads.batches(len(rows), s.batch_size, drop_last=False):
            heads.step(rows_at(rows, batch), rows_at(labels, batch))
    return heads


PROBES.add(
    Probe(
        "linear",
        linear,
        LinearSettings,
        side_by_side=True,
        title="Linear probe (as Devillers et al. 2021, Fig. 4)",
        task="linear probe",
        about="one linear layer by Adam, all seeds in one run",
    )
)
