import dataclasses
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from mmbench.errors import BadDataset, BadFeatures
from mmbench.inputs.pair import Pair, Side
from mmbench.metrics import METRICS
from mmbench.probes import class_distances
from mmbench.probes import rdm as module
from mmbench.probes.rdm import RSA, RDMSettings, class_statistics, rdm

PAPER = RDMSettings()
CODE = PAPER.as_code()
PLAIN = RDMSettings(spread="none")
SETTINGS = [PAPER, CODE, PLAIN]
NAMES = ("red", "green", "blue", "white", "black")


def matrix(side, setting=PAPER, names=NAMES):
    """The matrix of one model."""
    return rdm(Pair((side, side), names), [setting], trials=1, seed=0)[0][0, 0]


def images(seed=0, *, classes=5, dim=7, each=(4, 9), role="rn50"):
    """Gaussian classes of different sizes and spreads, in a mixed order."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(*each, classes)
    labels = rng.permutation(np.repeat(np.arange(classes), counts))
    spread = rng.uniform(0.2, 2.0, (classes, dim))
    x = rng.standard_normal((classes, dim))[labels] + spread[labels] * rng.standard_normal((len(labels), dim))
    return Side(role, x.astype(np.float32), labels)


def slow(side, setting):
    """Equation 1 of the paper, one pair of classes at a time; the code's reading by its own steps."""
    x = side.x.astype(float)
    raw = side.role in setting.left_raw
    if setting.unit_length and not raw:
        x = np.array([row / np.linalg.norm(row) for row in x])
    found = np.zeros((5, 5))
    for i in range(5):
        for j in range(5):
            a, b = x[side.labels == i], x[side.labels == j]
            sides = [(f.std(axis=0) if raw or setting.spread == "by_dimension" else f.std()) for f in (a, b)]
            sides = [s + 1e-6 for s in sides] if raw else sides
            scale = np.sqrt(sides[0] ** 2 / len(a) + sides[1] ** 2 / len(b))
            found[i, j] = np.linalg.norm((a.mean(axis=0) - b.mean(axis=0)) / (1 if setting.spread == "none" else scale))
    return found


@pytest.mark.parametrize("setting", SETTINGS, ids=["paper", "code", "plain"])
@pytest.mark.parametrize("role", ["rn50", "tsm"])
def test_agrees_with_the_equation_pair_by_pair(setting, role):
    side = images(role=role)
    np.testing.assert_allclose(matrix(side, setting), slow(side, setting), rtol=1e-5)


@pytest.mark.parametrize("tile", [1, 16])
def test_agrees_with_the_equation_however_the_work_is_divided(monkeypatch, tile):
    monkeypatch.setattr(class_distances, "TILE", tile)
    monkeypatch.setattr(module, "ROWS", tile)
    side = images(3)
    np.testing.assert_allclose(matrix(side), slow(side, PAPER), rtol=1e-5)


def test_a_known_answer():
    """Two classes of two images: means 0 and 3 with standard deviations 1 and 2, so 3 / sqrt(1/2 + 4/2)."""
    x = np.array([[-1], [1], [1], [5], [0], [1], [0], [1]], dtype=np.float32)
    side = Side("rn50", x, np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    assert matrix(side, names=NAMES[:4])[0, 1] == pytest.approx(3 / np.sqrt(2.5), rel=1e-6)
    assert matrix(side, PLAIN, NAMES[:4])[0, 1] == pytest.approx(3.0)


def test_one_number_a_class_is_the_spread_of_all_its_entries():
    """Three and five in one dimension, minus four in the other: as the code pools them, around their common mean."""
    x = np.array([[3, -4], [5, -4]], dtype=np.float32)
    means, deviations, counts = class_statistics(x, np.array([0, 0]), 1, pooled=True)
    assert means.tolist() == [[4, -4]]
    assert deviations.item() == pytest.approx(np.std([3, 5, -4, -4]))
    assert counts.tolist() == [2]


def test_statistics_are_numpys():
    side = images(1)
    means, deviations, counts = class_statistics(side.x, side.labels, 5)
    for label in range(5):
        rows = side.x[side.labels == label].astype(float)
        np.testing.assert_allclose(means[label], rows.mean(axis=0))
        np.testing.assert_allclose(deviations[label], rows.std(axis=0))
        assert counts[label] == len(rows)


def test_a_text_encoder_has_plain_distances_under_every_setting():
    x = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    for setting in SETTINGS:
        np.testing.assert_allclose(matrix(Side("bert", x), setting), squareform(pdist(x)), rtol=1e-5)


def test_the_first_model_comes_first_and_every_trial_is_the_same():
    one, other = images(0), Side("bert", np.eye(5, dtype=np.float32))
    found = rdm(Pair((one, other), NAMES), [PAPER, PLAIN], trials=3, seed=0)
    assert len(found) == 2
    assert found[0].dtype == np.float32
    assert found[0].shape == (3, 2, 5, 5)
    assert (found[0] == found[0][:1]).all()
    np.testing.assert_array_equal(found[0][0, 0], matrix(one))
    np.testing.assert_allclose(found[1][0, 1], np.sqrt(2) * (1 - np.eye(5)), rtol=1e-6)


@hypothesis_settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SETTINGS))
def test_symmetric_with_a_zero_diagonal_and_positive_elsewhere(seed, setting):
    found = matrix(images(seed), setting)
    np.testing.assert_array_equal(found, found.T)
    assert (np.diag(found) == 0).all()
    assert (found[np.triu_indices(5, 1)] > 0).all()


