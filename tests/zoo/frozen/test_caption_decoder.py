"""A decoder sees the image and, when causal, nothing of what follows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from mmbench import zoo
from mmbench.zoo.frozen import backbone, caption_decoder, text
from mmbench.zoo.recipes import icmlm, tsm, virtex

WORDS = 300


def inputs(seed=0):
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randint(text.WORDS, WORDS, (3, 7), generator=rng)
    tokens[1, 5:] = text.PAD
    return tokens, torch.randn(3, 16, backbone.DIM, generator=rng)


@pytest.mark.parametrize("causal", [True, False])
def test_only_a_causal_decoder_ignores_what_follows(causal):
    network = caption_decoder.build(WORDS, 2, causal=causal).eval()
    tokens, seen = inputs()
    changed = tokens.clone()
    changed[:, 4] = text.WORDS
    with torch.inference_mode():
        one, other = network(tokens, seen), network(changed, seen)
    same = torch.allclose(one[0, :4], other[0, :4], atol=1e-6)
    assert same is causal
    assert not torch.allclose(one[0, 4:], other[0, 4:], atol=1e-3)


def test_padding_and_the_batch_change_nothing():
    network = caption_decoder.build(WORDS, 1, causal=False).eval()
    tokens, seen = inputs()
    with torch.inference_mode():
        torch.testing.assert_close(network(tokens, seen)[1, :5], network(tokens[1:2, :5], seen[1:2])[0])


def test_the_image_is_looked_at():
    network = caption_decoder.build(WORDS, 1, causal=True).eval()
    tokens, seen = inputs()
    with torch.inference_mode():
        assert not torch.allclose(network(tokens, seen), network(tokens, seen.flip(0)), atol=1e-3)


def test_positions_are_what_the_tower_averages():
    tower = backbone.build().eval()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        seen = caption_decoder.positions(tower, images)
        assert seen.shape == (2, 16, backbone.DIM)
        torch.testing.assert_close(seen.mean(dim=1), tower(images))


def test_a_caption_backwards():
    start, end, pad = text.START, text.END, text.PAD
    tokens = np.array([[start, 11, 12, 13, end], [start, 11, 12, end, pad], [start, 11, end, pad, pad]])
    assert virtex.backwards(tokens).tolist() == [
        [start, 13, 12, 11, end],
        [start, 12, 11, end, pad],
        [start, 11, end, pad, pad],
    ]
    assert np.array_equal(virtex.backwards(virtex.backwards(tokens)), tokens)


def test_what_is_masked_is_always_a_word():
    tokens = np.full((4000, 6), text.PAD)
    tokens[:, 0], tokens[:, 1:4], tokens[:, 4] = text.START, 99, text.END
    places = icmlm.masked(tokens, np.random.default_rng(0))
    assert np.bincount(places, minlength=5)[[1, 2, 3]] == pytest.approx([1333, 1333, 1333], abs=120)
    assert set(places) == {1, 2, 3}


@pytest.mark.parametrize("name", ["virtex", "icmlm", "slip", "tsm"])
def test_the_tower_learns_from_the_loss(name, tiny_corpus):
    from mmbench.zoo.frozen.loop import Trainer

    recipe = dataclasses.replace(zoo.RECIPES.get(name), steps=40, batch=12, warmup=4)
    run = Trainer(recipe, tiny_corpus)
    losses = [run.advance() for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.99 * np.mean(losses[:5])
    assert all(p.grad is not None for p in run.tower.parameters())


def test_a_clip_moves_steadily_about_the_drawing():
    drawings = torch.zeros(8, 4, 72, 72)
    drawings[:, :, 30:42, 30:42] = 1.0
    frames = tsm.moving(drawings, np.random.default_rng(0))
    assert len(frames) == tsm.FRAMES
    place = torch.arange(72.0)
    centres = torch.stack(
        [
            torch.stack([(f[:, 3].sum(dim=d) * place).sum(dim=1) / f[:, 3].sum(dim=(1, 2)) for d in (1, 2)], dim=1)
            for f in frames
        ]
    )
    steps = centres.diff(dim=0)
    torch.testing.assert_close(steps[0], steps[1], atol=0.05, rtol=0)
    torch.testing.assert_close(steps[1], steps[2], atol=0.05, rtol=0)
    assert float(steps.abs().sum(dim=2).min()) > 0.02
    torch.testing.assert_close(centres.mean(dim=0), torch.full((8, 2), 35.5), atol=0.05, rtol=0)


def test_frames_of_a_clip_share_pose_colour_and_place(tiny_corpus):
    """A drawing that does not move gives the same frame four times."""
    from mmbench.zoo.frozen.loop import Trainer
    from mmbench.zoo.frozen.views import first_views

    trainer = Trainer(dataclasses.replace(zoo.RECIPES.get("tsm"), batch=4), tiny_corpus)
    batch = trainer.batch(0)
    still = trainer.pixels[batch.rows]
    assert torch.equal(first_views(still, batch), first_views(still, batch))
    assert not torch.equal(batch.view(), batch.view())
