"""Representational dissimilarity matrices of two models (Devillers et al. 2021, section 4).

Settings, protocol and probe. The metric that compares the two matrices is ``rdm_pearson`` (mmbench.metrics).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadFeatures
from mmbench.inputs.pair import Label, Pair, Side
from mmbench.probes.class_distances import euclidean, welch
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.training.tensors import blocks

Spread = Literal["by_dimension", "pooled", "none"]
ROWS = 2**20  # elements of features that are looked at together (8 MB in float64)
OFFSET = 1e-6  # what the code adds to TSM's standard deviations (D-07c)


@dataclass(frozen=True)
class RDMSettings(Settings):
    """Devillers et al. 2021, section 4, equation 1.

    ``spread`` divides the difference of two class means: by dimension, as equation 1 reads; by one number a class,
    pooled over images and dimensions, as the code computes it (D-07b); or not at all, which is the distance that text
    encoders have in any case, with one vector a class. ``unit_length`` brings every image's features to length 1 first
    (D-07a: the code only). ``left_raw`` names roles whose features the code leaves as they are and whose spread it
    takes by dimension, with 1e-6 added (D-07c: TSM). Standard deviations divide by n, as the code's do; the paper does
    not say.

    ``template`` makes the prompt of a class; None takes the dataset's first. The paper prints "a photo of x."; here an
    article stands before the label, as in the code (D-08a). ``label`` says what is taken of a prompt: the ``mean`` over
    the tokens of the label (its contextualised vector, as the paper reads), the ``first`` of them (as the code, D-08b),
    or the ``text`` as a whole. An encoder that gives no states of single tokens is always read as a whole: CLIP-T at
    its end-of-text mark (D-08c).
    """

    spread: Spread = "by_dimension"
    unit_length: bool = False
    left_raw: tuple[str, ...] = ()
    template: str | None = "a photo of a {}."
    label: Label = "mean"

    def as_code(self) -> RDMSettings:
        return dataclasses.replace(self, spread="pooled", unit_length=True, left_raw=("tsm",), label="first")

    def for_probe(self) -> RDMSettings:
        return dataclasses.replace(self, template=None, label="mean")

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.template, self.label)


RSA = PROTOCOLS.add(Protocol("rsa", "rdm", RDMSettings(), metric="rdm_pearson"))


def rdm(
    inputs: Pair, settings: Sequence[RDMSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The dissimilarity of every two classes under each of the two models.

    Float32 ``[trials, 2, classes, classes]`` a setting, symmetric with a zero diagonal. Nothing is drawn: every trial
    is the same. It is computed on the processor, whatever the device. Beyond features and matrices, memory is a few
    arrays ``[classes, d]`` and ``[classes, classes]``. Raises BadDataset for fewer than 4 classes or a class with fewer
    than 2 images, BadFeatures where a distance is infinite.
    """
    inputs.check()
    found = [np.stack([_matrix(side, inputs.class_names, s) for side in inputs.sides]) for s in settings]
    return [np.tile(matrices, (trials, 1, 1, 1)) for matrices in found]


def _matrix(side: Side, names: Sequence[str], settings: RDMSettings) -> NDArray[np.float32]:
    """Float32 ``[classes, classes]`` of one model."""
    if side.labels is None:
        return euclidean(side.x.astype(np.float64)).astype(np.float32)
    raw = side.role in settings.left_raw
    if settings.spread == "none":
        unit_length = settings.unit_length and not raw
        return euclidean(class_means(side.x, side.labels, len(names), unit_length=unit_length)[0]).astype(np.float32)
    means, deviations, counts = class_statistics(
        side.x,
        side.labels,
        len(names),
        unit_length=settings.unit_length and not raw,
        pooled=settings.spread == "pooled" and not raw,
    )
    errors = (deviations + (OFFSET if raw else 0.0)) ** 2 / counts[:, None]
    found = welch(means, errors)
    bad = np.argwhere(~np.isfinite(found))
    if len(bad):
        one, other = bad[0]
        raise BadFeatures(
            f"{side.role}: classes {names[one]!r} and {names[other]!r} are infinitely far apart: expected features "
            "that vary within a class wherever the means differ, found some that vary in neither; "
            "take the spread pooled over dimensions (spread='pooled') or a dataset with more images a class"
        )
    return found.astype(np.float32)


def class_statistics(
    x: NDArray[Any], labels: NDArray[Any], classes: int, *, unit_length: bool = False, pooled: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Means ``[classes, d]``, standard deviations ``[classes, d]`` and numbers of rows ``[classes]`` of each class.

    ``pooled``: one standard deviation a class, ``[classes, 1]``, over all entries of all its rows. ``unit_length``
    divides every row by its Euclidean norm first; a row of zeros stays.
    """
    counts = np.bincount(labels, minlength=classes)
    means = np.empty((classes, x.shape[1]))
    deviations = np.empty((classes, 1 if pooled else x.shape[1]))
    for k, rows in enumerate(_by_class(labels, counts)):
        fits = len(rows) * x.shape[1] <= ROWS  # then its rows are read once
        parts = list(_rows(x, rows, unit_length)) if fits else []
        means[k] = sum(part.sum(axis=0) for part in parts or _rows(x, rows, unit_length)) / len(rows)
        centre = means[k].mean() if pooled else means[k]
        apart = (part - centre for part in parts or _rows(x, rows, unit_length))
        squares = sum(np.einsum("ij,ij->j", each, each) for each in apart) / len(rows)
        deviations[k] = np.sqrt(squares.mean() if pooled else squares)
    return means, deviations, counts


def class_means(
    x: NDArray[Any], labels: NDArray[Any], classes: int, *, unit_length: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Means ``[classes, d]`` and numbers of rows ``[classes]`` of each class, as in ``class_statistics``."""
    counts = np.bincount(labels, minlength=classes)
    means = np.empty((classes, x.shape[1]))
    for k, rows in enumerate(_by_class(labels, counts)):
        means[k] = sum(part.sum(axis=0) for part in _rows(x, rows, unit_length)) / len(rows)
    return means, counts


def _by_class(labels: NDArray[Any], counts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The row numbers of each class."""
    return np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])


def _rows(x: NDArray[Any], rows: NDArray[np.int64], unit_length: bool) -> Iterator[NDArray[np.float64]]:
    """The rows in float64, some at a time."""
    for some in blocks(len(rows), x.shape[1], ROWS):
        part = x[rows[some]].astype(np.float64)
        if unit_length:
            norm = np.linalg.norm(part, axis=1, keepdims=True)
            part /= np.where(norm > 0, norm, 1.0)
        yield part


PROBES.add(
    Probe(
        "rdm",
        rdm,
        RDMSettings,
        inputs="pair",
        takes="pair",
        unnamed=False,
        title="Correlation of representational dissimilarity matrices (as Devillers et al. 2021, Fig. 8)",
        about="dissimilarities of all classes under two models",
    )
)
