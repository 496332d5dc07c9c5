"""Frozen features of a dataset's images, and the images themselves, shrunk: what a decoder of features is fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.source import Source, require_kinds


@dataclass(frozen=True)
class Pictures:
    """Features float32 ``[n, d]`` and ``[m, d]``; pixels float32 ``[n, side * side * 3]``, ``[m, ...]`` in [0, 1]."""

    train_x: NDArray[np.float32]
    train_pixels: NDArray[np.float32]
    test_x: NDArray[np.float32]
    test_pixels: NDArray[np.float32]

    @property
    def truth(self) -> NDArray[np.float32]:
        return self.test_pixels

    def examples(self, test: Split) -> str:
        return f"{test.digest()}:pixels"

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (self.train_x, self.train_pixels, self.test_x, self.test_pixels)

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no decoder can be fitted to."""
        for split, x, pixels in (
            ("train", self.train_x, self.train_pixels),
            ("test", self.test_x, self.test_pixels),
        ):
            check_features(f"{split} features", x, self.test_x.shape[-1])
            if len(x) != len(pixels) or len(x) < 2:
                raise BadDataset(
                    f"the {split} split has {len(x)} rows of features and {len(pixels)} pictures; a decoder needs as "
                    "many of both, and at least 2"
                )


def gather(source: Source, cell: Cell) -> Pictures:
    """Features of the training and the test images at the protocol's layer, and their pixels.

    Raises Unmeasured for an encoder of texts, or where the dataset has no images or no training split.
    """
    require_kinds(source, cell.models, ("image",))
    dataset, model = source.dataset(cell.dataset), source.model(cell.models[0])
    side: int = cell.protocol.settings.side  # type: ignore[attr-defined]
    found: list[NDArray[np.float32]] = []
    for name in ("train", "test"):
        if name not in dataset.splits or dataset.splits[name].images is None:
            raise Unmeasured(f"{cell.dataset} has no {name} images; a decoder of features is fitted to some")
        part = dataset.split(name)
        found += [source.features(model, part, f"{cell.dataset}/{name}", cell.protocol.layer), pixels_of(part, side)]
    return Pictures(*found)


def pixels_of(split: Split, side: int) -> NDArray[np.float32]:
    """The images of a split, each shrunk to ``side`` x ``side`` by means over areas: float32 ``[n, side * side * 3]``.

    An image that is no square is squeezed, as a whole.
    """
    from PIL import Image

    assert split.images is not None
    rows = np.empty((len(split), side * side * 3), dtype=np.float32)
    for row in range(len(split)):
        image = split.images.image(row)
        small = image if image.size == (side, side) else image.resize((side, side), Image.Resampling.BOX)
        rows[row] = np.asarray(small, dtype=np.float32).reshape(-1) / 255.0
    return rows


def parts(source: Source, cell: Cell) -> list[Any]:
    """The feature key at the protocol's layer, and the dataset."""
    return [source.feature_key(source.model(cell.models[0]), cell.protocol.layer), dataset_part(source, cell)]


FAMILIES.add(Family("pictures", gather, parts, own_truth=True, about="features of images, and the images shrunk"))
