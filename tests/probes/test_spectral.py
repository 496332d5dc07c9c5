import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.manifold import spectral_embedding
from sklearn.metrics import adjusted_rand_score

from mmbench.errors import BadDataset
from mmbench.probes import spectral as module
from mmbench.probes.eigen import top_eigenvectors
from mmbench.probes.kmeans import _from_rows, _plus_plus, kmeans
from mmbench.probes.spectral import ClusteringSettings, embedding, spectral

PAPER, CODE = ClusteringSettings(), ClusteringSettings().as_code()


def dense_affinity(x, affinity):
    unit = x / np.linalg.norm(x.astype(float), axis=1, keepdims=True)
    cosine = unit @ unit.T
    return np.abs(cosine) if affinity == "absolute" else np.maximum(cosine, 0)


CASES = pytest.mark.parametrize(
    ("positive", "affinity"), [(True, "cosine"), (True, "absolute"), (False, "cosine"), (False, "absolute")]
)


@CASES
def test_coordinates_are_those_of_scikit_learn(gaussians, positive, affinity):
    x = gaussians(classes=5, dim=24, test=400, spread=1.0, noise=1.0, positive=positive).test_x
    ours = embedding(x, 5, affinity=affinity)
    theirs = spectral_embedding(
        dense_affinity(x, affinity), n_components=5, drop_first=False, eigen_solver="arpack", random_state=0
    )
    # the same space: each of their coordinates lies in the span of ours, and lengths agree
    coefficients, residual, *_ = np.linalg.lstsq(ours, theirs, rcond=None)
    assert np.sqrt(residual / (theirs**2).sum(axis=0)).max() < 1e-3
    np.testing.assert_allclose(coefficients.T @ coefficients, np.eye(5), atol=5e-3)


@CASES
def test_separable_classes_give_the_partition_of_scikit_learn(gaussians, positive, affinity):
    arrays = gaussians(classes=6, dim=32, test=600, spread=1.0, noise=0.3, positive=positive)
    setting = ClusteringSettings(affinity=affinity)
    model = SpectralClustering(6, affinity="precomputed", random_state=0)
    theirs = model.fit_predict(dense_affinity(arrays.test_x, affinity))
    for found in spectral(arrays, [setting], trials=3, seed=0)[0]:
        assert adjusted_rand_score(theirs, found) == 1.0


@CASES
def test_elsewhere_the_objective_is_that_of_scikit_learn(gaussians, positive, affinity):
    x = gaussians(classes=6, dim=32, test=600, spread=0.5, positive=positive, seed=1).test_x
    points = embedding(x, 6, affinity=affinity)
    theirs = KMeans(6, n_init=10, random_state=0).fit(points).inertia_
    for clusters in kmeans(points, 6, seeds=[0, 1, 2]):
        assert inertia(points, clusters) <= 1.005 * theirs


def inertia(points, clusters):
    return sum(((points[clusters == c] - points[clusters == c].mean(axis=0)) ** 2).sum() for c in np.unique(clusters))


def test_blocks_made_anew_give_the_coordinates_of_blocks_kept(gaussians, monkeypatch):
    x = gaussians(classes=4, dim=16, test=300).test_x
    kept = embedding(x, 4)
    monkeypatch.setattr(module, "KEEP", 0)
    monkeypatch.setattr(module.blocks, "__defaults__", (300 * 70,))  # five blocks, the last one smaller
    np.testing.assert_allclose(np.abs(embedding(x, 4)), np.abs(kept), atol=1e-5)


