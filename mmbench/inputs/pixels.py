"""Test images as pixels, and a classifier with gradients to them: a frozen encoder under a linear head.

The head is the model's own where it has one for the dataset's classes, else one of ours, trained by the recipe of the
linear probe (``mmbench.training.linear_head``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_classes, check_features, check_labels
from mmbench.attacks.sweep import shifted_targets
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, BadSpec, Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.seeds import trial_seeds
from mmbench.source import Source, require_kinds, require_output
from mmbench.training.entry import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor

HEAD = "linear_head"
OWN, OURS = "the model's own", "ours, linear"
ORDER = 42  # the seed of the order in which test images are chosen, as in the code of Devillers et al. 2021


@dataclass(frozen=True)
class Pixels:
    """Some test images, and classifiers of them.

    ``images`` float32 ``[n, 3, size, size]`` in [0, 1], ``labels`` int64 ``[n]``, ``ids`` as in the test split.
    ``encode`` maps such images to features ``[n, d]`` with gradients. ``weight`` float32 ``[trials, classes, d]`` and
    ``bias`` ``[trials, classes]`` are linear heads, one a trial: the model's own in all, or trained by us on the
    features of the training split, each from its own seed. ``head`` says which.

    ``targets`` int64 ``[n]`` are the classes that a targeted attack wants; None for others. ``reduced`` holds settings
    that the lineup lowers. ``checkpoint`` gives, for a piece of work by its name, what keeps its state.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    ids: tuple[str, ...]
    class_names: tuple[str, ...]
    encode: Callable[[Tensor], Tensor]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    head: str = OURS
    targets: NDArray[np.int64] | None = None
    reduced: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Callable[[str], Checkpoint] = field(default=lambda name: Checkpoint(), repr=False)

    @property
    def truth(self) -> NDArray[np.int64]:
        """What predictions are compared with: the targets of a targeted attack, else the labels."""
        return self.labels if self.targets is None else self.targets

    @property
    def made_with(self) -> dict[str, str]:
        """What a record says of how these inputs were made."""
        return {"head": self.head}

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


def images_of(source: Source, cell: Cell) -> int | None:
    """How many images the cell's settings ask for, or the lineup where it asks for fewer; None for all."""
    wanted: int | None = getattr(cell.protocol.settings, "images", None)
    lowered: int | None = source.reduced(cell.protocol.probe).get("images")
    return wanted if lowered is None else lowered if wanted is None else min(wanted, lowered)


def targets_of(cell: Cell, labels: NDArray[np.int64], classes: int) -> NDArray[np.int64] | None:
    """The class that each image is to be taken for, where the cell's settings are ``targeted``; else None."""
    if not getattr(cell.protocol.settings, "targeted", False):
        return None
    return shifted_targets(labels, classes)


def has_own_head(source: Source, cell: Cell) -> bool:
    """Whether the model brings a classifier for exactly the dataset's classes, in their order."""
    own = source.model(cell.models[0]).head
    return own is not None and own() == source.dataset(cell.dataset).classes


def gather(source: Source, cell: Cell) -> Pixels:
    """Pixels of the chosen test images, the encoder with gradients, and one head for the seed of each trial.

    Raises Unmeasured for a text encoder and where there is neither a head nor a training split to fit one to, and
    NoGradients for an encoder that gives no gradients to pixels.
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
    rows = chosen(len(test), images_of(source, cell))
    labels = test.labels[rows]
    targets = targets_of(cell, labels, len(dataset.classes))
    head, weight, bias = _heads(source, cell)
    encoder.module.to(torch.device(source.device))
    made_of = parts(source, cell)
    return Pixels(
        images=np.stack([encoder.pixels(test.images.image(int(row))).numpy() for row in rows]),
        labels=labels,
        ids=tuple(test.ids[row] for row in rows),
        class_names=dataset.classes,
        encode=encode,
        weight=weight,
        bias=bias,
        head=head,
        targets=targets,
        reduced=source.reduced(cell.protocol.probe),
        checkpoint=lambda name: source.checkpoint(
            cell.protocol.probe, [*made_of, name], f"{cell.protocol.probe}[{cell.models}, {cell.dataset}]"
        ),
    )


def _heads(source: Source, cell: Cell) -> tuple[str, NDArray[np.float32], NDArray[np.float32]]:
    """Which heads, their weights ``[trials, classes, d]`` and biases ``[trials, classes]``."""
    model, trials = source.model(cell.models[0]), cell.protocol.trials
    if has_own_head(source, cell):
        own = source.encoder(model).head
        if own is None:
            raise BadSpec(f"{model.name} is said to have a classifier of its own, and its encoder brings none")
        weight, bias = (np.asarray(part.detach().cpu().numpy(), dtype=np.float32) for part in own)
        return OWN, np.tile(weight, (trials, 1, 1)), np.tile(bias, (trials, 1))
    if "train" not in source.dataset(cell.dataset).splits:
        raise Unmeasured(
            f"{cell} needs a classifier: {model.name} has none for these {len(source.dataset(cell.dataset).classes)} "
            f"classes, and {cell.dataset} has no training split to fit one to; bind a dataset that has one"
        )
    seeds = trial_seeds(cell.protocol.seed, trials)
    heads = [source.trained(HEAD, cell.models, cell.dataset, seed) for seed in seeds]
    return OURS, np.stack([head["weight"] for head in heads]), np.stack([head["bias"] for head in heads])


def parts(source: Source, cell: Cell) -> list[Any]:
    """The feature key, the dataset, the head (the model's own, or the key of ours), and what the lineup lowers."""
    key = source.feature_key(source.model(cell.models[0]))
    own = has_own_head(source, cell)
    head = OWN if own else source.training_key(HEAD, cell.models, cell.dataset)
    reduced = {**source.reduced(cell.protocol.probe), "images": images_of(source, cell)}
    return [key, dataset_part(source, cell), head, reduced]


def seed_of(trial_seed: int, image_id: str) -> int:
    """A 63-bit seed for what is drawn for one image in one trial, whatever the images beside it."""
    return int.from_bytes(hashlib.sha256(f"{trial_seed}\0{image_id}".encode()).digest()[:8], "big") >> 1


FAMILIES.add(Family("pixels", gather, parts, about="test images, and encoders under linear heads"))
