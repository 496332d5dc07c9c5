"""The contract of a family of inputs, and what a bench offers to it.

A probe names the family that gathers for it. A family reads datasets, features and encoders through a ``Source`` and
knows no store, no lineup and no file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadFeatures, BadSpec, Unmeasured
from mmbench.models.entry import OUTPUT
from mmbench.protocol import Cell, Roles
from mmbench.registry import Registry

if TYPE_CHECKING:
    from mmbench.datasets.entry import Dataset, DatasetEntry, Split
    from mmbench.models.entry import Encoder, ModelEntry

# What several models mean to a probe: none are taken; features joined side by side; an image encoder and a text encoder
# of one space; or an ordered pair that is compared.
Takes = Literal["one", "joined", "image_and_text", "pair"]


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

    def texts(self, model: ModelEntry, texts: Sequence[str], where: str) -> NDArray[np.float32]:
        """Features ``[len(texts), dim]`` of texts that belong to no split."""
        ...

    def encoder(self, model: ModelEntry) -> Encoder:
        """The loaded encoder, for what features alone cannot give (gradients)."""
        ...

    def trained(self, name: str, models: Roles, dataset: str, seed: int) -> dict[str, NDArray[Any]]:
        """The weights of a training (mmbench.training), fitted now or read back."""
        ...

    def training_key(self, name: str, models: Roles, dataset: str) -> str | None:
        """The key of a training's weights, whatever the seed; None when a part of it is unknown."""
        ...

    def feature_key(self, model: ModelEntry, layer: str = OUTPUT) -> str | None:
        """The store's key of the model's features; None when its weights are unknown. Loads nothing."""
        ...


class Inputs(Protocol):
    """What one cell's probe is given: a dataclass of arrays in most families.

    ``truth`` is what the metric compares predictions with.
    """

    @property
    def truth(self) -> NDArray[Any]: ...

    def examples(self, test: Split) -> str:
        """The digest of the ordered examples: outcomes with equal digests are paired."""
        ...

    def arrays(self) -> Iterable[NDArray[Any]]:
        """All arrays that the outcome rests on, in a fixed order: their digest tells where two runs part."""
        ...


@dataclass(frozen=True)
class Family:
    """One kind of inputs.

    ``gather(source, cell)`` makes the inputs of a cell. ``parts(source, cell)`` names, as JSON values and without
    loading anything, all that decides them (feature keys, digests of datasets, texts): it goes into the cell's key. A
    part that is unknown is None, and then nothing is stored. ``own_truth``: predictions are compared with something
    else than the dataset's labels, so it does not matter whether an item has one label or several.
    """

    name: str
    gather: Callable[[Source, Cell], Inputs]
    parts: Callable[[Source, Cell], Sequence[Any]]
    own_truth: bool = False
    about: str = ""


FAMILIES: Registry[Family] = Registry("family of inputs", package="mmbench.inputs", group="mmbench.inputs")


def dataset_part(source: Source, cell: Cell) -> str:
    """The dataset as it stands in a key: its content, and whether an item has one label or several."""
    entry = source.dataset_entry(cell.dataset)
    return f"{entry.identity()}:{entry.task}"


_TAKEN: dict[Takes, tuple[int, float, str]] = {
    "one": (1, 1, "one model"),
    "joined": (1, math.inf, "one model, or several joined"),
    "image_and_text": (2, 2, "an image encoder and a text encoder, in this order"),
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


def require_kinds(source: Source, models: Roles, wanted: Sequence[str]) -> None:
    """Raise Unmeasured unless the roles are encoders of these kinds, in this order."""
    found = [source.model(role).modality for role in models]
    if found != list(wanted):
        raise Unmeasured(
            f"expected the encoders in the order {', '.join(wanted)}; got "
            + ", ".join(f"{role} ({kind})" for role, kind in zip(models, found, strict=True))
        )


def check_features(what: str, x: NDArray[Any], width: int) -> None:
    """Raise BadFeatures unless ``x`` is ``[rows, width]`` and finite."""
    if x.ndim != 2 or x.shape[1] != width or width == 0:
        raise BadFeatures(f"{what} must be [rows, {width}] like the test features, got {x.shape}")
    # min and max carry NaN and infinity along and need no copy of the features
    if len(x) and not (np.isfinite(x.min()) and np.isfinite(x.max())):
        bad = int(sum(not np.isfinite(row).all() for row in x))
        raise BadFeatures(f"{what}: {bad} of {len(x)} rows hold NaN or infinity; check the encoder's precision")
