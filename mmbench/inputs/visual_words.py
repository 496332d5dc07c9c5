"""Images with the words of their classes, to check that the vectors of these words say something of the images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_classes, check_features, check_labels
from mmbench.datasets.entry import Split
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.source import Source, require_kinds
from mmbench.training.word_vectors import corpus_of


@dataclass(frozen=True)
class Pictured:
    """Features ``x`` float32 ``[n, d]`` of images with ``labels`` ``[n]``, and the width ``dim`` of word vectors."""

    x: NDArray[np.float32]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    dim: int

    @property
    def truth(self) -> NDArray[np.int64]:
        return self.labels

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield self.x

    def examples(self, test: Split) -> str:
        return test.digest()

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        check_classes(self.class_names)
        check_features("features of visual words", self.x, self.x.shape[-1])
        check_labels("test", self.labels, len(self.x), self.class_names, multilabel=False)


def gather(source: Source, cell: Cell) -> Pictured:
    """Features of the test images. Raises Unmeasured for a text encoder."""
    require_kinds(source, cell.models, ("image",))
    found = source.dataset(cell.dataset)
    test = found.split("test")
    x = source.features(source.model(cell.models[0]), test, f"{cell.dataset}/test", cell.protocol.layer)
    return Pictured(x, test.labels, found.classes, corpus_of(source).how.dim)


def parts(source: Source, cell: Cell) -> list[Any]:
    """The feature key, the dataset, and the width of word vectors."""
    key = source.feature_key(source.model(cell.models[0]), cell.protocol.layer)
    return [key, dataset_part(source, cell), {"dim": corpus_of(source).how.dim}]


FAMILIES.add(Family("visual_words", gather, parts, about="images with the words of their classes"))
