"""Test images as prefixes of a language model, by a fitted linear map, and the writer that goes on from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_classes, check_features, check_labels
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.inputs.pixels import chosen, images_of
from mmbench.protocol import Cell
from mmbench.seeds import trial_seeds
from mmbench.source import Source, require_kinds, require_output
from mmbench.training.prefix_map import token_vectors

if TYPE_CHECKING:
    from torch import Tensor

MAP = "prefix_map"


@dataclass(frozen=True)
class Captions:
    """What a language model is given to write about some test images.

    ``images`` float32 ``[trials, n, k]`` is one vector an image in the model's space of token vectors, under one map a
    trial. ``opening`` ``[s, k]`` are the vectors of the marks that open a text, ``prompt`` ``[p, k]`` those of the
    prompt. ``labels`` int64 ``[n]``, ``ids`` as in the test split. ``write(prefixes, max_tokens=, beams=)`` gives a
    text after each prefix (mmbench.models.generators).
    """

    images: NDArray[np.float32]
    opening: NDArray[np.float32]
    prompt: NDArray[np.float32]
    labels: NDArray[np.int64]
    ids: tuple[str, ...]
    class_names: tuple[str, ...]
    write: Callable[..., list[str]]

    @property
    def truth(self) -> NDArray[np.int64]:
        return self.labels

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (self.images, self.opening, self.prompt)

    def examples(self, test: Split) -> str:
        """The digest of the chosen images' ids and labels."""
        return Split(self.ids, self.labels).digest()

    def prefixes(self, trial: int) -> Tensor:
        """Opening marks, the image, then the prompt: ``[n, s + 1 + p, k]``, as in Merullo et al. 2022."""
        import torch

        images = self.images[trial][:, None]
        before, after = (np.repeat(part[None], len(images), axis=0) for part in (self.opening, self.prompt))
        return torch.from_numpy(np.concatenate([before, images, after], axis=1))

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        check_classes(self.class_names)
        check_labels("test", self.labels, self.images.shape[1], self.class_names, multilabel=False)
        if len(self.labels) == 0:
            raise BadDataset("the test split has no rows; this probe needs at least one")
        width = self.images.shape[-1]
        for what, x in (("images", self.images.reshape(-1, width)), ("opening", self.opening), ("prompt", self.prompt)):
            check_features(f"{what} in the space of token vectors", x, width)


def gather(source: Source, cell: Cell) -> Captions:
    """Fit a map for each trial's seed on the training split, and map the chosen test images with it.

    Raises Unmeasured for other encoders and for a text model that writes nothing.
    """
    require_kinds(source, cell.models, ("image", "text"))
    require_output(cell, "captions are written from the output")
    image, text = (source.model(role) for role in cell.models)
    generator = source.generator(text)
    dataset = source.dataset(cell.dataset)
    test = dataset.split("test")
    rows = chosen(len(test), images_of(source, cell))
    features = source.features(image, test, f"{cell.dataset}/test")[rows]
    seeds = trial_seeds(cell.protocol.seed, cell.protocol.trials)
    maps = [source.trained(MAP, cell.models, cell.dataset, seed) for seed in seeds]
    (opening,), (prompt,) = generator.embed([""], start=True), generator.embed([prompt_of(cell)])
    return Captions(
        images=np.stack([token_vectors(weights, features) for weights in maps]),
        opening=opening.float().cpu().numpy(),
        prompt=prompt.float().cpu().numpy(),
        labels=test.labels[rows],
        ids=tuple(test.ids[row] for row in rows),
        class_names=dataset.classes,
        write=generator.write,
    )


def prompt_of(cell: Cell) -> str:
    """The text that follows an image; empty where the cell's settings have none."""
    found: str = getattr(cell.protocol.settings, "prompt", "")
    return found


def parts(source: Source, cell: Cell) -> list[Any]:
    """The feature key, the writer's key, the key of the map, the dataset, class names, prompt and number of images."""
    image, text = (source.model(role) for role in cell.models)
    keys = [source.feature_key(image), source.generator_key(text)]
    trained = source.training_key(MAP, cell.models, cell.dataset)
    named = {"classes": source.dataset(cell.dataset).classes}  # a text is judged by the class that it names
    settings = {"prompt": prompt_of(cell), "images": images_of(source, cell)}
    return [*keys, trained, dataset_part(source, cell), named | settings]


FAMILIES.add(Family("captions", gather, parts, about="test images as prefixes of a language model that writes text"))
