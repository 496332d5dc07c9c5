"""Images decoded from frozen features by ridge regression: what of a picture a feature still holds.

A linear decoder with a closed solution (ours). Studies that train convolutional decoders find what such a decoder can
do; this one finds what lies open in the features. The metric is ``pixel_error`` (mmbench.metrics).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.pictures import Pictures
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings


@dataclass(frozen=True)
class ReconstructionSettings(Settings):
    """Pictures of ``side`` x ``side``; of ``strengths``, multiples of the features' mean variance times the rows, the
    one with the smallest leave-one-out error on the training images is taken."""

    side: int = 16
    strengths: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.side,)


def reconstruct(
    inputs: Pictures, settings: Sequence[ReconstructionSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Pixels of the test images, float32 ``[trials, m, pixels]`` in [0, 1], by ridge regression on the features.

    Nothing is drawn: every trial is the same. Raises BadFeatures and BadDataset.
    """
    inputs.check()
    return [np.tile(_ridge(inputs, s.strengths), (trials, 1, 1)) for s in settings]


def _ridge(inputs: Pictures, strengths: Sequence[float]) -> NDArray[np.float32]:
    x, y = inputs.train_x.astype(np.float64), inputs.train_pixels.astype(np.float64)
    centre, mean = x.mean(axis=0), y.mean(axis=0)
    rows, values, columns = np.linalg.svd(x - centre, full_matrices=False)
    inner = rows.T @ (y - mean)
    unit = (values**2).mean() or 1.0  # the mean variance of a direction times the rows
    best = min(strengths, key=lambda strength: _left_out(rows, values, inner, y - mean, strength * unit))
    weights = columns.T @ ((values / (values**2 + best * unit))[:, None] * inner)
    found = (inputs.test_x.astype(np.float64) - centre) @ weights + mean
    return np.clip(found, 0.0, 1.0).astype(np.float32)


def _left_out(rows: NDArray[Any], values: NDArray[Any], inner: NDArray[Any], y: NDArray[Any], strength: float) -> float:
    """The mean squared error on each training image of a decoder fitted without it, in closed form.

    An image's residual is divided by one less its leverage; the intercept's own leverage is 1 / n.
    """
    shrunk = values**2 / (values**2 + strength)
    residual = y - rows @ (shrunk[:, None] * inner)
    leverage = (rows**2 * shrunk).sum(axis=1) + 1.0 / len(rows)
    return float(((residual / np.maximum(1.0 - leverage, 1e-6)[:, None]) ** 2).mean())


PROBES.add(
    Probe(
        "reconstruction",
        reconstruct,
        ReconstructionSettings,
        inputs="pictures",
        takes="one",
        unnamed=False,
        floor=False,  # an untrained network keeps more of a picture than a trained one
        title="Error of images decoded from features by a linear map (pixels in [0, 1])",
        about="pixels of images from their features, by ridge regression",
    )
)
RECONSTRUCTION = PROTOCOLS.add(
    Protocol("reconstruction", "reconstruction", ReconstructionSettings(), metric="pixel_error")
)
