"""Two-layer head with early stopping (Bielawski 2022, section 5.2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.labelled import Labelled
from mmbench.probes.draws import cut_rows
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.seeds import trial_seeds
from mmbench.training.heads import Heads, rows_at, target
from mmbench.training.tensors import to_tensor


@dataclass(frozen=True)
class MLPSettings(Settings):
    """Bielawski 2022, section 5.2: Linear(256), ReLU, Linear; Adam 1e-4, batch 50, early stopping on a validation cut.

    D-10: the code feeds RN50 images that are not normalised (``raw_input`` names the roles). D-11: the code
    averages F1 over full batches of 50, which drops the remainder of the test set. ``validation`` is the share of the
    training rows held out for early stopping when the dataset has no validation split (ours).
    """

    hidden: int = 256
    learning_rate: float = 1e-4
    batch_size: int = 50
    max_epochs: int = 300
    patience: int = 9
    validation: float = 0.1
    raw_input: tuple[str, ...] = ()
    full_batches_only: bool = False

    def as_code(self) -> MLPSettings:
        return dataclasses.replace(self, raw_input=("rn50",), full_batches_only=True)

    def for_probe(self) -> MLPSettings:
        return dataclasses.replace(self, raw_input=(), full_batches_only=False)

    def counted(self, examples: int) -> int:
        dropped = examples % self.batch_size if self.full_batches_only and examples >= self.batch_size else 0
        return examples - dropped


Rows = tuple[NDArray[Any], NDArray[Any]]


def mlp(
    arrays: Labelled, settings: Sequence[MLPSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Label test rows by Linear, ReLU, Linear on the features as they are; a trial is a seed.

    One label: softmax cross-entropy, the likeliest class. Several: binary cross-entropy summed over batch and
    classes, each label whose probability rounds to 1. Predictions int64 ``[trials, m]`` or bool
    ``[trials, m, classes]``. The validation rows are the dataset's or, without such a split, one seeded cut of the
    training rows, the same for all trials. ``raw_input`` and ``full_batches_only`` concern the encoder and the
    metric and change nothing here.
    """
    arrays.check("train", multilabel=True)
    found = []
    for s in settings:
        train, valid = split(arrays, s.validation, seed)
        heads = fit_mlp(train, valid, arrays.classes, s, trial_seeds(seed, trials), device)
        shape = (trials, len(arrays.test_x), arrays.classes) if arrays.multilabel else (trials, len(arrays.test_x))
        predictions = np.empty(shape, dtype=bool if arrays.multilabel else np.int64)
        for part, logits in heads.scores(arrays.test_x):
            predictions[:, part] = logits > 0 if arrays.multilabel else logits.argmax(axis=-1)
        found.append(predictions)
    return found


def split(arrays: Labelled, share: float, seed: int) -> tuple[Rows, Rows]:
    """Training and validation rows: the dataset's own, or a seeded cut of ``share`` of its training rows."""
    if arrays.valid_x is not None and arrays.valid_y is not None and len(arrays.valid_x):
        return (arrays.train_x, arrays.train_y), (arrays.valid_x, arrays.valid_y)
    kept, held = cut_rows(len(arrays.train_x), share, seed)
    return (arrays.train_x[kept], arrays.train_y[kept]), (arrays.train_x[held], arrays.train_y[held])


def fit_mlp(train: Rows, valid: Rows, classes: int, s: MLPSettings, seeds: Sequence[int], device: str = "cpu") -> Heads:
    """One head for each seed, each with the weights of its own best epoch.

    A seed stops when its lowest validation loss is ``patience`` epochs old; the others go on without it. Batches are
    shuffled and the remainder of an epoch dropped; with fewer rows than a batch, all rows are the batch.
    """
    x, y = to_tensor(train[0], device), target(train[1], device)
    held_x, held_y = to_tensor(valid[0], device), target(valid[1], device)
    heads = Heads((x.shape[1], s.hidden, classes), seeds, several=y.ndim == 2, device=device, lr=s.learning_rate)
    best = heads.values.clone()
    lowest, age = np.full(len(seeds), np.inf), np.zeros(len(seeds), dtype=int)
    alive = np.arange(len(seeds))
    for _ in range(s.max_epochs):
        for batch in heads.batches(len(x), s.batch_size, drop_last=True):
            heads.step(rows_at(x, batch), rows_at(y, batch))
        losses = heads.loss(held_x, held_y).cpu().numpy()
        better = np.flatnonzero(losses < lowest[alive])
        lowest[alive[better]] = losses[better]
        age[alive] += 1
        age[alive[better]] = 0
        best[alive[better]] = heads.values[better]
        going = np.flatnonzero(age[alive] < s.patience)
        if len(going) == 0:
            break
        if len(going) < len(alive):
            heads.keep(going.tolist())
            alive = alive[going]
    heads.adopt(best)
    return heads


PROBES.add(
    Probe(
        "mlp",
        mlp,
        MLPSettings,
        multilabel=True,
        side_by_side=True,
        unnamed=False,
        costly=True,
        title="MLP head on human-centric data (as Bielawski 2022, Tables 5.1 to 5.3)",
        about="one hidden layer by Adam with early stopping",
    )
)
MLP_HEAD = PROTOCOLS.add(Protocol("mlp_head", "mlp", MLPSettings(), multilabel_metric="f1_samples", trials=5))
