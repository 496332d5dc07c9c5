"""Test images and their texts in one space, and which text belongs to which image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, BadSpec, Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.source import Source, require_one_space

TEXTS, IMAGES = "texts", "images"


@dataclass(frozen=True)
class Paired:
    """``images`` float32 ``[m, d]``, the distinct ``texts`` float32 ``[c, d]``, and ``text_of`` int64 ``[m]``.

    ``find`` says what is looked for: ``texts``, and an example is an image; or ``images``, and an example is a text.
    """

    images: NDArray[np.float32]
    texts: NDArray[np.float32]
    text_of: NDArray[np.int64]
    find: str = TEXTS

    @property
    def truth(self) -> NDArray[np.int64]:
        """The text that belongs to each image; of texts, each its own number."""
        return self.text_of if self.find == TEXTS else np.arange(len(self.texts))

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (self.images, self.texts)

    def examples(self, test: Split) -> str:
        return f"{test.digest()}:{self.find}"

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        if len(self.texts) < 2:
            raise BadDataset(f"a search needs two different texts or more, got {len(self.texts)}")
        width = self.texts.shape[-1]
        check_features("texts", self.texts, width)
        check_features("images", self.images, width)


def gather(source: Source, cell: Cell) -> Paired:
    """Features of test images and of their distinct texts, in the order of the texts.

    Raises Unmeasured where roles share no space or the items have no texts, BadSpec at a hidden layer or for another
    ``find`` than the two.
    """
    find = getattr(cell.protocol.settings, "find", TEXTS)
    if find not in (TEXTS, IMAGES):
        raise BadSpec(f"{cell}: find={find!r}, expected {TEXTS!r} or {IMAGES!r}")
    image, text = require_one_space(source, cell, "images and texts share a space at the output")
    test, where = source.dataset(cell.dataset).split("test"), f"{cell.dataset}/test"
    if test.texts is None or test.images is None:
        raise Unmeasured(f"{cell}: an image and its text are needed for each item; bind a dataset that has both")
    _, first, text_of = np.unique(np.array(test.texts), return_index=True, return_inverse=True)
    texts = source.features(text, test, where)[first]
    return Paired(source.features(image, test, where), texts, text_of.astype(np.int64), find)


def parts(source: Source, cell: Cell) -> list[Any]:
    """Both feature keys, the dataset, and what is looked for."""
    keys = [source.feature_key(source.model(role)) for role in cell.models]
    return [*keys, dataset_part(source, cell), {"find": getattr(cell.protocol.settings, "find", TEXTS)}]


FAMILIES.add(Family("paired", gather, parts, own_truth=True, about="test images and their texts, in one space"))
