"""Test images as pixels, and a classifier with gradients to them: a frozen encoder under heads of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_classes, check_features, check_labels
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, BadSpec
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.seeds import trial_seeds
from mmbench.source import Source, require_kinds, require_output

if TYPE_CHECKING:
    from torch import Tensor

HEAD = "linear_head"
ORDER = 42  # the seed of the order in which test images are chosen, as in the code of Devillers et al. 2021


@dataclass(frozen=True)
class Pixels:
    """Some test images, and classifiers of them.

    ``images`` float32 ``[n, 3, size, size]`` in [0, 1], ``labels`` int64 ``[n]``, ``ids`` as in the test split.
    ``encode`` maps such images to features ``[n, d]`` with gradients. ``weight`` float32 ``[trials, classes, d]`` and
    ``bias`` ``[trials, classes]`` are linear heads, one a trial, trained by us on the features of the training split.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    ids: tuple[str, ...]
    class_names: tuple[str, ...]
    encode: Callable[[Tensor], Tensor]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def truth(self) -> NDArray[np.int64]:
        return self.labels

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (self.images, self.weight, self.bias)

    def examples(self, test: Split) -> str:
        """The digest of the chosen images' ids and labels."""
        return Split(self.ids, self.labels).digest()

    def logits(self, trial: int) -> Callable[[Tensor], Tensor]:
        """The classifier of one trial: from images ``[n, 3, size, size]`` to logits ``[n, classes]``, on any device."""
        import torch

        weight, bias = torch.from_numpy(np.array(self.weight[trial])), torch.from_numpy(np.array(self.bias[trial]))

        def classify(images: Tensor) -> Tensor:
            x = self.encode(images)
            return torch.nn.functional.linear(x.float(), weight.to(x.device), bias.to(x.device))

        return classify

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        check_classes(self.class_names)
        check_labels("test", self.labels, len(self.images), self.class_names, multilabel=False)
        if len(self.images) == 0:
            raise BadDataset("the test split has no rows; this probe needs at least one")
        if self.weight.ndim != 3 or self.weight.shape[1] != len(self.class_names):
            raise BadDataset(
                f"heads must be [trials, {len(self.class_names)} classes, d], got weights {self.weight.shape}"
            )
        check_features("heads", self.weight.reshape(-1, self.weight.shape[-1]), self.weight.shape[-1])


def chosen(items: int, wanted: int | None) -> NDArray[np.int64]:
    """Row numbers of the test images: ``wanted`` of a seeded permutation, in rising order; all where there are fewer.

    Fewer are always among more. Splits are often sorted by class, so the first rows would not do.
    """
    if wanted is not None and wanted < 1:
        raise BadSpec(f"at least one image is needed, got images={wanted}")
    order = np.random.RandomState(ORDER).permutation(items)
    return np.sort(order[:wanted])


def images_of(cell: Cell) -> int | None:
    """How many images the cell's settings ask for; None for all."""
    found: int | None = getattr(cell.protocol.settings, "images", None)
    return found


def gather(source: Source, cell: Cell) -> Pixels:
    """Pixels of the chosen test images, the encoder with gradients, and one head for the seed of each trial.

    Raises Unmeasured for a text encoder and BadSpec for an encoder that gives no gradients to pixels.
    """
    import torch

    require_kinds(source, cell.models, ("image",))
    require_output(cell, "gradients to pixels pass through the output")
    model = source.model(cell.models[0])
    encoder = source.encoder(model)
    encode = encoder.with_gradients(model.name)
    if encoder.pixels is None:
        raise BadSpec(f"{model.name} has gradients to its pixels and no way to make pixels of an image")
    dataset = source.dataset(cell.dataset)
    test = dataset.split("test")
    if test.images is None:
        raise BadDataset(f"{cell.dataset} has no images; attacks change pixels, so bind a dataset of images")
    rows = chosen(len(test), images_of(cell))
    seeds = trial_seeds(cell.protocol.seed, cell.protocol.trials)
    heads = [source.trained(HEAD, cell.models, cell.dataset, seed) for seed in seeds]
    encoder.module.to(torch.device(source.device))
    return Pixels(
        images=np.stack([encoder.pixels(test.images.image(int(row))).numpy() for row in rows]),
        labels=test.labels[rows],
        ids=tuple(test.ids[row] for row in rows),
        class_names=dataset.classes,
        encode=encode,
        weight=np.stack([head["weight"] for head in heads]),
        bias=np.stack([head["bias"] for head in heads]),
    )


def parts(source: Source, cell: Cell) -> list[Any]:
    """The feature key, the dataset, the key of the heads, and the number of images."""
    key = source.feature_key(source.model(cell.models[0]))
    head = source.training_key(HEAD, cell.models, cell.dataset)
    return [key, dataset_part(source, cell), head, {"images": images_of(cell)}]


def seed_of(trial_seed: int, image_id: str) -> int:
    """A 63-bit seed for what is drawn for one image in one trial, whatever the images beside it."""
    return int.from_bytes(hashlib.sha256(f"{trial_seed}\0{image_id}".encode()).digest()[:8], "big") >> 1


FAMILIES.add(Family("pixels", gather, parts, about="test images, and encoders under linear heads of ours"))