@pytest.mark.parametrize("size", [30, 900])
def test_eigenvectors_agree_with_lapack(size):
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.standard_normal((size, size)))[0]
    values = np.concatenate([[1.0, 0.5, 0.5, 0.4], np.linspace(0.2, -0.6, size - 4)])  # one of them twice
    matrix = (vectors * values) @ vectors.T
    found = top_eigenvectors(lambda v: matrix @ v, rng.standard_normal((size, 14)), 4, 1e-9)
    np.testing.assert_allclose(found.T @ found, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(found @ found.T, vectors[:, :4] @ vectors[:, :4].T, atol=1e-7)


def test_a_row_without_neighbours_does_no_harm():
    rng = np.random.default_rng(0)
    x = np.zeros((91, 6), dtype=np.float32)
    x[:45, :2], x[45:90, 2:4] = 1 + 0.1 * rng.random((45, 2)), 1 + 0.1 * rng.random((45, 2))
    x[90, 5] = 1.0  # orthogonal to all others; row 90 is its own island
    for affinity in ("cosine", "absolute"):
        points = embedding(x, 3, affinity=affinity)
        assert np.isfinite(points).all()
        clusters = kmeans(points, 3, [0])[0]
        assert adjusted_rand_score(np.repeat([0, 1, 2], [45, 45, 1]), clusters) > 0.95


def test_both_readings_come_from_one_run_and_differ_in_their_names(gaussians):
    arrays = gaussians(classes=5, dim=6, test=300, spread=0.4, positive=True)
    paper, code = spectral(arrays, [PAPER, CODE], trials=2, seed=0)
    np.testing.assert_array_equal(paper, spectral(arrays, [PAPER], trials=2, seed=0)[0])
    for one, other in zip(paper, code, strict=True):
        assert len(np.unique(one)) == 5  # each cluster has a class of its own
        assert set(np.unique(other)) <= set(range(5))


def test_rotation_and_order_change_nothing_on_separable_classes(gaussians):
    arrays = gaussians(classes=4, dim=8, test=200, spread=2.0, noise=0.3)
    rng = np.random.default_rng(0)
    order, turn = rng.permutation(200), ortho_group.rvs(8, random_state=0).astype(np.float32)
    moved = dataclasses.replace(arrays, test_x=3 * (arrays.test_x @ turn)[order], test_y=arrays.test_y[order])
    before, after = (spectral(a, [PAPER], trials=1, seed=0)[0][0] for a in (arrays, moved))
    np.testing.assert_array_equal(before[order], after)


def test_labels_only_name_the_clusters(gaussians):
    arrays = gaussians(classes=4, dim=8, test=200, spread=0.7)
    renamed = dataclasses.replace(arrays, test_y=np.array([2, 0, 3, 1])[arrays.test_y])
    before, after = (spectral(a, [PAPER], trials=2, seed=0)[0] for a in (arrays, renamed))
    assert [adjusted_rand_score(a, b) for a, b in zip(before, after, strict=True)] == [1.0, 1.0]


def test_fewer_rows_than_clusters_are_refused(gaussians):
    with pytest.raises(BadDataset, match="4 clusters are asked of 3 test rows"):
        spectral(gaussians(test=3), [PAPER], trials=1, seed=0)


def test_k_means_refills_a_cluster_that_ran_empty():
    points = np.vstack([np.zeros((50, 2)), np.ones((2, 2)), np.full((1, 2), 9.0)])
    clusters = kmeans(points, 3, seeds=range(4), n_init=3)
    assert all(adjusted_rand_score(np.repeat([0, 1, 2], [50, 2, 1]), c) == 1.0 for c in clusters)


def test_k_means_takes_identical_points():
    assert kmeans(np.ones((10, 3)), 3, [0]).shape == (1, 10)


MEMORY = """
import sys
import numpy as np, torch
from mmbench.probes.kmeans import kmeans
from mmbench.probes.spectral import embedding

positive = sys.argv[1] == "low_rank"
rng = np.random.default_rng(0)
def points(rows, dim, classes=10):
    x = rng.standard_normal((classes, dim), dtype=np.float32)[np.arange(rows) % classes]
    x += 0.7 * rng.standard_normal((rows, dim), dtype=np.float32)
    return np.maximum(x, 0, out=x) if positive else x
small, x = points(400, 16), points(10_000, 512)
kmeans(embedding(small, 10), 10, [0])            # loads what is loaded late
def memory(field):  # not getrusage: its peak is inherited from the process that started this one
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(field))
before = memory("VmRSS")
clusters = kmeans(embedding(x, 10), 10, [0, 1, 2, 3, 4])
print((memory("VmHWM") - before) / (10_000**2 * 8))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status, which only Linux has")
@pytest.mark.parametrize("path", ["low_rank", "blockwise"])
def test_ten_thousand_rows_take_less_than_a_tenth_of_the_dense_affinity(path):
    ran = subprocess.run([sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 0.1


def test_starts_of_kmeans_lie_one_in_each_of_clusters_far_apart():
    rng = np.random.default_rng(0)
    of = np.arange(120) % 6
    points = 100.0 * np.eye(6)[of] + rng.standard_normal((120, 6))
    draws = rng.random((40, 6, 3))
    starts = _plus_plus(_from_rows(points), len(points), draws)
    assert [sorted(of[row]) for row in starts] == [[0, 1, 2, 3, 4, 5]] * 40


@pytest.mark.parametrize("rows", [60, 2100], ids=["looked up", "worked out"])
def test_distances_from_rows(rows):
    points = np.random.default_rng(0).standard_normal((rows, 5))
    wanted = np.array([[3, 1], [50, 3]])
    expected = ((points[wanted][:, :, None] - points) ** 2).sum(axis=3)
    np.testing.assert_allclose(_from_rows(points)(wanted), expected, atol=1e-12)
