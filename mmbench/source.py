"""What a bench offers to those that gather inputs or train, and what they require of a cell's models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadSpec, Unmeasured
from mmbench.models.entry import OUTPUT
from mmbench.protocol import Cell, Roles

if TYPE_CHECKING:
    from mmbench.datasets.entry import Dataset, DatasetEntry, Split
    from mmbench.models.entry import Encoder, ModelEntry
    from mmbench.models.generators import Generator
    from mmbench.training.entry import Checkpoint

# What several models mean to a probe: none are taken; features joined side by side; an image encoder and a text encoder
# (of one space, mapped into one, or a text encoder that also writes); a text encoder with a language model that writes
# about its vectors, with or without an image encoder; or an ordered pair that is compared.
Takes = Literal["one", "joined", "image_and_text", "image_text_writer", "text_and_writer", "pair"]


class Source(Protocol):
    """What a bench offers. Everything is encoded once and stored; nothing heavy is loaded before it is needed."""

    @property
    def device(self) -> str: ...

    def model(self, role: str, *, raw: bool = False) -> ModelEntry:
        """Who plays the role; ``raw``: without normalisation of the input. Raises Unmeasured when nobody does."""
        ...

    def dataset_entry(self, role: str) -> DatasetEntry:
        """The dataset's entry, not loaded. Raises Unmeasured when nothing plays the role."""
        ...

    def dataset(self, role: str) -> Dataset:
        """The dataset, loaded once."""
        ...

    def features(self, model: ModelEntry, split: Split, where: str, layer: str = OUTPUT) -> NDArray[np.float32]:
        """Features ``[n, dim]`` of the split's items; ``where`` names the split in messages."""
        ...

    def texts(self, model: ModelEntry, texts: Sequence[str], where: str, layer: str = OUTPUT) -> NDArray[np.float32]:
        """Features ``[len(texts), dim]`` of texts that belong to no split."""
        ...

    def encoder(self, model: ModelEntry) -> Encoder:
        """The loaded encoder, for what features alone cannot give (gradients)."""
        ...

    def generator(self, model: ModelEntry) -> Generator:
        """The loaded writer of text, in float32 on ``device``. Raises Unmeasured for a model that writes none."""
        ...

    def generator_key(self, model: ModelEntry) -> str | None:
        """The key of what the model writes after given vectors; None when its weights are unknown. Loads nothing.

        Raises Unmeasured for a model that writes no text.
        """
        ...

    def trained(self, name: str, models: Roles, dataset: str, seed: int) -> dict[str, NDArray[Any]]:
        """The weights of a training (mmbench.training), fitted now or read back."""
        ...

    def training_key(self, name: str, models: Roles, dataset: str) -> str | None:
        """The key of a training's weights, whatever the seed; None when a part of it is unknown."""
        ...

    def training_settings(self, name: str) -> Mapping[str, Any]:
        """Settings of a training that the lineup states otherwise: ``{"epochs": 5}``."""
        ...

    def reduced(self, probe: str) -> Mapping[str, Any]:
        """Settings of a probe that the lineup lowers, so that a run is short: ``{"images": 32, "steps": 8}``."""
        ...

    def checkpoint(self, probe: str, parts: Sequence[Any], what: str) -> Checkpoint:
        """What keeps the state of a probe's long work, and gives it back to a run that goes on after a kill.

        ``parts`` are JSON values that decide the work, beside the probe's code; where one is None nothing is kept.
        ``what`` names the work in messages.
        """
        ...

    def feature_key(self, model: ModelEntry, layer: str = OUTPUT) -> str | None:
        """The store's key of the model's features; None when its weights are unknown. Loads nothing."""
        ...


_TAKEN: dict[Takes, tuple[int, float, str]] = {
    "one": (1, 1, "one model"),
    "joined": (1, math.inf, "one model, or several joined"),
    "image_and_text": (2, 2, "an image encoder and a text encoder, in this order"),
    "image_text_writer": (3, 3, "an image encoder, a text encoder and a model that writes text, in this order"),
    "text_and_writer": (2, 2, "a text encoder and a model that writes text, in this order"),
    "pair": (2, 2, "an ordered pair of models"),
}


def takes_so_many(takes: Takes, models: int) -> bool:
    """Whether that many models are what ``takes`` means."""
    low, high, _ = _TAKEN[takes]
    return low <= models <= high


def require(cell: Cell, takes: Takes) -> None:
    """Raise BadSpec for a cell whose number of models is not what its probe takes."""
    require_count(f"{cell}: the probe {cell.protocol.probe!r}", cell.models, takes)


def require_count(what: str, models: Roles, takes: Takes) -> None:
    """Raise BadSpec, which begins with ``what``, for another number of models than it takes."""
    if not takes_so_many(takes, len(models)):
        raise BadSpec(
            f"{what} takes {_TAKEN[takes][2]}; got {len(models)}: {', '.join(models)}. Write several models of a claim "
            "as Roles(first, second)"
        )


def require_output(cell: Cell, because: str) -> None:
    """Raise BadSpec, which says ``because``, for a cell at a hidden layer."""
    if cell.protocol.layer != OUTPUT:
        raise BadSpec(f"{cell}: {because} only, not layer {cell.protocol.layer!r}")


def require_kinds(source: Source, models: Roles, wanted: Sequence[str]) -> None:
    """Raise Unmeasured unless the roles are encoders of these kinds, in this order."""
    found = [source.model(role).modality for role in models]
    if found != list(wanted):
        raise Unmeasured(
            f"expected the encoders in the order {', '.join(wanted)}; got "
            + ", ".join(f"{role} ({kind})" for role, kind in zip(models, found, strict=True))
        )


def require_one_space(source: Source, cell: Cell, because: str) -> tuple[ModelEntry, ModelEntry]:
    """The cell's image encoder and text encoder, whose output shares a space.

    Raises Unmeasured for other roles, or none of one space, and BadSpec, which says ``because``, at a hidden layer.
    """
    require_kinds(source, cell.models, ("image", "text"))
    require_output(cell, because)
    image, text = (source.model(role) for role in cell.models)
    if image.space != text.space or not image.space:
        raise Unmeasured(
            f"{cell}: {image.name} and {text.name} do not share a space, so their cosines mean nothing; "
            "bind the image encoder and the text encoder of one training"
        )
    return image, text
