"""``pixels:SIZE``: no network, but the grey values of the image at SIZE by SIZE pixels, row by row. A baseline."""

from __future__ import annotations

from functools import partial

from mmbench.errors import BadSpec
from mmbench.models import encoders
from mmbench.models.entry import Encoder, Identity, ModelEntry, Preprocess
from mmbench.models.sources import SOURCES, ModelSource, ModelSpec

LARGEST = 256
ARCHITECTURE = "mean over the channels of each pixel"


def entry(spec: ModelSpec) -> ModelEntry:
    """Features ``[n, SIZE * SIZE]`` in [0, 1]. Raises BadSpec for no whole SIZE from 1 to 256."""
    if not (spec.name.isascii() and spec.name.isdigit() and 0 < int(spec.name) <= LARGEST):
        raise BadSpec(f"model {str(spec)!r}: expected pixels:SIZE with a whole SIZE from 1 to {LARGEST}")
    size = int(spec.name)
    preprocess = Preprocess(size, size, (0.0,) * 3, (1.0,) * 3, fit="squash")
    known = dict(encoders.versions("torch", "pillow"))
    return ModelEntry(
        f"pixels:{size}",
        "image",
        size * size,
        partial(_load, preprocess),
        lambda: Identity("none", ARCHITECTURE, "output", preprocess, known),
        about=f"The grey values of {size} by {size} pixels, no network.",
        source="none",
        licence="none",
    )


def _load(preprocess: Preprocess) -> Encoder:
    import torch

    return encoders.image_encoder(
        torch.nn.Identity(), preprocess, preprocess.size**2, lambda batch: batch.mean(dim=1).flatten(1)
    )


SOURCES.add(ModelSource("pixels", "pixels:SIZE", entry))
