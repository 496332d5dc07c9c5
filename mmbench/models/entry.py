"""What a model is to the rest of mmbench: a named entry that loads into a frozen encoder.

Everything that can change a feature is in ``Encoder.identity`` and so in the store's key. An entry whose weights
cannot be identified says so, and then nothing of it is cached.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from mmbench.errors import BadSpec, NoGradients, UnknownLayer
from mmbench.models.hidden import HiddenLayers
from mmbench.models.spans import SpanLayers
from mmbench.registry import Registry

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from mmbench.models.generators import Generator

Modality = Literal["image", "text"]
Fit = Literal["crop", "squash", "border"]
MAX_SIDE = 8000  # pixels; an image of this height and width is as large as any that is opened
_ADDED = {"rounding": "nearest", "fill": (0, 0, 0)}  # fields of a later version and what all was before them


@dataclass(frozen=True)
class Preprocess:
    """From an RGB image to a float tensor ``[3, size, size]``: resize, centre crop, scale, normalise.

    ``fit`` is ``crop`` (short side to ``resize``), ``squash`` (both sides to ``resize``) or ``border`` (long side to
    ``resize``, what is missing filled with ``fill``, RGB from 0 to 255); a centre crop of ``size`` follows.
    ``rounding`` says where the crop begins when the rest is odd: ``nearest`` rounds half a pixel to even, as
    torchvision does, ``down`` cuts it off, as transformers does. Raises BadSpec for sizes, a mean or a std that no
    image could be prepared with.
    """

    size: int
    resize: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fit: Fit = "crop"
    rounding: Literal["nearest", "down"] = "nearest"
    fill: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        sizes = (self.size, self.resize)
        if not all(isinstance(side, int) and 0 < side <= MAX_SIDE for side in sizes):
            raise BadSpec(
                f"a Preprocess has size={self.size!r} and resize={self.resize!r}; give whole pixels above 0 "
                f"and up to {MAX_SIDE:,}"
            )
        if self.resize < self.size:
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
        """All fields; those that a Preprocess got later are left out where they say what held before."""
        found = asdict(self)
        if self.preprocess is not None:
            kept = found["preprocess"]
            found["preprocess"] = {key: kept[key] for key in kept if key not in _ADDED or kept[key] != _ADDED[key]}
        return found


OUTPUT = "output"


@dataclass
class Encoder:
    """A loaded network in eval mode, its weights frozen.

    ``forward`` maps a batch to float features ``[batch, dim]``: a float tensor ``[batch, 3, size, size]`` for images,
    a list of strings for texts; for images two threads may call it at once. ``prepare`` maps one RGB image to its
    tensor ``[3, size, size]``, on any worker.

    ``hidden`` gives the layers below the output, where the source of the model names some; of a text encoder those of
    a marked part of each text (``mmbench.models.spans``).

    ``pixels`` maps one RGB image to float ``[3, size, size]`` in [0, 1]: what ``prepare`` does, without the
    normalisation. ``differentiable`` maps float ``[batch, 3, size, size]`` in [0, 1] to features ``[batch, dim]`` with
    gradients to the pixels, and normalises them itself: ``differentiable(pixels(image)[None])`` equals
    ``forward(prepare(image)[None])``. It is None where the features have no gradients to pixels; ``with_gradients``
    gives it or raises an error.

    ``head`` is the model's own linear classifier on its features, weight ``[classes, dim]`` and bias ``[classes]``,
    where its entry names the classes (``ModelEntry.head``).

    ``cuts`` says of each text whether it is longer than the encoder reads, so that its end counts for nothing; None
    where nobody knows.
    """

    modality: Modality
    dim: int
    module: torch.nn.Module
    forward: Callable[[Any], torch.Tensor]
    prepare: Callable[[Image], torch.Tensor] | None = None
    hidden: HiddenLayers | SpanLayers | None = field(default=None, repr=False)
    pixels: Callable[[Image], torch.Tensor] | None = None
    differentiable: Callable[[torch.Tensor], torch.Tensor] | None = None
    head: tuple[torch.Tensor, torch.Tensor] | None = None
    cuts: Callable[[list[str]], list[bool]] | None = field(default=None, repr=False)

    @property
    def layers(self) -> Mapping[str, int]:
        """Width of each layer by name: ``output`` (the pooled vector, ``dim`` wide), then the hidden ones in order.

        When they are first asked for, one forward pass of an image of zeros finds the hidden layers' widths.
        """
        return MappingProxyType({OUTPUT: self.dim} | (self.hidden.widths if self.hidden else {}))

    def check_layers(self, names: Sequence[str], name: str = "this encoder") -> None:
        """Raise UnknownLayer, which lists the layers, for a layer that the encoder does not have."""
        for wanted in names:
            if wanted != OUTPUT and wanted not in self.layers:
                raise UnknownLayer(f"layer of {name}", wanted, self.layers, list_all=True)

    def forward_layers(self, batch: Any, names: Sequence[str]) -> dict[str, torch.Tensor]:
        """Features ``[batch, dim]`` of each of the named layers, from one forward pass; raises UnknownLayer."""
        self.check_layers(names)
        below = [name for name in names if name != OUTPUT]
        if self.hidden is None or not below:
            return dict.fromkeys(names, self.forward(batch))
        with self.hidden.recording(below) as found:
            found[OUTPUT] = self.forward(batch)
        return {name: found[name] for name in names}

    def with_gradients(self, name: str = "this encoder") -> Callable[[torch.Tensor], torch.Tensor]:
        """``differentiable``; raises NoGradients where there is none."""
        if self.differentiable is None:
            why = "encodes texts" if self.modality == "text" else "computes its features without gradients"
            raise NoGradients(
                f"gradients to pixels are needed, and {name} has none: it {why}; name an image model whose features "
                "are computed by torch with gradients enabled"
            )
        return self.differentiable


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
    variant whose input is scaled to [0, 1] but not normalised (reading D-10), or None. ``space`` names the space
    that an image encoder and a text encoder of one training share; cosines across spaces mean nothing. ``generator``
    is there when the model also writes text. ``spans`` says that a text encoder gives vectors of a marked part of a
    text (``mmbench.models.spans``); one without reads a text as a whole, as CLIP's does. ``head`` names the classes, in
    their order, of the linear classifier that the model itself brings (``Encoder.head``), or is None.
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
    space: str = ""
    generator: GeneratorEntry | None = None
    spans: bool = False
    head: Callable[[], tuple[str, ...]] | None = None

    def called(self, name: str) -> ModelEntry:
        """The same model under another name, and its raw variant under that with ``_raw`` behind it."""
        raw = self.raw
        return replace(self, name=name, raw=raw and (lambda: raw().called(f"{name}_raw")))


MODELS: Registry[ModelEntry] = Registry("model", package="mmbench.models")
