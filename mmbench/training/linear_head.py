"""A linear head on the features of one model: ours, since no paper publishes the heads that it attacks.

The recipe is that of the linear probe (Devillers et al. 2021, section 3.3); attacks on pixels (section 3.4) go through
such a head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_classes, check_features, check_labels
from mmbench.errors import BadDataset, Unmeasured
from mmbench.protocol import Roles
from mmbench.source import Source
from mmbench.training.entry import TRAININGS, Checkpoint, Training, Weights
from mmbench.training.heads import LinearSettings, fit_linear


@dataclass(frozen=True)
class TrainRows:
    """What a head learns from: features ``x`` float32 ``[n, d]`` and one class a row, ``y`` int64 ``[n]``."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    class_names: tuple[str, ...]

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what nothing can be fitted to."""
        check_classes(self.class_names)
        check_features("train features", self.x, self.x.shape[-1])
        check_labels("train", self.y, len(self.x), self.class_names, multilabel=False)
        if len(self.x) == 0:
            raise BadDataset("the train split has no rows; a head needs at least one")


def gather(source: Source, models: Roles, dataset: str) -> TrainRows:
    """Features and classes of the training split. Raises Unmeasured for a dataset of several labels an item."""
    if source.dataset_entry(dataset).task != "single":
        raise Unmeasured(f"a linear head tells single classes apart, and {dataset} has several labels an item")
    found = source.dataset(dataset)
    train = found.split("train")
    return TrainRows(source.features(source.model(models[0]), train, f"{dataset}/train"), train.labels, found.classes)


def parts(source: Source, models: Roles, dataset: str) -> list[Any]:
    """The feature key and the dataset's content."""
    return [source.feature_key(source.model(models[0])), source.dataset_entry(dataset).identity()]


def fit(inputs: TrainRows, s: LinearSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """``weight`` float32 ``[classes, d]`` and ``bias`` ``[classes]``: logits are ``x @ weight.T + bias``."""
    inputs.check()
    heads = fit_linear(inputs.x, inputs.y, len(inputs.class_names), s, [seed], checkpoint=checkpoint)
    ((weight, bias),) = heads.layers
    return {"weight": weight[0].numpy().copy(), "bias": bias[0, 0].numpy().copy()}


TRAININGS.add(
    Training(
        "linear_head",
        fit,
        gather,
        parts,
        LinearSettings(),
        takes="one",
        about="from the features of one model to the classes of a dataset",
    )
)
