"""The error of decoded images: an answer worked by hand, the best constant image, and other shapes."""

import numpy as np
import pytest
from sklearn.metrics import mean_squared_error

from mmbench.errors import BadScores
from mmbench.metrics import METRICS

METRIC = METRICS.get("pixel_error")


def test_root_mean_square_over_all_images():
    pixels = np.array([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5]], dtype=np.float32)
    decoded = np.array([[[0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.7]]], dtype=np.float32)
    found = METRIC.outcome(decoded, pixels)
    assert found.shape == (1, 2)
    assert found.mean() == pytest.approx(np.sqrt((0.5 + 0.01) / 2), rel=1e-5)
    assert not METRIC.higher_is_better


def test_it_agrees_with_scikit_learn():
    rng = np.random.default_rng(1)
    pixels, decoded = rng.random((20, 12)), rng.random((2, 20, 12))
    for trial, found in zip(decoded, METRIC.outcome(decoded, pixels).mean(axis=1), strict=True):
        assert found == pytest.approx(np.sqrt(mean_squared_error(pixels, trial)), rel=1e-5)


def test_chance_is_the_mean_image():
    pixels = np.random.default_rng(0).random((20, 12)).astype(np.float32)
    constant = np.broadcast_to(pixels.mean(axis=0), (1, 20, 12))
    assert METRIC.chance(pixels) == pytest.approx(METRIC.outcome(constant, pixels).mean(), rel=1e-5)


def test_other_shapes_are_refused():
    with pytest.raises(BadScores, match=r"beside pixels \[3, 4\], got shape \[1, 3, 5\]"):
        METRIC.outcome(np.zeros((1, 3, 5)), np.zeros((3, 4)))