@hypothesis_settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SETTINGS))
def test_the_order_of_dimensions_and_of_images_changes_nothing(seed, setting):
    side, rng = images(seed), np.random.default_rng(seed)
    order, rows = rng.permutation(side.x.shape[1]), rng.permutation(len(side.x))
    moved = Side("rn50", side.x[rows][:, order], side.labels[rows])
    np.testing.assert_allclose(matrix(moved, setting), matrix(side, setting), rtol=1e-4)


@hypothesis_settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([PAPER, PLAIN]), st.floats(-50, 50))
def test_a_shift_of_all_features_changes_nothing(seed, setting, by):
    """The same for every dimension; and far from 0 the differences keep their digits."""
    side = images(seed)
    moved = dataclasses.replace(side, x=(side.x.astype(np.float64) + by).astype(np.float32))
    np.testing.assert_allclose(matrix(moved, setting), matrix(side, setting), rtol=2e-3)


def test_far_from_zero_no_digit_is_lost():
    """Quarters, which single precision holds exactly also 2**14 further on."""
    side = images(0)
    quarters = np.round(4 * side.x) / 4
    near, far = (dataclasses.replace(side, x=(quarters + by).astype(np.float32)) for by in (0, 2**14))
    np.testing.assert_allclose(matrix(far), matrix(near), rtol=1e-6)


@hypothesis_settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_the_unit_of_a_dimension_changes_nothing_by_dimension(seed, factor):
    """Every dimension is divided by its own spread; the plain distance is not, nor is the code's."""
    side = images(seed)
    scaled = side.x.copy()
    scaled[:, 0] *= np.float32(factor)
    moved = dataclasses.replace(side, x=scaled)
    np.testing.assert_allclose(matrix(moved), matrix(side), rtol=1e-3)
    np.testing.assert_allclose(
        matrix(dataclasses.replace(side, x=side.x * np.float32(factor))), matrix(side), rtol=1e-3
    )


@hypothesis_settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_classes_renamed_are_the_matrix_reordered(seed):
    side, names = images(seed), np.random.default_rng(seed).permutation(5)
    moved = dataclasses.replace(side, labels=names[side.labels])
    np.testing.assert_allclose(matrix(moved)[np.ix_(names, names)], matrix(side), rtol=1e-5)


@pytest.mark.parametrize("setting", SETTINGS, ids=["paper", "code", "plain"])
def test_only_the_code_ignores_the_length_of_each_image(setting):
    side = images(0)
    longer = side.x * np.random.default_rng(1).uniform(1, 3, (len(side.x), 1)).astype(np.float32)
    same = np.allclose(matrix(dataclasses.replace(side, x=longer), setting), matrix(side, setting), rtol=1e-4)
    assert same == (setting == CODE)


def test_a_dimension_that_is_nothing_everywhere_adds_nothing():
    side = images(0)
    dead = np.concatenate([side.x, np.zeros((len(side.x), 2), np.float32)], axis=1)
    np.testing.assert_allclose(matrix(dataclasses.replace(side, x=dead)), matrix(side), rtol=1e-6)


def test_classes_that_do_not_vary_where_they_differ_are_refused():
    side = images(0)
    side.x[side.labels == 1, 3] = 2.0
    side.x[side.labels == 4, 3] = 1.0
    with pytest.raises(BadFeatures) as error:
        matrix(side)
    assert str(error.value) == (
        "rn50: classes 'green' and 'black' are infinitely far apart: expected features that vary within a class "
        "wherever the means differ, found some that vary in neither; take the spread pooled over dimensions "
        "(spread='pooled') or a dataset with more images a class"
    )
    assert np.isfinite(matrix(side, CODE)).all()
    assert np.isfinite(matrix(dataclasses.replace(side, role="tsm"), CODE)).all()


def test_a_class_of_one_image_is_refused():
    side = images(0)
    keep = (side.labels != 2) | (np.cumsum(side.labels == 2) <= 1)
    with pytest.raises(BadDataset) as error:
        matrix(Side("rn50", side.x[keep], side.labels[keep]))
    assert str(error.value) == "class 'blue' has 1 test images; its spread needs at least 2"


