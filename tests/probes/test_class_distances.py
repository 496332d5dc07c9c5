"""Distances of classes against scipy's and against the equation in double precision, where digits could cancel too."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from mmbench.probes import class_distances
from mmbench.probes.class_distances import euclidean, welch


def by_hand(means, errors):
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.nan_to_num((means[:, None] - means) ** 2 / (errors[:, None] + errors), nan=0.0, posinf=np.inf)
    return np.sqrt(terms.sum(axis=-1))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-7, 7), st.integers(-9, 0))
def test_euclidean_is_scipys_whatever_the_unit_and_however_near_two_rows_are(seed, unit, near):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((12, 5)) + rng.uniform(-100, 100)
    rows[3] = rows[7] + 10.0**near * rng.standard_normal(5)  # squares cancel to 1e-18 of themselves
    rows[4] = rows[8]
    rows *= 10.0**unit
    found = euclidean(rows)
    np.testing.assert_allclose(found, squareform(pdist(rows)), rtol=1e-6, atol=0)
    np.testing.assert_array_equal(found, found.T)


def test_without_the_differences_one_by_one_near_rows_would_be_wrong(monkeypatch):
    rows = np.random.default_rng(0).standard_normal((12, 5))
    rows[3] = rows[7] + 1e-8
    monkeypatch.setattr(class_distances, "SAFE", -1.0)
    with np.errstate(invalid="ignore"):
        assert not np.allclose(euclidean(rows), squareform(pdist(rows)), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dim", [3, 300, 2048, 70_000])
def test_welch_is_the_equation_in_double_precision(dim):
    """Also where one row is more than a tile, and with classes of small and of large errors."""
    rng, classes = np.random.default_rng(dim), 40 if dim < 10_000 else 5
    means = rng.standard_normal((classes, dim)) + 50
    errors = 10.0 ** rng.uniform(-3, 1, (classes, 1)) * rng.uniform(0.5, 2, (classes, dim))
    found = welch(means, errors)
    np.testing.assert_allclose(found, by_hand(means, errors), rtol=2e-6)
    np.testing.assert_array_equal(found, found.T)


def test_welch_of_one_number_a_class_and_of_dimensions_that_are_nothing():
    rng = np.random.default_rng(0)
    means, errors = rng.standard_normal((9, 6)), rng.uniform(0.1, 1, (9, 1))
    np.testing.assert_allclose(welch(means, errors), by_hand(means, errors), rtol=1e-9)
    dead = np.concatenate([means, np.zeros((9, 2))], axis=1)
    spread = np.concatenate([np.tile(errors, 6), np.zeros((9, 2))], axis=1)
    np.testing.assert_allclose(welch(dead, spread), by_hand(means, errors), rtol=1e-6)
    dead[3, 7] = 1.0
    assert np.isinf(welch(dead, spread)[3]).sum() == 8
