"""A linear map from image features to text features, on the images of a dataset and the texts that belong to them.

The text of an image is its own where the dataset has texts, else the prompt of its class. The paired counterpart of
translation without pairs (Bielawski 2022, section 6.1), and so a ceiling for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.prompts import prompt_texts
from mmbench.errors import BadDataset, Unmeasured
from mmbench.protocol import Roles, Settings
from mmbench.source import Source, require_kinds
from mmbench.training.entry import TRAININGS, Checkpoint, Training, Weights
from mmbench.training.tensors import optimiser_state, restore_optimiser


@dataclass(frozen=True)
class LinearMapSettings(Settings):
    """Adam on the squared error; all of these values are ours."""

    epochs: int = 30
    learning_rate: float = 3e-3
    batch_size: int = 64


@dataclass(frozen=True)
class PairedFeatures:
    """Features of the same items in two spaces: ``image`` float32 ``[n, d]``, ``text`` float32 ``[n, k]``."""

    image: NDArray[np.float32]
    text: NDArray[np.float32]

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what nothing can be fitted to."""
        if len(self.image) != len(self.text) or len(self.image) < 2:
            raise BadDataset(
                f"a map is fitted to pairs: expected two rows or more on both sides, got {len(self.image)} images and "
                f"{len(self.text)} texts"
            )
        for what, x in (("image features", self.image), ("text features", self.text)):
            check_features(what, x, x.shape[-1])


def gather(source: Source, models: Roles, dataset: str) -> PairedFeatures:
    """Features of the training images, and of the text of each. Raises Unmeasured for other encoders."""
    require_kinds(source, models, ("image", "text"))
    image, text = (source.model(role) for role in models)
    train, where = source.dataset(dataset).split("train"), f"{dataset}/train"
    texts = source.features(text, train, where) if train.texts else class_texts(source, models, dataset)[train.labels]
    return PairedFeatures(source.features(image, train, where), texts)


def class_texts(source: Source, models: Roles, dataset: str) -> NDArray[np.float32]:
    """Features ``[classes, k]`` of the first prompt of each class, by the second model."""
    found = source.dataset(dataset)
    if found.task != "single":
        raise Unmeasured(f"{dataset} has neither texts nor one class an image, so no text belongs to an image of it")
    prompts = prompt_texts(found, source.dataset_entry(dataset).templates[:1])
    return source.texts(source.model(models[1]), [text for (text,) in prompts], f"{dataset}/prompts")


def parts(source: Source, models: Roles, dataset: str) -> list[Any]:
    """Both feature keys, the dataset's content, and what class prompts are made of: the template and the names."""
    entry = source.dataset_entry(dataset)
    prompts = {"template": list(entry.templates[:1]), "classes": list(source.dataset(dataset).classes)}
    return [*(source.feature_key(source.model(role)) for role in models), entry.identity(), prompts]


def fit(inputs: PairedFeatures, s: LinearMapSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """``weight`` float32 ``[k, d]``, ``bias`` ``[k]``; ``mean``, ``scale`` ``[d]`` of images; ``centre`` ``[k]``.

    Texts are brought to unit length and centred, since what all texts share would decide every cosine.
    """
    inputs.check()
    centre = _unit(inputs.text).mean(axis=0)
    return fit_map(inputs.image, _unit(inputs.text) - centre, s, seed, checkpoint) | {"centre": centre}


def fit_map(
    image: NDArray[np.float32], target: NDArray[np.float32], s: LinearMapSettings, seed: int, checkpoint: Checkpoint
) -> Weights:
    """From images to targets ``[n, k]``: ``weight`` float32 ``[k, d]``, ``bias`` ``[k]``; ``mean``, ``scale`` ``[d]``.

    Image features are standardised by column. Initial weights and the order of batches depend on the seed. After
    ``epochs`` the map is taken as it is: nothing is selected. Targets of about zero mean and unit size suit the rate.
    """
    import torch

    mean, scale = image.mean(axis=0), image.std(axis=0) + 1e-6
    x = torch.from_numpy((image - mean) / scale)
    y = torch.from_numpy(target)
    layer = torch.nn.Linear(x.shape[1], y.shape[1])
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for values in layer.parameters():
            values.uniform_(-(x.shape[1] ** -0.5), x.shape[1] ** -0.5, generator=generator)
    adam = torch.optim.Adam(layer.parameters(), lr=s.learning_rate)
    for epoch in range(restore_optimiser(layer, adam, checkpoint.resume()), s.epochs):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed((seed + epoch) % 2**63))
        for rows in order.split(s.batch_size):
            adam.zero_grad()
            (layer(x[rows]) - y[rows]).square().sum(dim=1).mean().backward()
            adam.step()
        checkpoint.keep(lambda done=epoch + 1: optimiser_state(layer, adam, done))  # type: ignore[misc]
    return {
        "weight": layer.weight.detach().numpy(),
        "bias": layer.bias.detach().numpy(),
        "mean": mean.astype(np.float32),
        "scale": scale.astype(np.float32),
    }


def map_images(weights: Weights, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Image features ``[n, d]`` as vectors ``[n, k]`` of the centred space that the map was fitted to."""
    found = ((image - weights["mean"]) / weights["scale"]) @ weights["weight"].T + weights["bias"]
    return found.astype(np.float32)


def centred(weights: Weights, text: NDArray[np.float32]) -> NDArray[np.float32]:
    """Text features ``[n, k]`` as they lie in the space that images are mapped into."""
    found: NDArray[np.float32] = _unit(text) - weights["centre"]
    return found


def _unit(x: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return (x / np.where(norm == 0, 1, norm)).astype(np.float32)


TRAININGS.add(
    Training(
        "linear_map",
        fit,
        gather,
        parts,
        LinearMapSettings(),
        takes="image_and_text",
        about="from image features to the features of the texts that belong to the images",
    )
)
