"""Spectral clustering of the test rows (Devillers et al. 2021, section 3.2), exact, without an n x n matrix.

What scikit-learn's ``SpectralClustering(affinity="precomputed", assign_labels="kmeans")`` computes: the affinity's
diagonal is dropped, the rest divided by the square roots of the degrees on both sides, and k-means runs on its leading
eigenvectors, as many as clusters, divided by those square roots again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset
from mmbench.inputs.labelled import Labelled
from mmbench.probes.eigen import top_eigenvectors
from mmbench.probes.entry import PROBES, Probe
from mmbench.probes.kmeans import kmeans
from mmbench.probes.labelling import class_first, one_to_one, overlap
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.seeds import trial_seeds
from mmbench.training.tensors import blocks, to_tensor, unit_rows


@dataclass(frozen=True)
class ClusteringSettings(Settings):
    """Devillers et al. 2021, section 3.2.

    D-04a: the paper says cosine; the code takes its absolute value. Negative cosines are set to 0 in the paper
    reading, since an affinity cannot be negative (ours). D-04b: the paper names clusters one to one, greedily; the
    code closes classes but not clusters.
    """

    affinity: Literal["cosine", "absolute"] = "cosine"
    labelling: Literal["one_to_one", "class_first"] = "one_to_one"
    n_init: int = 10

    def as_code(self) -> ClusteringSettings:
        return dataclasses.replace(self, affinity="absolute", labelling="class_first")


Matrix = NDArray[np.float64]
KEEP = 2**23
"""The affinity of up to 2,896 rows (32 MB in float32) is kept between products instead of made anew."""

LABELLINGS = {"one_to_one": one_to_one, "class_first": class_first}


def spectral(
    arrays: Labelled, settings: Sequence[ClusteringSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Cluster the test rows and name the clusters after the classes; a trial is a seed of k-means.

    As many clusters as classes. The affinity is the cosine with negative values set to 0 (``cosine``) or its
    ``absolute`` value; where no feature is negative the two coincide and have low rank. The labels name the clusters
    (``labelling``) and nothing else. Predictions int64 ``[trials, m]``. Raises BadDataset with fewer rows than
    classes.
    """
    arrays.check()
    if len(arrays.test_x) < arrays.classes:
        rows = len(arrays.test_x)
        raise BadDataset(f"{arrays.classes} clusters are asked of {rows} test rows; give at least as many rows")
    seeds = trial_seeds(seed, trials)
    clusters: dict[tuple[str, int], NDArray[np.int64]] = {}
    low_rank = bool(arrays.test_x.min() >= 0)
    found = []
    for s in settings:
        key = ("low_rank" if low_rank else s.affinity, s.n_init)
        if key not in clusters:
            embedded = embedding(arrays.test_x, arrays.classes, affinity=s.affinity, seed=seed, device=device)
            clusters[key] = kmeans(embedded, arrays.classes, seeds, n_init=s.n_init)
        names = [LABELLINGS[s.labelling](overlap(arrays.test_y, c, arrays.classes)) for c in clusters[key]]
        found.append(np.stack([name[c] for name, c in zip(names, clusters[key], strict=True)]))
    return found


def embedding(x: NDArray[Any], count: int, *, affinity: str = "cosine", seed: int = 0, device: str = "cpu") -> Matrix:
    """Spectral coordinates float64 ``[n, count]`` of rows ``x``, as ``sklearn.manifold.spectral_embedding`` has them.

    Up to signs, and to a rotation among equal eigenvalues. Rows without any neighbour (degree 0) stay at the origin of
    all but their own coordinates.
    """
    if x.min() >= 0:
        raw, degree = _low_rank(x)
        tolerance = 1e-8
    else:
        raw, degree = _blockwise(x, affinity, device)
        tolerance = 1e-5  # products in float32 carry an error of about 1e-6
    scale = (1 / np.sqrt(np.where(degree > 0, degree, 1.0)))[:, None]
    width = min(len(x), count + max(10, count // 4))
    start = np.random.default_rng([seed, 0xE16]).standard_normal((len(x), width))
    return scale * top_eigenvectors(lambda v: scale * raw(scale * v), start, count, tolerance)


Product = Callable[[Matrix], Matrix]


def _low_rank(x: NDArray[Any]) -> tuple[Product, Matrix]:
    """Product with, and degrees of, the cosine affinity of non-negative rows, diagonal 0, from its factor alone."""
    parts = list(blocks(len(x), x.shape[1], limit=2**20))  # 8 MB of float64 at a time: no second copy of the features
    norm = np.concatenate([np.linalg.norm(x[some].astype(np.float64), axis=1) for some in parts])[:, None]
    square = norm**2
    norm[norm == 0] = 1.0

    def product(v: Matrix) -> Matrix:
        v = v / norm
        inner = np.zeros((x.shape[1], v.shape[1]))
        for some in parts:
            inner += x[some].T.astype(np.float64) @ v[some]
        outer = np.concatenate([x[some].astype(np.float64) @ inner for some in parts])
        return (outer - square * v) / norm

    degree = product(np.ones((len(x), 1)))[:, 0]
    degree[degree < 1e-12 * len(x)] = 0  # rounding, where a row is orthogonal to all others
    return product, degree


def _blockwise(x: NDArray[Any], affinity: str, device: str) -> tuple[Product, Matrix]:
    """The same for the clipped or absolute cosine, which has no low rank: a block of its rows at a time."""
    import torch

    unit = to_tensor(x, device)
    for some in blocks(*x.shape):
        unit[some] = unit_rows(unit[some])  # in place: one copy of the features, not two
    kept: dict[int, Any] = {}

    def rows(some: slice) -> Any:
        if some.start in kept:
            return kept[some.start]
        block = unit[some] @ unit.T
        block = block.abs_() if affinity == "absolute" else block.clamp_(min=0)
        block[torch.arange(len(block)), torch.arange(some.start, some.stop)] = 0
        if len(x) ** 2 <= KEEP:
            kept[some.start] = block
        return block

    def product(v: Matrix) -> Matrix:
        v32 = torch.from_numpy(np.asarray(v, dtype=np.float32)).to(device)
        out = np.empty(v.shape)
        for some in blocks(len(x), len(x), limit=2**20):
            out[some] = (rows(some) @ v32).cpu().numpy()
        return out

    return product, product(np.ones((len(x), 1)))[:, 0]


PROBES.add(
    Probe(
        "spectral",
        spectral,
        ClusteringSettings,
        fits_test=True,
        title="Unsupervised clustering accuracy (as Devillers et al. 2021, Fig. 3)",
        task="clustering",
        side_by_side=True,
        about="clusters of the test rows, named after classes",
    )
)
CLUSTERING = PROTOCOLS.add(Protocol("clustering", "spectral", ClusteringSettings(), trials=5))
