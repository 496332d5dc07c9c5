"""The error of decoded images: an answer worked by hand, the best constant image, and other shapes."""

import numpy as np
import pytest

from mmbench.errors import BadScores
from mmbench.metrics import METRICS

METRIC = METRICS.get("pixel_error")


def test_root_mean_square_of_each_image():
    pixels = np.array([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5]], dtype=np.float32)
    decoded = np.array([[[0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.7]]], dtype=np.float32)
    np.testing.assert_allclose(METRIC.outcome(decoded, pixels), [[np.sqrt(0.5), 0.1]], rtol=1e-6)
    assert not METRIC.higher_is_better


def test_chance_is_the_mean_image():
    pixels = np.random.default_rng(0).random((20, 12)).astype(np.float32)
    constant = np.broadcast_to(pixels.mean(axis=0), (1, 20, 12))
    assert METRIC.chance(pixels) == pytest.approx(METRIC.outcome(constant, pixels).mean(), rel=1e-5)


def test_other_shapes_are_refused():
    with pytest.raises(BadScores, match=r"beside pixels \[3, 4\], got shape \[1, 3, 5\]"):
        METRIC.outcome(np.zeros((1, 3, 5)), np.zeros((3, 4)))
