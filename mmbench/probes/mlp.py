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
from mmbench.training.tensors import Tensor, blocks, to_tensor


@dataclass(frozen=True)
class MLPSettings(Settings):
    """Bielawski 2022, section 5.2: Linear(256), ReLU, Linear; Adam 1e-4, batch 50, early stopping on a validation cut.

    D-10: the code feeds RN50 images that are not normalised (``raw_input`` names the roles). D-11: the code
    averages F1 over full batches of 50, which drops the remainder of the test set. ``validation`` is the share of the
    training rows held out for early stopping when the dataset has no validation split (ours: the thesis does not say
    how it cut; its code reads a fixed list of validation films, D-13).
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
    ``[trials, m, classes]``. A trial's seed decides initial weights, batches, and the cut of the training rows on
    whose held-out part it stops early: one cut for all trials would hide how far a score depends on it. A dataset's own
    validation split is the same for all trials. ``raw_input`` and ``full_batches_only`` concern the encoder and
    the metric and change nothing here.
    """
    arrays.check("train", multilabel=True)
    found = []
    for s in settings:
        seeds = trial_seeds(seed, trials)
        heads = fit_mlp(cut(arrays, s.validation, seeds), arrays.classes, s, seeds, device)
        shape = (trials, len(arrays.test_x), arrays.classes) if arrays.multilabel else (trials, len(arrays.test_x))
        predictions = np.empty(shape, dtype=bool if arrays.multilabel else np.int64)
        for part, logits in heads.scores(arrays.test_x):
            predictions[:, part] = logits > 0 if arrays.multilabel else logits.argmax(axis=-1)
        found.append(predictions)
    return found


@dataclass(frozen=True)
class Cut:
    """What each seed learns from, and where it stops.

    Rows ``kept`` int64 ``[seeds, n]`` of ``train``, and ``held`` int64 ``[seeds, m]`` of ``valid``, which may be the
    same arrays.
    """

    train: Rows
    valid: Rows
    kept: NDArray[np.int64]
    held: NDArray[np.int64]


def cut(arrays: Labelled, share: float, seeds: Sequence[int]) -> Cut:
    """The dataset's own validation rows for every seed, or for each a cut of its own of ``share`` of the training rows.

    Raises NotEnoughShots when there is a single training row to cut.
    """
    train = arrays.train_x, arrays.train_y
    if arrays.valid_x is not None and arrays.valid_y is not None and len(arrays.valid_x):
        valid = arrays.valid_x, arrays.valid_y
        kept, held = (np.tile(np.arange(len(rows[0])), (len(seeds), 1)) for rows in (train, valid))
        return Cut(train, valid, kept, held)
    cuts = [cut_rows(len(arrays.train_x), share, seed) for seed in seeds]
    return Cut(train, train, np.stack([kept for kept, _ in cuts]), np.stack([held for _, held in cuts]))


def fit_mlp(cut: Cut, classes: int, s: MLPSettings, seeds: Sequence[int], device: str = "cpu") -> Heads:
    """One head for each seed, each with the weights of its own best epoch.

    A seed stops when its lowest validation loss is ``patience`` epochs old; the others go on without it. Batches are
    shuffled and the remainder of an epoch dropped; with fewer rows than a batch, all rows are the batch.
    """
    x, y = to_tensor(cut.train[0], device), target(cut.train[1], device)
    shared = cut.valid is cut.train
    valid_x, valid_y = (x, y) if shared else (to_tensor(cut.valid[0], device), target(cut.valid[1], device))
    kept, held = to_tensor(cut.kept, device), to_tensor(cut.held, device)
    heads = Heads((x.shape[1], s.hidden, classes), seeds, several=y.ndim == 2, device=device, lr=s.learning_rate)
    best = heads.values.clone()
    lowest, age = np.full(len(seeds), np.inf), np.zeros(len(seeds), dtype=int)
    alive = np.arange(len(seeds))
    for _ in range(s.max_epochs):
        for batch in heads.batches(kept.shape[1], s.batch_size, drop_last=True):
            rows = kept.gather(1, batch)
            heads.step(rows_at(x, rows), rows_at(y, rows))
        losses = _losses(heads, valid_x, valid_y, held)
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
            kept, held, alive = kept[going.tolist()], held[going.tolist()], alive[going]
    heads.adopt(best)
    return heads


def _losses(heads: Heads, x: Tensor, y: Tensor, held: Tensor) -> NDArray[np.float64]:
    """Summed loss ``[seeds]`` of each seed on its own rows, in blocks so that memory stays bounded."""
    losses = np.zeros(len(held))
    for part in blocks(held.shape[1], len(held) * max(heads.widths)):
        rows = held[:, part]
        losses += heads.loss(rows_at(x, rows), rows_at(y, rows)).cpu().numpy()
    return losses


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
