"""Gram matrices of class means: numpy's, in the order of the roles, and what a pair must be."""

import dataclasses

import numpy as np
import pytest

from mmbench.errors import BadDataset
from mmbench.inputs.pair import Pair, Side
from mmbench.metrics import METRICS
from mmbench.probes.cka import CKA, CKASettings, cka

NAMES = ("red", "green", "blue", "white", "black", "grey")


def side(seed=0, dim=7, role="rn50"):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(6), 4))
    return Side(role, rng.standard_normal((24, dim)).astype(np.float32) + labels[:, None], labels)


def test_products_of_centred_class_means():
    one, text = side(), Side("bert", np.random.default_rng(1).standard_normal((6, 3)).astype(np.float32))
    found = cka(Pair((one, text), NAMES), [CKASettings()], trials=2, seed=0)[0]
    assert found.shape == (2, 2, 6, 6)
    assert found.dtype == np.float32
    assert (found[0] == found[1]).all()
    means = np.array([one.x[one.labels == k].mean(axis=0) for k in range(6)], dtype=float)
    for matrix, vectors in zip(found[0], (means, text.x.astype(float)), strict=True):
        vectors = vectors - vectors.mean(axis=0)
        wanted = vectors @ vectors.T
        np.testing.assert_allclose(matrix, wanted / np.trace(wanted) * 6, rtol=1e-4, atol=1e-5)


def test_a_unit_of_the_features_changes_nothing_in_the_alignment():
    one, other = side(0), side(1)
    scaled = dataclasses.replace(one, x=one.x * np.float32(1e4) + np.float32(3))
    found = [
        METRICS.get("cka").outcome.statistic(cka(Pair((s, other), NAMES), [CKASettings()], trials=1, seed=0)[0], None)
        for s in (one, scaled)
    ]
    np.testing.assert_allclose(*found, atol=1e-4)


def test_unit_length_takes_each_image_to_length_one():
    one = side()
    unit = dataclasses.replace(one, x=one.x / np.linalg.norm(one.x, axis=1, keepdims=True))
    first = cka(Pair((one, one), NAMES), [CKASettings(unit_length=True)], trials=1, seed=0)[0]
    second = cka(Pair((unit, unit), NAMES), [CKASettings()], trials=1, seed=0)[0]
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_a_class_with_one_image_is_refused():
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5])
    few = Side("rn50", np.ones((11, 2), np.float32), labels)
    with pytest.raises(BadDataset, match=r"^class 'grey' has 1 test images; its spread needs at least 2$"):
        cka(Pair((few, few), NAMES), [CKASettings()], trials=1, seed=0)


def test_it_has_one_reading():
    assert CKA.code is None
