"""What a model is to the rest of mmbench: a named entry that loads into a frozen encoder.

Everything that can change a feature is in ``Encoder.identity`` and so in the store's key. An entry whose weights
cannot be identified says so, and then nothing of it is cached.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from mmbench.errors import BadSpec
from mmbench.registry import Registry

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from mmbench.models.generators import Generator

Modality = Literal["image", "text"]


@dataclass(frozen=True)
class Preprocess:
    """From an RGB image to a float tensor ``[3, size, size]``: resize the short side, centre crop, scale, normalise.

    ``fit`` is ``crop`` (short side to ``resize``, then centre crop of ``size``) or ``squash`` (both sides to ``size``).
    Raises BadSpec for sizes, a mean or a std that no image could be prepared with.
    """

    size: int
    resize: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fit: Literal["crop", "squash"] = "crop"

    def __post_init__(self) -> None:
        sizes = (self.size, self.resize)
        if not all(isinstance(side, int) and side > 0 for side in sizes):
            raise BadSpec(f"a Preprocess has size={self.size!r} and resize={self.resize!r}; give whole pixels above 0")
        if self.fit == "crop" and self.resize < self.size:
            raise BadSpec(f"a Preprocess has resize={self.resize}, smaller than the crop of size={self.size}")
        for name, row in (("mean", self.mean), ("std", self.std)):
            # three values, one a channel: a single one would be spread over all of them without a word
            if not (isinstance(row, tuple) and len(row) == 3 and all(map(_is_finite, row))):
                raise BadSpec(f"a Preprocess has {name}={row!r}; give a tuple of three numbers, one a channel")
        if min(self.std) <= 0:
            raise BadSpec(f"a Preprocess has std={self.std!r}; what pixels are divided by lies above 0")


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


@dataclass(frozen=True)
class Identity:
    """All that decides a model's features; serialised into the store's key. ``weights`` None means unknown."""

    weights: str | None
    architecture: str
    layer: str
    preprocess: Preprocess | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Encoder:
    """A loaded tower in eval mode.

    ``forward`` maps a batch to float features ``[batch, dim]``: a float tensor ``[batch, 3, size, size]`` for images,
    a list of strings for texts; for images two threads may call it at once. ``prepare`` maps one RGB image to its
    tensor, on any worker.
    """

    modality: Modality
    dim: int
    module: torch.nn.Module
    forward: Callable[[Any], torch.Tensor]
    prepare: Callable[[Image], torch.Tensor] | None = None


@dataclass(frozen=True)
class GeneratorEntry:
    """A model as a writer of text; ``load()`` and ``identity()`` as a ModelEntry's, under whose name it goes."""

    load: Callable[[], Generator]
    identity: Callable[[], Identity]


@dataclass(frozen=True)
class ModelEntry:
    """A model by name; a bench keeps what it loads by that, so no two models of a run may share one.

    ``identity()`` must not load the weights into memory nor import torch (a digest of a file is enough); ``load()``
    does both and raises MissingAsset, CorruptAsset or MissingExtra with the way out. ``raw()`` gives the
    variant whose input is scaled to [0, 1] but not normalised (reading D-10), or None. ``generator`` is there when
    the model also writes text.
    """

    name: str
    modality: Modality
    dim: int
    load: Callable[[], Encoder]
    identity: Callable[[], Identity]
    about: str = ""
    source: str = ""
    licence: str = ""
    training: str = ""
    assets: Sequence[str] = ()
    raw: Callable[[], ModelEntry] | None = None
    generator: GeneratorEntry | None = None

    def called(self, name: str) -> ModelEntry:
        """The same model under another name, and its raw variant under that with ``_raw`` behind it."""
        raw = self.raw
        return replace(self, name=name, raw=raw and (lambda: raw().called(f"{name}_raw")))


MODELS: Registry[ModelEntry] = Registry("model", package="mmbench.models")
