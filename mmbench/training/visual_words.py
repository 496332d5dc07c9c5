"""Vectors of words from features of images: means of classes, and their principal components.

After Devillers et al. 2021, section 5.1, and the authors' code (tasks/create_visual_word_embeddings.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset, BadFeatures

Array = NDArray[np.float64]
FittedOn = Literal["images", "words"]


@dataclass(frozen=True)
class VisualWords:
    """Vectors ``[words, dim]`` of the visual words, and the projection that made them.

    ``project`` maps features ``[n, d]`` to ``[n, dim]`` by ``mean`` ``[d]`` and ``components`` ``[dim, d]``.
    """

    vectors: Array
    mean: Array
    components: Array

    def project(self, features: NDArray[Any]) -> Array:
        return (features.astype(np.float64) - self.mean) @ self.components.T


def visual_words(
    features: NDArray[Any], labels: NDArray[np.int64], words: int, dim: int, fitted_on: FittedOn
) -> VisualWords:
    """The mean of each word's features, each first brought to length 1, in ``dim`` principal components.

    ``features`` ``[n, d]`` with labels from 0 to ``words - 1``. Components are fitted on the features of all images
    (as printed) or on the words' means (as the code does, D-09b); they are not whitened. Raises BadDataset for a word
    without an image, BadFeatures where there are fewer than ``dim`` components.
    """
    unit = unit_length(features)
    counts = np.bincount(labels, minlength=words)
    if counts.min() == 0:
        raise BadDataset(f"visual word number {int(counts.argmin())} has no image; each of {words} words needs one")
    means = np.zeros((words, unit.shape[1]))
    np.add.at(means, labels, unit)
    means /= counts[:, None]
    mean, components = principal(unit if fitted_on == "images" else means, dim)
    return VisualWords((means - mean) @ components.T, mean, components)


def principal(x: Array, dim: int) -> tuple[Array, Array]:
    """The mean ``[d]`` of rows ``[n, d]`` and their first ``dim`` principal axes ``[dim, d]``, largest variance first.

    The sign of an axis makes its largest entry positive. Raises BadFeatures where rows or columns are too few.
    """
    most = min(len(x) - 1, x.shape[1])
    if most < dim:
        raise BadFeatures(
            f"{dim} principal components are needed, and {len(x)} rows of width {x.shape[1]} have {max(most, 0)}; "
            "take wider features, more images, or a corpus with a smaller dim"
        )
    mean = x.mean(axis=0)
    centred = x - mean
    _, axes = np.linalg.eigh(centred.T @ centred)
    components = axes.T[::-1][:dim]
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    return mean, components * np.sign(largest)


def unit_length(x: NDArray[Any]) -> Array:
    """Rows at length 1, in float64; a row of zeros stays."""
    rows = x.astype(np.float64)
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norm > 0, norm, 1.0)
