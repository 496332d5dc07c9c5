"""Decoding images: scikit-learn's ridge regression, errors left out one by one, and features that hold everything."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from mmbench.inputs.pictures import Pictures
from mmbench.probes.reconstruction import ReconstructionSettings, _left_out, reconstruct

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 6)).astype(np.float32)
PIXELS = np.clip(0.5 + 0.1 * X @ RNG.standard_normal((6, 9)) + 0.05 * RNG.standard_normal((40, 9)), 0, 1)
INPUTS = Pictures(X[:30], PIXELS[:30].astype(np.float32), X[30:], PIXELS[30:].astype(np.float32))


def unit(x):
    return float((np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2).mean())


@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_it_is_ridge_regression(strength):
    found = reconstruct(INPUTS, [ReconstructionSettings(strengths=(strength,))], trials=2, seed=0)[0]
    own = Ridge(alpha=strength * unit(INPUTS.train_x.astype(float))).fit(INPUTS.train_x, INPUTS.train_pixels)
    np.testing.assert_allclose(found[0], np.clip(own.predict(INPUTS.test_x), 0, 1), atol=1e-5)
    assert found.shape == (2, 10, 9)
    np.testing.assert_array_equal(found[0], found[1])


def test_the_error_left_out_is_that_of_decoders_fitted_without_each_image():
    """A slow version: centre anew, fit anew. The strength stands for the same sum of squares in both."""
    x, y, strength = INPUTS.train_x.astype(float), INPUTS.train_pixels.astype(float), 3.0
    slow = []
    for row in range(len(x)):
        rest = np.arange(len(x)) != row
        slow.append((Ridge(alpha=strength).fit(x[rest], y[rest]).predict(x[row : row + 1]) - y[row]) ** 2)
    rows, values, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    centred = y - y.mean(axis=0)
    assert _left_out(rows, values, rows.T @ centred, centred, strength) == pytest.approx(np.mean(slow), rel=1e-6)


def test_the_strength_with_the_smallest_error_left_out_is_taken():
    """Features of noise alone: the strongest shrinkage, so that about the mean image is decoded."""
    noise = Pictures(*(RNG.random(shape).astype(np.float32) for shape in ((30, 20), (30, 9), (10, 20), (10, 9))))
    strong, weak = 1e6, 1e-6
    both, one = (
        reconstruct(noise, [ReconstructionSettings(strengths=s)], trials=1, seed=0)[0]
        for s in ((weak, strong), (strong,))
    )
    np.testing.assert_array_equal(both, one)
    np.testing.assert_allclose(both[0] - noise.train_pixels.mean(axis=0), 0, atol=1e-3)


def test_features_that_hold_the_picture_give_it_back():
    pixels = RNG.random((50, 12)).astype(np.float32)
    turned = (pixels @ np.linalg.qr(RNG.standard_normal((12, 12)))[0]).astype(np.float32)
    found = reconstruct(
        Pictures(turned[:40], pixels[:40], turned[40:], pixels[40:]), [ReconstructionSettings()], trials=1, seed=0
    )[0]
    np.testing.assert_allclose(found[0], pixels[40:], atol=1e-2)
