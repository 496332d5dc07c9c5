"""No network, but pixels: grey values by hand, and sizes that are none."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmbench.errors import BadSpec
from mmbench.models.specs import resolve


def test_features_are_the_grey_values_row_by_row():
    entry = resolve("pixels:4")
    encoder = entry.load()
    values = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    with torch.inference_mode():
        found = encoder.forward(encoder.prepare(Image.fromarray(values))[None])
    assert (entry.dim, tuple(found.shape)) == (16, (1, 16))
    np.testing.assert_allclose(found[0], values.astype(float).mean(axis=2).ravel() / 255, atol=1e-6)


def test_another_size_is_another_model():
    assert resolve("pixels:4").identity() == resolve("pixels:4").identity() != resolve("pixels:8").identity()
    assert resolve("pixels:28").identity().weights


@pytest.mark.parametrize("size", ["0", "257", "x", "-4", "2.5", "4" * 40])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(BadSpec, match="expected pixels:SIZE with a whole SIZE from 1 to 256"):
        resolve(f"pixels:{size}")
