"""What a bench offers to those that gather inputs or train, and what they require of a cell's models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset, BadFeatures, BadSpec, Unmeasured
from mmbench.models.entry import OUTPUT
from mmbench.protocol import Cell, Roles

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


def check_classes(names: Sequence[str]) -> None:
    """Raise BadDataset for fewer than two classes."""
    if len(names) < 2:
        raise BadDataset(f"two classes are the least a probe can tell apart, got {list(names)}")


def check_labels(split: str, y: NDArray[Any] | None, rows: int, names: Sequence[str], multilabel: bool) -> None:
    """Raise BadDataset unless ``y`` labels every row with a class (or, where allowed, with several)."""
    if y is None or len(y) != rows:
        raise BadDataset(f"{split} has {rows} feature rows and {'no' if y is None else len(y)} labels; give one a row")
    if y.ndim == 2:
        if not multilabel:
            raise BadDataset(f"{split} labels hold several labels a row, {y.shape}; this probe takes one label a row")
        if y.dtype != np.bool_ or y.shape[1] != len(names):
            raise BadDataset(f"{split} labels must be bool [rows, {len(names)}], got {y.dtype} {y.shape}")
    elif rows and (y.ndim != 1 or y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= len(names)):
        found = f"{y.dtype} {np.unique(y)[:9]}"
        raise BadDataset(f"{split} labels must be integers from 0 to {len(names) - 1}, got {found}")
