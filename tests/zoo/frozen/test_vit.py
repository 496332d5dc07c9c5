"""The transformer: patches, hidden patches, and that where a patch lies matters."""

from __future__ import annotations

import numpy as np
import pytest

from mmbench.zoo.frozen import backbone, vit


def images(n=3, seed=0):
    import torch

    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, 3, 64, 64)).astype(np.float32))


def test_it_is_as_wide_and_nearly_as_large_as_the_backbone():
    import torch

    sizes = [sum(p.numel() for p in network.parameters()) for network in (vit.build(), backbone.build())]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    with torch.no_grad():
        features = vit.build()(images())
    assert features.shape == (3, backbone.DIM)
    assert float(features.min()) >= 0
    assert not torch.equal(features[0], features[1])


def test_patches_are_cut_row_by_row():
    import torch

    given = images()
    cut = vit.patches(given)
    assert cut.shape == (3, vit.PATCHES, vit.VALUES)
    for row, column in ((0, 0), (0, 5), (7, 2)):
        piece = given[1, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].permute(1, 2, 0)
        assert torch.equal(cut[1, 8 * row + column], piece.flatten())
    last = given.contiguous(memory_format=torch.channels_last)
    assert torch.equal(vit.patches(last), cut)


def test_what_is_hidden_is_not_seen():
    import torch

    network, filler = vit.build().eval(), torch.zeros(vit.WIDTH)
    hidden = torch.zeros(3, vit.PATCHES, dtype=torch.bool)
    hidden[:, 9] = True
    one, other = images(), images()
    other[:, :, 8:16, 8:16] += 1
    with torch.no_grad():
        assert not torch.allclose(network(one), network(other), atol=1e-4)
        seen = [network.tokens(given, hidden, filler) for given in (one, other)]
        torch.testing.assert_close(*seen)
        assert not torch.allclose(seen[0], network.tokens(one, hidden, images()[0, 0, :2].flatten()), atol=1e-4)


def test_places_matter():
    import torch

    given = images()
    with torch.no_grad():
        assert not torch.allclose(vit.build()(given), vit.build()(given.roll(8, 3)), atol=1e-4)


def test_seeds_matter():
    import torch

    one, same, other = (vit.build(seed=seed).embed.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_patches_start_nearest_to_their_neighbours():
    """By the waves alone a patch is more like the one beside it, or below, than any that lies farther off."""
    waves = vit.places().reshape(8, 8, -1)
    here = waves[3, 4]
    far = np.square(waves - here).sum(axis=2)
    near = {(2, 4), (4, 4), (3, 3), (3, 5)}
    order = [tuple(map(int, np.unravel_index(place, far.shape))) for place in np.argsort(far, axis=None)]
    assert order[0] == (3, 4)
    assert set(order[1:5]) == near
