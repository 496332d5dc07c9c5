"""Cheap rivals of the Latent CycleGAN: affine maps from image vectors to text vectors, in closed form.

Two need no pairs: the shift of the mean, and maps made of the means and covariances of both kinds of vectors. One needs
pairs and is the ceiling. A map is ``x @ weight.T + bias``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset
from mmbench.protocol import Settings
from mmbench.training.entry import TRAININGS, Checkpoint, Training, Weights
from mmbench.training.unpaired import Unpaired, gather, parts

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AffineSettings(Settings):
    """``shrink`` is the share by which a covariance is drawn to a multiple of the identity of equal trace.

    Vectors of a few thousand items leave the smallest variances of a covariance unknown. Of the map from pairs it is
    the penalty, as a share of the mean variance. The value is ours.
    """

    shrink: float = 0.1


def mean_shift(inputs: Unpaired, s: AffineSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """Adds the difference of the means of texts and images. The seed changes nothing."""
    inputs.check(one_width=True)
    return _affine(np.eye(inputs.image.shape[1]), inputs)


def moments(inputs: Unpaired, s: AffineSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """Gives images the mean and the covariance of texts by the map that moves vectors least (whitened, then coloured).

    ``A = C^(-1/2) (C^(1/2) D C^(1/2))^(1/2) C^(-1/2)`` for covariances C of images and D of texts: the optimal
    transport between two normal distributions (Dowson and Landau 1982). The seed changes nothing.
    """
    inputs.check(one_width=True)
    c, d = (_covariance(x, s.shrink) for x in (inputs.image, inputs.text))
    inner = _power(_power(c, 0.5) @ d @ _power(c, 0.5), 0.5)
    return _affine(_power(c, -0.5) @ inner @ _power(c, -0.5), inputs)


def orthogonal(inputs: Unpaired, s: AffineSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """Turns the principal axes of images into those of texts, the first into the first and so on, between the means.

    An axis has no direction of its own: each is pointed to where its projections have the longer tail (positive third
    moment). No length is changed. The seed changes nothing.
    """
    inputs.check(one_width=True)
    image, text = (_axes(x) for x in (inputs.image, inputs.text))
    return _affine(text @ image.T, inputs)


def paired(inputs: Unpaired, s: AffineSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """The ridge regression of text vectors on the vectors of their own images: what pairs allow a linear map.

    Raises BadDataset for a text whose image is not among those given.
    """
    inputs.check()
    if (inputs.own < 0).any():
        raise BadDataset("a map from pairs needs the image of every text")
    image = inputs.image[inputs.own].astype(np.float64)
    x, y = image - image.mean(axis=0), inputs.text - inputs.text.mean(axis=0, dtype=np.float64)
    gram = x.T @ x / len(x)
    penalty = s.shrink * np.trace(gram) / len(gram)
    weight = np.linalg.solve(gram + penalty * np.eye(len(gram)), x.T @ y / len(x)).T
    return _affine(weight, inputs, image.mean(axis=0))


def apply(weights: Weights, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors ``[n, d]`` under a fitted affine map, float32 ``[n, k]``."""
    found: NDArray[np.float32] = (x @ weights["weight"].T + weights["bias"]).astype(np.float32)
    return found


def _affine(weight: Array, inputs: Unpaired, centre: Array | None = None) -> Weights:
    """The map with this weight that takes the mean of images (or ``centre``) to the mean of texts."""
    start = inputs.image.mean(axis=0, dtype=np.float64) if centre is None else centre
    bias = inputs.text.mean(axis=0, dtype=np.float64) - weight @ start
    return {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}


def _covariance(x: NDArray[np.float32], shrink: float) -> Array:
    found = np.cov(x.T.astype(np.float64))
    return (1 - shrink) * found + shrink * np.trace(found) / len(found) * np.eye(len(found))


def _power(symmetric: Array, power: float) -> Array:
    values, axes = np.linalg.eigh(symmetric)
    found: Array = (axes * np.maximum(values, 1e-12) ** power) @ axes.T
    return found


def _axes(x: NDArray[np.float32]) -> Array:
    """Principal axes as columns, largest variance first, each towards its longer tail."""
    centred = x - x.mean(axis=0, dtype=np.float64)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    tail = ((centred @ axes) ** 3).mean(axis=0)
    found: Array = axes * np.where(tail < 0, -1.0, 1.0)
    return found


AFFINE = {
    "mean_shift": (mean_shift, "image vectors shifted to the mean of text vectors"),
    "moment_map": (moments, "image vectors brought to the mean and covariance of text vectors"),
    "orthogonal_map": (orthogonal, "principal axes of image vectors turned into those of text vectors"),
    "paired_map": (paired, "a linear map from image vectors to text vectors, learnt from pairs"),
}
for _name, (_fit, _about) in AFFINE.items():
    TRAININGS.add(Training(_name, _fit, gather, parts, AffineSettings(), takes="image_and_text", about=_about))
