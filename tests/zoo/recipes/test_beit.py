"""Masked image modelling: which patches are hidden, what their target is, and what the loss counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mmbench import zoo
from mmbench.zoo import vit
from mmbench.zoo.loop import Trainer
from mmbench.zoo.recipes import beit


def trainer(corpus, **options):
    recipe = zoo.RECIPES.get("beit")
    return Trainer(dataclasses.replace(recipe, batch=4, options={**recipe.options, **options}), corpus)


@pytest.mark.parametrize("hidden", [0, 1, 32, 64])
def test_each_image_hides_the_same_share(hidden):
    masks = beit.mask(50, hidden, np.random.default_rng(0))
    assert masks.shape == (50, vit.PATCHES)
    assert set(masks.sum(dim=1).tolist()) == {hidden}


def test_every_patch_is_hidden_as_often_as_any_other():
    often = beit.mask(4000, 32, np.random.default_rng(0)).float().mean(dim=0)
    assert float((often - 0.5).abs().max()) < 0.04  # five deviations


def test_the_target_by_hand():
    import torch

    images = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32))
    images[:, :, :8, :8] = 1.5
    piece = images[1, :, 8:16, 24:32].permute(1, 2, 0).flatten().numpy().astype(np.float64)
    expected = (piece - piece.mean()) / np.sqrt(piece.var() + beit.FAINT)
    np.testing.assert_allclose(beit.target(images)[1, 8 + 3].numpy(), expected, rtol=1e-4, atol=1e-5)
    assert float(beit.target(images)[:, 0].abs().max()) < 1e-4  # flat


def test_the_loss_is_the_mean_square_over_hidden_patches(tiny_corpus):
    """With a painter that answers nothing it is the mean square of their targets, and of no other patch."""
    import torch

    run = trainer(tiny_corpus)
    with torch.no_grad():
        run.network["paint"].weight.zero_()
        run.network["paint"].bias.zero_()
    batch, images = run.batch(0), run.batch(0).view()
    hidden = beit.mask(4, 32, batch.rng())
    expected = np.mean([np.square(patch.numpy()) for patch in beit.target(images)[hidden]])
    assert float(run.objective.loss(run.tower, batch).detach()) == pytest.approx(expected, rel=1e-5)


def test_the_network_does_not_see_what_it_must_paint(tiny_corpus):
    import torch

    run = trainer(tiny_corpus)
    called = {}
    tokens = run.network["vit"].tokens
    run.network["vit"].tokens = lambda *given: called.update(given=given) or tokens(*given)
    run.advance()
    _, hidden, filler = called["given"]
    assert set(hidden.sum(dim=1).tolist()) == {32}
    assert filler is run.network["filler"]["patch"]
    assert not torch.equal(filler, torch.zeros(vit.WIDTH))  # it has been trained


@pytest.mark.parametrize("name", ["vit", "beit"])
def test_the_residual_tower_is_left_alone(name, tiny_corpus):
    import torch

    run = Trainer(dataclasses.replace(zoo.RECIPES.get(name), batch=4), tiny_corpus)
    before = {key: tensor.clone() for key, tensor in run.tower.state_dict().items()}
    run.advance()
    run.advance()
    assert all(torch.equal(before[key], tensor) for key, tensor in run.tower.state_dict().items())
