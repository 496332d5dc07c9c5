"""Vectors of images and of texts between which a translation is learnt without pairs.

An item of a captioned dataset is a caption with its image; the items of one image share it (their groups are
"images"). Here every image counts once and every text once, and nothing says which belong together but ``own``, which
only trainings with pairs read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, Unmeasured
from mmbench.protocol import Roles
from mmbench.source import Source, require_kinds

IMAGES = "images"  # the word for what the captions of one image share


@dataclass(frozen=True)
class Unpaired:
    """``image`` float32 ``[n, d]`` and ``text`` ``[m, k]``; ``own`` int64 ``[m]``: the image of each text."""

    image: NDArray[np.float32]
    text: NDArray[np.float32]
    own: NDArray[np.int64]

    def check(self, *, one_width: bool = False) -> None:
        """Raise BadFeatures or BadDataset for what nothing can be fitted to."""
        for what, x in (("image features", self.image), ("text features", self.text)):
            check_features(what, x, x.shape[-1])
            if len(x) < 2:
                raise BadDataset(f"a translation is learnt from 2 {what} or more, got {len(x)}")
        if one_width and self.image.shape[1] != self.text.shape[1]:
            raise BadDataset(
                f"the translators' layers are as wide as both spaces: expected one width, got {self.image.shape[1]} "
                f"(images) and {self.text.shape[1]} (texts); take encoders of one width"
            )


def require_texts(source: Source, dataset: str, split: str) -> Split:
    """The split; raises Unmeasured where its items have no texts or the dataset has no such split."""
    found = source.dataset(dataset).splits.get(split)
    if found is None or not found.texts:
        lacks = "texts" if found is not None else f"{split} split"
        raise Unmeasured(f"{dataset} has no {lacks}; captions need images with texts in both splits")
    return found


def image_of(split: Split) -> NDArray[np.int64]:
    """The image of each item, int64 ``[items]``, numbered in the order in which images are first shown."""
    if split.groups is None or split.groups.kind != IMAGES or split.groups.of.ndim != 1:
        return np.arange(len(split), dtype=np.int64)
    alone = split.groups.of < 0
    named = np.where(alone, np.arange(len(split)) + len(split), split.groups.of)
    _, first, number = np.unique(named, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    found: NDArray[np.int64] = rank[number].astype(np.int64)
    return found


def image_rows(split: Split) -> NDArray[np.int64]:
    """The first item of each image."""
    return np.unique(image_of(split), return_index=True)[1].astype(np.int64)


def gather(source: Source, models: Roles, dataset: str) -> Unpaired:
    """Vectors of the training images and captions. Raises Unmeasured for other encoders and without texts."""
    require_kinds(source, models, ("image", "text"))
    image, text = (source.model(role) for role in models)
    train, where = require_texts(source, dataset, "train"), f"{dataset}/train"
    found = source.features(image, train, where)[image_rows(train)]
    return Unpaired(found, source.features(text, train, where), image_of(train))


def of_images(found: Unpaired, images: NDArray[np.bool_], texts_of: NDArray[np.bool_]) -> Unpaired:
    """The vectors of some images, bool ``[n]``, and the texts of others (or the same)."""
    place = np.cumsum(images) - 1
    kept = texts_of[found.own]
    own = np.where(images[found.own[kept]], place[found.own[kept]], -1)
    return Unpaired(found.image[images], found.text[kept], own.astype(np.int64))


def gather_unrelated(source: Source, models: Roles, dataset: str) -> Unpaired:
    """Every second image, and the captions of the others: no text describes an image that is seen."""
    found = gather(source, models, dataset)
    even = np.arange(len(found.image)) % 2 == 0
    return of_images(found, even, ~even)


def gather_sixteenth(source: Source, models: Roles, dataset: str) -> Unpaired:
    """Every sixteenth image, with its captions."""
    found = gather(source, models, dataset)
    kept = np.arange(len(found.image)) % 16 == 0
    return of_images(found, kept, kept)


def gather_masked(source: Source, models: Roles, dataset: str) -> Unpaired:
    """Vectors of the training images by one model, and of those of ``DATASET_masked`` as the other kind."""
    require_kinds(source, models, ("image",))
    model, names = source.model(models[0]), (dataset, masked_of(dataset))
    plain, masked = (source.features(model, source.dataset(name).split("train"), f"{name}/train") for name in names)
    return Unpaired(plain, masked, np.arange(len(masked), dtype=np.int64))


def masked_of(dataset: str) -> str:
    """The role of the same images without their text."""
    return f"{dataset}_masked"


def masked_parts(source: Source, models: Roles, dataset: str) -> list[Any]:
    """The feature key and both datasets."""
    key = source.feature_key(source.model(models[0]))
    return [key, *(source.dataset_entry(name).identity() for name in (dataset, masked_of(dataset)))]


def parts(source: Source, models: Roles, dataset: str) -> list[Any]:
    """Both feature keys and the dataset."""
    return [*(source.feature_key(source.model(role)) for role in models), source.dataset_entry(dataset).identity()]
