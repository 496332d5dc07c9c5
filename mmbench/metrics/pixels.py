"""How far decoded images are from the images themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores
from mmbench.metrics.entry import METRICS, Metric
from mmbench.metrics.jackknife import Array, of_sums


def pixel_error(predictions: NDArray, pixels: NDArray) -> Array:
    """The mean squared error of each image over its pixels and colours, and 1: float64 ``[trials, m, 2]``.

    ``predictions`` ``[trials, m, k]`` and ``pixels`` ``[m, k]`` are in [0, 1]. Raises BadScores for other shapes.
    """
    if predictions.ndim != 3 or predictions.shape[1:] != pixels.shape:
        raise BadScores(
            f"expected decoded images [trials, images, pixels] beside pixels {list(pixels.shape)}, got shape "
            f"{list(predictions.shape)}"
        )
    squares = ((predictions.astype(np.float64) - pixels[None]) ** 2).mean(axis=-1)
    return np.stack([squares, np.ones_like(squares)], axis=-1)


def root_of_mean(sums: Array) -> Array:
    """The root of the mean squared error over all images."""
    return np.asarray(np.sqrt(sums[..., 0] / sums[..., 1]))


def of_the_mean_image(pixels: NDArray) -> float:
    """The error of one constant image: the mean of all."""
    return float(np.sqrt(((pixels - pixels.mean(axis=0, dtype=np.float64)) ** 2).mean()))


METRICS.add(
    Metric(
        "pixel_error",
        of_sums(pixel_error, root_of_mean),
        "",
        1.0,
        higher_is_better=False,
        chance_of=of_the_mean_image,
        about="root mean squared error of decoded images over all images, pixels in [0, 1]",
    )
)
