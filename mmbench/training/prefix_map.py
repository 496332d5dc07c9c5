"""A linear map from image features to the token vectors of a language model, so that it can write about an image.

The target of an image is the mean of the token vectors of its class name. After the linear map of LiMBer (Merullo et
al. 2022, section 3), which fits several vectors an image through the language model's loss on captions; one vector and
the squared error to a name are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.prompts import FIELD, prompt_texts
from mmbench.errors import BadDataset, Unmeasured
from mmbench.protocol import Roles
from mmbench.source import Source, require_kinds
from mmbench.training.entry import TRAININGS, Checkpoint, Training, Weights
from mmbench.training.linear_map import LinearMapSettings, PairedFeatures, fit_map, map_images

if TYPE_CHECKING:
    from mmbench.datasets.entry import Dataset
    from mmbench.models.generators import Generator


@dataclass(frozen=True)
class PrefixMapSettings(LinearMapSettings):
    """As the linear map to text features."""


def gather(source: Source, models: Roles, dataset: str) -> PairedFeatures:
    """Features of the training images, and the token vector of each image's class name, in the writer's space.

    Raises Unmeasured for other encoders, for a text model that writes nothing and for several labels an item.
    """
    require_kinds(source, models, ("image", "text"))
    image, text = (source.model(role) for role in models)
    generator = source.generator(text)
    if source.dataset_entry(dataset).task != "single":
        raise Unmeasured(f"a prefix is fitted to the name of one class, and {dataset} has several labels an item")
    found = source.dataset(dataset)
    train = found.split("train")
    features = source.features(image, train, f"{dataset}/train")
    return PairedFeatures(features, name_vectors(generator, found)[train.labels])


def name_vectors(generator: Generator, dataset: Dataset) -> NDArray[np.float32]:
    """The mean token vector of each class name, ``[classes, dim]``; raises BadDataset for a class without a name."""
    names = [name for (name,) in prompt_texts(dataset, (FIELD,))]
    vectors = generator.embed(names)
    for name, tokens in zip(names, vectors, strict=True):
        if not len(tokens):
            raise BadDataset(f"the language model has no token for the class name {name!r} of {dataset.name}")
    return np.stack([tokens.float().mean(dim=0).cpu().numpy() for tokens in vectors])


def parts(source: Source, models: Roles, dataset: str) -> list[Any]:
    """The feature key of the images, the key of the writer, the dataset's content and its class names."""
    image, text = (source.model(role) for role in models)
    names = list(source.dataset(dataset).classes)
    return [source.feature_key(image), source.generator_key(text), source.dataset_entry(dataset).identity(), names]


def fit(inputs: PairedFeatures, s: PrefixMapSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """As ``linear_map.fit`` for its weights; ``centre`` float32 ``[k]`` and ``spread`` (one number) of the targets.

    Token vectors are centred and divided by one number, so that the learning rate suits every language model.
    """
    inputs.check()
    centre = inputs.text.mean(axis=0)
    spread = np.float32(np.sqrt(np.square(inputs.text - centre).sum(axis=1).mean()) or 1.0)
    found = fit_map(inputs.image, (inputs.text - centre) / spread, s, seed, checkpoint)
    return found | {"centre": centre, "spread": np.array(spread)}


def token_vectors(weights: Weights, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Image features ``[n, d]`` as one vector each in the space of token vectors, float32 ``[n, k]``."""
    found: NDArray[np.float32] = map_images(weights, image) * weights["spread"] + weights["centre"]
    return found


TRAININGS.add(
    Training(
        "prefix_map",
        fit,
        gather,
        parts,
        PrefixMapSettings(),
        takes="image_and_text",
        about="from image features to the token vectors of class names, in the space of a language model",
    )
)
