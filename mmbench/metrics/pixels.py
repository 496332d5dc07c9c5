"""How far decoded images are from the images themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores
from mmbench.metrics.entry import METRICS, Metric, Outcomes


def pixel_error(predictions: NDArray, pixels: NDArray) -> Outcomes:
    """Root mean squared error of each image, float32 ``[trials, m]``, over its pixels and colours.

    ``predictions`` ``[trials, m, k]`` and ``pixels`` ``[m, k]`` are in [0, 1]. Raises BadScores for other shapes.
    """
    if predictions.ndim != 3 or predictions.shape[1:] != pixels.shape:
        raise BadScores(
            f"expected decoded images [trials, images, pixels] beside pixels {list(pixels.shape)}, got shape "
            f"{list(predictions.shape)}"
        )
    squares = (predictions.astype(np.float64) - pixels[None]) ** 2
    return np.sqrt(squares.mean(axis=-1)).astype(np.float32)


def of_the_mean_image(pixels: NDArray) -> float:
    """The mean error of one constant image: the mean of all."""
    constant = pixels.mean(axis=0, dtype=np.float64)
    return float(np.sqrt(((pixels - constant) ** 2).mean(axis=-1)).mean())


METRICS.add(
    Metric(
        "pixel_error",
        pixel_error,
        "",
        1.0,
        higher_is_better=False,
        chance_of=of_the_mean_image,
        about="root mean squared error of decoded images, pixels in [0, 1]",
    )
)
