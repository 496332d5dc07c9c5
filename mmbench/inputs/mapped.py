"""Test images mapped into a text space by a fitted linear map, and the texts to find them in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.seeds import trial_seeds
from mmbench.source import Source, require_kinds, require_output
from mmbench.training.linear_map import centred, class_texts, map_images

MAP = "linear_map"


@dataclass(frozen=True)
class Mapped:
    """``queries`` float32 ``[trials, m, k]``: the test images in text space, under one map a trial.

    ``candidates`` float32 ``[trials, c, k]`` are the distinct texts of the test split (without texts: the prompts of
    the classes), ``truth`` int64 ``[m]`` says which of them belongs to each image.
    """

    queries: NDArray[np.float32]
    candidates: NDArray[np.float32]
    truth: NDArray[np.int64]

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (self.queries, self.candidates)

    def examples(self, test: Split) -> str:
        return f"{test.digest()}:texts"

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        if self.candidates.shape[1] < 2:
            raise BadDataset(f"a search needs two different texts or more, got {self.candidates.shape[1]}")
        width = self.candidates.shape[-1]
        check_features("texts", self.candidates.reshape(-1, width), width)
        check_features("mapped images", self.queries.reshape(-1, self.queries.shape[-1]), width)


def gather(source: Source, cell: Cell) -> Mapped:
    """Fit a map for each trial's seed on the training split, and map the test images with it."""
    require_kinds(source, cell.models, ("image", "text"))
    require_output(cell, "images are mapped to texts from the output")
    image, text = (source.model(role) for role in cell.models)
    test, where = source.dataset(cell.dataset).split("test"), f"{cell.dataset}/test"
    features = source.features(image, test, where)
    if test.texts:
        _, first, truth = np.unique(np.array(test.texts), return_index=True, return_inverse=True)
        texts = source.features(text, test, where)[first]
    else:
        texts, truth = class_texts(source, cell.models, cell.dataset), test.labels
    seeds = trial_seeds(cell.protocol.seed, cell.protocol.trials)
    maps = [source.trained(MAP, cell.models, cell.dataset, seed) for seed in seeds]
    queries = np.stack([map_images(weights, features) for weights in maps])
    return Mapped(queries, np.stack([centred(weights, texts) for weights in maps]), truth.astype(np.int64))


def parts(source: Source, cell: Cell) -> list[Any]:
    """Both feature keys, the dataset, and the key of the map."""
    keys = [source.feature_key(source.model(role)) for role in cell.models]
    return [*keys, dataset_part(source, cell), source.training_key(MAP, cell.models, cell.dataset)]


FAMILIES.add(
    Family("mapped", gather, parts, own_truth=True, about="test images in a text space, by a fitted linear map")
)
