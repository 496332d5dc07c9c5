"""Masked image modelling: which patches are hidden, what their tokens are, and what the loss counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mmbench import zoo
from mmbench.errors import CorruptAsset
from mmbench.zoo.frozen import vit
from mmbench.zoo.frozen.loop import Trainer
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


def test_tokens_lie_where_their_patches_do():
    """What is drawn in one patch changes the tokens there most, and none that lie far from it."""
    import torch

    images = torch.zeros(2, 3, 64, 64)
    images[1, :, 8:16, 40:48] = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 8, 8))).float()
    first, second = beit.tokens(beit.tokenizer(), images)
    changed = (second - first).norm(dim=1).view(vit.SIDE, vit.SIDE)
    assert divmod(int(changed.argmax()), vit.SIDE) == (1, 5)
    assert float(changed[5:].max()) == 0 < float(changed[1, 5])


def test_each_channel_of_the_tokens_counts_alike():
    import torch

    images = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 3, 64, 64)).astype(np.float32))
    tokens = beit.tokens(beit.tokenizer(), images)
    assert tokens.shape == (8, vit.PATCHES, beit.TOKEN)
    torch.testing.assert_close(tokens.mean(dim=(0, 1)), torch.zeros(beit.TOKEN), atol=1e-5, rtol=0)
    spread = tokens.std(dim=(0, 1), correction=0)
    assert 0.9 < float(spread[spread > 0].median()) <= 1.0  # a channel that says nothing stays so


def test_the_loss_is_the_mean_square_over_hidden_patches(tiny_corpus):
    """With a reader that answers nothing it is the mean square of their tokens, and of no other patch's."""
    import torch

    run = trainer(tiny_corpus)
    with torch.no_grad():
        run.network["read"].weight.zero_()
        run.network["read"].bias.zero_()
    batch, images = run.batch(0), run.batch(0).view()
    hidden = beit.mask(4, 32, batch.rng())
    expected = np.mean([np.square(token.numpy()) for token in beit.tokens(run.objective.tokenizer, images)[hidden]])
    assert float(run.objective.loss(run.tower, batch).detach()) == pytest.approx(expected, rel=1e-5)


def test_the_tokenizer_is_not_trained(tiny_corpus):
    import torch

    run = trainer(tiny_corpus)
    before = {key: tensor.clone() for key, tensor in run.objective.tokenizer.state_dict().items()}
    run.advance()
    assert all(torch.equal(before[key], tensor) for key, tensor in run.objective.tokenizer.state_dict().items())
    known = {id(p) for group in run.optimiser.param_groups for p in group["params"]}
    assert not known & {id(p) for p in run.objective.tokenizer.parameters()}


def test_another_tokenizer_than_it_learnt_from_is_refused(monkeypatch):
    monkeypatch.setattr(beit, "WEIGHTS", "0" * 64)
    with pytest.raises(CorruptAsset, match=r"tokens of dino with digest 000000000000.*train beit again"):
        beit.tokenizer()


def test_the_network_does_not_see_what_it_must_foretell(tiny_corpus):
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
