"""Features of test images, and of prompts made from class names by the text encoder of the same space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_classes, check_features, check_labels
from mmbench.datasets.entry import Split
from mmbench.datasets.prompts import prompt_texts
from mmbench.errors import BadDataset, BadSpec
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.source import Source, require_one_space


@dataclass(frozen=True)
class Prompted:
    """Test features float32 ``[m, d]`` with labels int64 ``[m]``, and prompts float32 ``[classes, templates, d]``."""

    test_x: NDArray[np.float32]
    test_y: NDArray[Any]
    class_names: tuple[str, ...]
    prompts: NDArray[np.float32]

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def truth(self) -> NDArray[Any]:
        return self.test_y

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (self.test_x, self.prompts)

    def examples(self, test: Split) -> str:
        return test.digest()

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        check_classes(self.class_names)
        width = self.test_x.shape[-1]
        check_features("test features", self.test_x, width)
        check_labels("test", self.test_y, len(self.test_x), self.class_names, multilabel=False)
        if len(self.test_x) == 0:
            raise BadDataset("the test split has no rows; this probe needs at least one")
        if self.prompts.ndim != 3 or 0 in self.prompts.shape or len(self.prompts) != self.classes:
            raise BadDataset(
                f"prompts must be [classes, templates, d] with {self.classes} classes, got {self.prompts.shape}"
            )
        check_features("prompts", self.prompts.reshape(-1, self.prompts.shape[-1]), width)


def templates_of(source: Source, cell: Cell) -> tuple[str, ...]:
    """The protocol's templates, else the dataset's own; without an ensemble, the first of them alone.

    Raises BadSpec for one text in place of several.
    """
    settings = cell.protocol.settings
    given = getattr(settings, "templates", None)
    own = source.dataset_entry(cell.dataset).templates if given is None else given
    if isinstance(own, str):
        raise BadSpec(f"{cell}: templates must be several texts, as in templates=({own!r},); got one, {own!r}")
    return tuple(own) if getattr(settings, "ensemble", True) else tuple(own[:1])


def texts_of(source: Source, cell: Cell) -> tuple[tuple[str, ...], ...]:
    """The prompts' texts, ``[classes][templates]``; raises BadDataset for a class without a name."""
    return prompt_texts(source.dataset(cell.dataset), templates_of(source, cell))


def gather(source: Source, cell: Cell) -> Prompted:
    """Test features and encoded prompts. Raises Unmeasured where roles share no space, BadSpec at a hidden layer."""
    image, text = require_one_space(source, cell, "images and prompts share a space at the output")
    dataset = source.dataset(cell.dataset)
    test = dataset.split("test")
    texts = texts_of(source, cell)
    flat = [text for of_class in texts for text in of_class]
    prompts = source.texts(text, flat, f"{cell.dataset}/prompts").reshape(len(texts), len(texts[0]), -1)
    return Prompted(source.features(image, test, f"{cell.dataset}/test"), test.labels, dataset.classes, prompts)


def parts(source: Source, cell: Cell) -> list[Any]:
    """Feature keys, the dataset, and the prompts' texts, word for word."""
    keys = [source.feature_key(source.model(role)) for role in cell.models]
    return [*keys, dataset_part(source, cell), {"prompts": texts_of(source, cell)}]


FAMILIES.add(Family("prompts", gather, parts, about="test features, and prompts made of class names"))
