"""Frozen features of images at an early layer, at the last or at both, joined with those of their texts, and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.inputs.labelled import Labelled
from mmbench.models.entry import OUTPUT, ModelEntry
from mmbench.protocol import Cell
from mmbench.source import Source, require_kinds, require_output

EARLY = ("stage1", "layer1", "stages.0")  # the first stage of residual networks: the zoo's, torchvision's, timm's


def gather(source: Source, cell: Cell) -> Labelled:
    """Features and labels of every split: the text's first, as the thesis joins them, then those of the image.

    The protocol's settings say at which of ``early`` and ``late`` layers the image is taken. Raises Unmeasured for
    other kinds of encoders, or for an image encoder without an early stage of a known name.
    """
    require_kinds(source, cell.models, ("image", "text"))
    require_output(cell, "its own settings say at which layers images are taken")
    image, text = (source.model(role) for role in cell.models)
    dataset, layers = source.dataset(cell.dataset), _layers(source, cell, image)

    def joined(name: str) -> NDArray[np.float32]:
        part, where = dataset.split(name), f"{cell.dataset}/{name}"
        blocks = [source.features(text, part, where), *(source.features(image, part, where, at) for at in layers)]
        return np.concatenate(blocks, axis=1)

    for name in ("train", "test"):
        if name not in dataset.splits:
            raise Unmeasured(f"{cell.dataset} has no {name} split; it has {', '.join(dataset.splits)}")
    valid = "valid" in dataset.splits
    return Labelled(
        joined("train"),
        dataset.split("train").labels,
        joined("test"),
        dataset.split("test").labels,
        dataset.classes,
        joined("valid") if valid else None,
        dataset.split("valid").labels if valid else None,
    )


def _layers(source: Source, cell: Cell, image: ModelEntry) -> list[str]:
    settings: Any = cell.protocol.settings
    late = [OUTPUT] if settings.late else []
    if not settings.early:
        return late
    known = source.encoder(image).layers
    found = next((name for name in EARLY if name in known), None)
    if found is None:
        raise Unmeasured(
            f"{image.name} has no early stage called {' or '.join(EARLY)}; its layers are {', '.join(known)}"
        )
    return [found, *late]


def parts(source: Source, cell: Cell) -> list[Any]:
    """Feature keys of the text and of the image at every layer that may be taken, and the dataset."""
    image, text = (source.model(role) for role in cell.models)
    keys = [source.feature_key(image, layer) for layer in (*EARLY, OUTPUT)]
    return [source.feature_key(text), *keys, dataset_part(source, cell)]


FAMILIES.add(Family("fused", gather, parts, about="features of images at early and late layers, with their texts"))