def test_the_protocol_has_a_reading_of_the_code():
    assert RSA.settings == PAPER
    assert RSA.code is not None
    assert RSA.code.settings == RDMSettings("pooled", unit_length=True, left_raw=("tsm",), label="first")
    assert RSA.settings.for_probe() == RSA.at(template="a picture of {}.").settings.for_probe()
    assert RSA.settings.for_inputs() != RSA.at(template=None).settings.for_inputs()


# Known answers, and what the matrices cost


def test_gaussians_with_known_means_and_variances():
    """E of the mean difference squared is that of the true means plus both squared errors; so is that of the distance.

    Classes of n images around means m with standard deviations s: each dimension of the distance squared is
    ((m_i - m_j)^2 + s_i^2 / n + s_j^2 / n) / (s_i^2 / n + s_j^2 / n), up to the noise of the spreads.
    """
    rng, count, dim = np.random.default_rng(0), 400, 300
    means, spreads = rng.standard_normal((5, dim)), rng.uniform(0.5, 2.0, (5, dim))
    labels = np.repeat(np.arange(5), count)
    x = (means[labels] + spreads[labels] * rng.standard_normal((len(labels), dim))).astype(np.float32)
    found = matrix(Side("rn50", x, labels))
    errors = spreads**2 / count
    for i in range(5):
        for j in range(i):
            squares = 1 + (means[i] - means[j]) ** 2 / (errors[i] + errors[j])
            assert found[i, j] == pytest.approx(np.sqrt(squares.sum()), rel=0.02)


@pytest.mark.parametrize("r", [0.0, 0.5, 0.9])
def test_two_models_with_a_known_correlation_of_their_matrices(r):
    """Squared distances are a part that both share and a part of their own, of equal variances and weights r and 1 - r.

    So they correlate by r over pairs of classes (the distances themselves nearly so).
    """
    rng, classes, dim = np.random.default_rng(1), 120, 40
    scale = rng.uniform(0.5, 1.5, (3, classes, 1))  # classes far out and classes near the middle: distances vary
    shared, *owns = scale * rng.standard_normal((3, classes, dim))
    labels, wiggle = np.repeat(np.arange(classes), 2), np.tile([-0.01, 0.01], classes)[:, None]
    sides = []
    for own in owns:
        centres = np.concatenate([r**0.25 * shared, (1 - r) ** 0.25 * own], axis=1)
        sides.append(Side("rn50", (centres[labels] + wiggle).astype(np.float32), labels))
    found = rdm(Pair(tuple(sides), tuple(map(str, range(classes)))), [PLAIN], trials=1, seed=0)[0]
    squares = [side[np.triu_indices(classes, 1)] ** 2 for side in found[0]]
    assert np.corrcoef(squares)[0, 1] == pytest.approx(r, abs=0.12)
    assert METRICS.get("rdm_pearson").outcome.statistic(found, None)[0] == pytest.approx(r, abs=0.15)


def test_a_thousand_classes_need_less_than_200_mb_beyond_their_inputs():
    """In a process of its own: 2,048 dimensions, four images a class, two models, both readings and the metric."""
    script = Path(__file__).parent / "peak_memory.py"
    done = subprocess.run([sys.executable, script, "1000", "4", "2048"], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["inputs"] == pytest.approx(65.5, abs=0.1)
    assert 16 < found["beyond"] < 200  # the four matrices alone are 16 MB: what was measured is what was made


def test_distances_of_class_means_are_rsatoolboxs():
    """Its squared Euclidean distance is divided by the number of dimensions; ours without spread is the root."""
    rsatoolbox = pytest.importorskip("rsatoolbox")
    side = images(4, classes=5, dim=9)
    data = rsatoolbox.data.Dataset(side.x.astype(float), obs_descriptors={"class": side.labels})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it fills an array of integers with NaN
        theirs = rsatoolbox.rdm.calc_rdm(data, method="euclidean", descriptor="class").get_matrices()[0]
    np.testing.assert_allclose(matrix(side, PLAIN), np.sqrt(theirs * 9), rtol=1e-5)


def test_the_correlation_of_matrices_is_rsatoolboxs():
    rsatoolbox = pytest.importorskip("rsatoolbox")
    pair = Pair((images(5), images(6, dim=11)), NAMES)
    both = rdm(pair, [PAPER], trials=1, seed=0)[0]
    one, other = (rsatoolbox.rdm.RDMs(m[np.triu_indices(5, 1)][None].astype(float)) for m in both[0])
    for metric, method in (("rdm_pearson", "corr"), ("rdm_spearman", "spearman")):
        found = METRICS.get(metric).outcome.statistic(both, pair.truth)[0]
        assert found == pytest.approx(rsatoolbox.rdm.compare(one, other, method=method).item(), abs=1e-6)
