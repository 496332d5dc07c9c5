"""Vectors of images and of their captions side by side, before or after a translation of one kind into the other."""

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
from mmbench.inputs.translated import DIRECT, translated
from mmbench.protocol import Cell, Roles
from mmbench.source import Source, require_kinds, require_output
from mmbench.training.latent_cyclegan import translate
from mmbench.training.unpaired import image_rows, masked_of, require_texts

Array = NDArray[np.float32]


@dataclass(frozen=True)
class TwoSpaces:
    """``moved`` are the vectors of the kind that is translated, ``stay`` those of the other: the captions of images.

    By split (``train``, ``test``): ``moved`` float32 ``[trials, n, d]``, ``stay`` ``[n, d]``, one caption an image.
    """

    moved: dict[str, Array]
    stay: dict[str, Array]
    ids: tuple[str, ...]

    @property
    def truth(self) -> NDArray[np.int64]:
        """The place of each item's counterpart."""
        return np.arange(len(self.ids), dtype=np.int64)

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (side[split] for split in ("train", "test") for side in (self.moved, self.stay))

    def examples(self, test: Split) -> str:
        return Split(self.ids, self.truth).digest() + ":images"

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        width = self.stay["test"].shape[-1]
        if self.moved["test"].shape[-1] != width:
            raise BadDataset(
                f"vectors of images and of texts are compared in one space: expected one width, got "
                f"{self.moved['test'].shape[-1]} and {width}"
            )
        for split in ("train", "test"):
            check_features(f"{split} vectors that stay", self.stay[split], width)
            check_features(f"{split} vectors that are moved", self.moved[split].reshape(-1, width), width)


def gather(source: Source, cell: Cell) -> TwoSpaces:
    """The first caption of each image with the image; one kind translated where the settings say so.

    Raises Unmeasured for other encoders and without texts in both splits.
    """
    require_kinds(source, cell.models, ("image", "text"))
    require_output(cell, "images are translated from the output")
    s: Any = cell.protocol.settings
    models = [source.model(role) for role in cell.models]
    moved: dict[str, Array] = {}
    stay: dict[str, Array] = {}
    ids: tuple[str, ...] = ()
    for name in ("train", "test"):
        split = require_texts(source, cell.dataset, name)
        rows = image_rows(split)
        image, text = (source.features(model, split, f"{cell.dataset}/{name}")[rows] for model in models)
        first, other = (image, text) if s.to == "text" else (text, image)
        moved[name], stay[name] = translated(source, cell, s.translation, first, other, s.to), other
        ids = tuple(split.ids[row] for row in rows)
    return TwoSpaces(moved, stay, ids)


def parts(source: Source, cell: Cell) -> list[Any]:
    """Both feature keys, the dataset and the key of the translation."""
    s: Any = cell.protocol.settings
    keys = [source.feature_key(source.model(role)) for role in cell.models]
    if s.translation != DIRECT:
        keys.append(source.training_key(s.translation, Roles(*cell.models), cell.dataset))
    return [*keys, dataset_part(source, cell)]


FAMILIES.add(
    Family("two_spaces", gather, parts, own_truth=True, about="vectors of images and of their captions side by side")
)


def gather_images(source: Source, cell: Cell) -> TwoSpaces:
    """A dataset's images and the same images without their text, by one model; the first translated where asked.

    Raises BadDataset where the two datasets do not have the same items.
    """
    require_kinds(source, cell.models, ("image",))
    require_output(cell, "images are translated from the output")
    model, other = source.model(cell.models[0]), masked_of(cell.dataset)
    trials, how = cell.protocol.trials, cell.protocol.settings.translation  # type: ignore[attr-defined]
    weights = None if how == DIRECT else source.trained(how, cell.models, cell.dataset, cell.protocol.seed)
    moved: dict[str, Array] = {}
    stay: dict[str, Array] = {}
    ids: tuple[str, ...] = ()
    for name in ("train", "test"):
        splits = [source.dataset(role).split(name) for role in (cell.dataset, other)]
        if splits[0].ids != splits[1].ids:
            raise BadDataset(f"{cell.dataset} and {other} are compared item by item, and their {name} items differ")
        plain, masked = (
            source.features(model, split, f"{role}/{name}")
            for role, split in zip((cell.dataset, other), splits, strict=True)
        )
        made = [plain if weights is None else translate(weights, plain, trial) for trial in range(trials)]
        moved[name], stay[name], ids = np.stack(made), masked, splits[0].ids
    return TwoSpaces(moved, stay, ids)


def image_parts(source: Source, cell: Cell) -> list[Any]:
    """The feature key, both datasets and the key of the translation."""
    how = cell.protocol.settings.translation  # type: ignore[attr-defined]
    keys = [source.feature_key(source.model(cell.models[0])), dataset_part(source, cell)]
    keys.append(source.dataset_entry(masked_of(cell.dataset)).identity())
    return keys if how == DIRECT else [*keys, source.training_key(how, cell.models, cell.dataset)]


FAMILIES.add(
    Family(
        "two_image_sets",
        gather_images,
        image_parts,
        own_truth=True,
        about="vectors of images and of the same images without their text",
    )
)
