"""Views: their range, that they differ, that a drawing stays on its background and colours stay legal."""

from __future__ import annotations

import numpy as np

from mmbench.zoo.frozen import augment, backbone


def pixels(n=8, seed=0):
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 256, (n, 4, 72, 72), dtype=np.uint8)
    made[:, 3] = 0
    made[:, 3, 20:52, 20:52] = 255
    return made


def views(drawings, seed=0):
    import torch

    return augment.views(augment.premultiplied(drawings), torch.Generator().manual_seed(seed))


def test_views_are_normalised_images():
    made = views(pixels())
    assert made.shape == (8, 3, backbone.SIZE, backbone.SIZE)
    low, high = (0 - 0.5) / 0.25, (1 - 0.5) / 0.25
    assert float(made.min()) >= low
    assert float(made.max()) <= high


def test_views_follow_the_generator():
    import torch

    assert torch.equal(views(pixels(), 1), views(pixels(), 1))
    assert not torch.equal(views(pixels(), 1), views(pixels(), 2))


def test_a_transparent_drawing_leaves_the_background():
    import torch

    clear = pixels()
    clear[:, 3] = 0
    other = pixels(seed=1)
    other[:, 3] = 0
    assert torch.equal(views(clear), views(other))


def test_an_opaque_drawing_hides_its_background():
    drawn = pixels()
    drawn[:, :3] = 0
    drawn[:, 3] = 255
    centre = views(drawn)[:, :, 28:36, 28:36]
    assert float(centre.max()) < -1.99  # black, whatever lies behind
