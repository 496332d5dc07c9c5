"""Gram matrices of two models over the classes of a dataset, for centred kernel alignment (Kornblith et al. 2019).

Settings, protocol and probe. The metric is ``cka`` (mmbench.metrics). It asks what the correlation of dissimilarity
matrices (``mmbench.probes.rdm``) asks by another measure: no paper of a study of ours uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.pair import Label, Pair, Side
from mmbench.probes.entry import PROBES, Probe
from mmbench.probes.rdm import class_means
from mmbench.protocol import PROTOCOLS, Protocol, Settings


@dataclass(frozen=True)
class CKASettings(Settings):
    """Linear kernel over class means: a text encoder has one vector a class, so classes are what both sides share.

    ``unit_length`` brings every image's features to length 1 before the mean. ``template`` and ``label`` as in
    ``RDMSettings``.
    """

    unit_length: bool = False
    template: str | None = "a photo of a {}."
    label: Label = "mean"

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.template, self.label)


CKA = PROTOCOLS.add(Protocol("cka", "cka", CKASettings(), metric="cka"))


def cka(
    inputs: Pair, settings: Sequence[CKASettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Products of every two class vectors under each of the two models.

    Float32 ``[trials, 2, classes, classes]`` a setting. Class vectors are centred first and scaled to a mean square of
    1, which changes no alignment and keeps single precision exact enough. Nothing is drawn: every trial is the same.
    Raises BadDataset as ``rdm`` does.
    """
    inputs.check()
    found = [np.stack([_gram(side, inputs.classes, s.unit_length) for side in inputs.sides]) for s in settings]
    return [np.tile(matrices, (trials, 1, 1, 1)) for matrices in found]


def _gram(side: Side, classes: int, unit_length: bool) -> NDArray[np.float32]:
    if side.labels is None:
        vectors = side.x.astype(np.float64)
    else:
        vectors, _ = class_means(side.x, side.labels, classes, unit_length=unit_length)
    return gram(vectors)


def gram(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Products ``[n, n]`` of every two rows of ``[n, d]``, centred and scaled to a mean square of 1."""
    vectors = vectors - vectors.mean(axis=0)
    size = np.sqrt((vectors**2).sum(axis=1).mean()) or 1.0
    vectors /= size
    return np.asarray(vectors @ vectors.T, dtype=np.float32)


PROBES.add(
    Probe(
        "cka",
        cka,
        CKASettings,
        inputs="pair",
        takes="pair",
        unnamed=False,
        title="Centred kernel alignment of class means",
        about="products of all class vectors under two models",
    )
)
