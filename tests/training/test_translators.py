"""Affine translations: planted relations, moments, and scikit-learn's ridge regression."""

import dataclasses

import numpy as np
import pytest

from mmbench.errors import BadDataset
from mmbench.training import translators as t
from mmbench.training.entry import Checkpoint
from mmbench.training.unpaired import Unpaired

SETTINGS = t.AffineSettings()


def unpaired(image, text, own=None):
    own = np.arange(len(text)) if own is None else own
    return Unpaired(image.astype(np.float32), text.astype(np.float32), own)


def skewed(rows, seed=0):
    """Independent columns with long tails to one side and variances that differ."""
    rng = np.random.default_rng(seed)
    return (rng.exponential(size=(rows, 4)) - 1) * [4.0, 2.5, 1.5, 0.8]


def fitted(name, inputs, s=SETTINGS):
    return t.AFFINE[name][0](inputs, s, 0, Checkpoint())


def test_the_mean_is_shifted_and_nothing_else():
    x = skewed(50)
    weights = fitted("mean_shift", unpaired(x, skewed(30, 1) + 7))
    moved = t.apply(weights, x.astype(np.float32))
    np.testing.assert_allclose(moved.mean(axis=0), (skewed(30, 1) + 7).mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(moved - moved.mean(axis=0), x - x.mean(axis=0), atol=1e-5)


def test_moments_become_those_of_texts_by_a_symmetric_map():
    rng = np.random.default_rng(0)
    image, text = skewed(400), skewed(300, 1) @ rng.standard_normal((4, 4)) + 3
    weights = fitted("moment_map", unpaired(image, text), t.AffineSettings(shrink=0.0))
    moved = t.apply(weights, image.astype(np.float32)).astype(np.float64)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(text.T), rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(moved.mean(axis=0), text.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(weights["weight"], weights["weight"].T, atol=1e-4)


def test_a_planted_rotation_is_found_without_pairs():
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((4, 4)))[0]
    image, text = skewed(20_000), skewed(20_000, 1) @ turn.T + 5
    weights = fitted("orthogonal_map", unpaired(image, text))
    np.testing.assert_allclose(weights["weight"] @ weights["weight"].T, np.eye(4), atol=1e-5)
    np.testing.assert_allclose(weights["weight"], turn, atol=0.1)


def test_the_map_from_pairs_is_scikit_learns_ridge():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    image, own = skewed(60), np.repeat(np.arange(60), 2)
    text = image[own] @ rng.standard_normal((4, 3)) + rng.standard_normal((120, 3))
    inputs = unpaired(image, text, own)
    weights = fitted("paired_map", inputs)
    x = inputs.image[own].astype(np.float64)
    penalty = SETTINGS.shrink * x.var(axis=0).mean() * len(x)
    expected = Ridge(alpha=penalty).fit(x, inputs.text).predict(inputs.image)
    np.testing.assert_allclose(t.apply(weights, inputs.image), expected, atol=1e-4)
    with pytest.raises(BadDataset, match="needs the image of every text"):
        fitted("paired_map", dataclasses.replace(inputs, own=np.full(120, -1)))


@pytest.mark.parametrize("name", [name for name in t.AFFINE if name != "paired_map"])
def test_pairs_change_nothing(name):
    inputs = unpaired(skewed(50), skewed(50, 1))
    mixed = dataclasses.replace(inputs, own=inputs.own[::-1].copy())
    np.testing.assert_array_equal(fitted(name, inputs)["weight"], fitted(name, mixed)["weight"])
