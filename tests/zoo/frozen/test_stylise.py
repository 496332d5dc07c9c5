"""Stylised drawings: other fills, the same silhouette and lines; and which drawings a step stylises."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench import zoo
from mmbench.zoo.frozen import augment, stylise
from mmbench.zoo.frozen.loop import Trainer

INK = slice(16, 20), slice(12, 60)


def drawing(n=6):
    """Two flat fills, orange above blue, with a bar of ink between them; transparent around."""
    pixels = np.zeros((n, 4, 72, 72), dtype=np.uint8)
    pixels[:, :3, :18] = np.array([250, 160, 40], dtype=np.uint8)[:, None, None]
    pixels[:, :3, 18:] = np.array([60, 120, 240], dtype=np.uint8)[:, None, None]
    pixels[(slice(None), slice(3), *INK)] = 0
    pixels[:, 3, 10:62, 10:62] = 255
    return augment.premultiplied(pixels)


def styled(drawings, seed=0):
    import torch

    return stylise.stylised(drawings, torch.Generator().manual_seed(seed))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_lines_stay_apart_from_fills(seed):
    made = styled(drawing(), seed)
    ink = made[(slice(None), slice(3), *INK)].flatten(2)
    above, below = made[:, :3, 11:16, 12:60].flatten(2), made[:, :3, 20:60, 12:60].flatten(2)
    for fill in (above, below):
        gap = (fill.unsqueeze(3)[:, :, ::7] - ink.unsqueeze(2)[..., ::7]).abs()
        assert float(gap.min()) >= stylise.APART - 1e-5


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_silhouette_is_untouched_and_colours_are_legal(seed):
    import torch

    plain = augment.premultiplied(np.random.default_rng(seed).integers(0, 256, (3, 4, 24, 24), dtype=np.uint8))
    made = styled(plain, seed)
    assert torch.equal(made[:, 3:], plain[:, 3:])
    assert float(made.min()) >= 0
    assert bool((made[:, :3] <= made[:, 3:] + 1e-6).all())


def test_colour_tells_nothing_any_more():
    """Over many styles the mean colour of orange is that of blue, though plain they are far apart."""
    made = styled(drawing(600))
    above, below = made[:, :3, 11:16, 12:60].mean(dim=(0, 2, 3)), made[:, :3, 20:60, 12:60].mean(dim=(0, 2, 3))
    plain = drawing(1)
    apart = (plain[0, :3, 12, 30] - plain[0, :3, 40, 30]).abs()
    assert float((above - below).abs().max()) < 0.05 < 0.1 < float(apart.min())


def test_fills_are_textured_and_still_told_apart():
    made = styled(drawing(200))
    above, below = made[:, :3, 11:16, 12:60].flatten(2), made[:, :3, 20:60, 12:60].flatten(2)
    assert float(below.std(dim=2).mean()) > 0.05
    assert float((above.mean(dim=2) - below.mean(dim=2)).abs().amax(dim=1).median()) > 0.15


def test_each_drawing_has_its_own_style_and_each_step_another():
    import torch

    made = styled(drawing())
    assert not torch.equal(made[0], made[1])
    assert torch.equal(made, styled(drawing()))
    assert not torch.equal(made, styled(drawing(), 1))


def changed(name, corpus, step=0, **options):
    """Which rows of a batch differ from their plain view."""
    recipe = zoo.RECIPES.get(name)
    recipe = dataclasses.replace(recipe, batch=8, steps=8, options={**recipe.options, **options})
    trainer = Trainer(recipe, corpus)
    seen = []
    trainer.objective.loss(lambda images: seen.append(images) or trainer.tower(images), trainer.batch(step))
    return (seen[0] != trainer.batch(step).view()).flatten(1).any(dim=1)


@pytest.mark.parametrize(("name", "step", "rows"), [("sin", 7, 8), ("sin_in", 7, 4), ("sin_in_fin", 5, 4)])
def test_a_share_of_the_batch_is_stylised(name, step, rows, tiny_corpus):
    assert int(changed(name, tiny_corpus, step).sum()) == rows


def test_fine_tuning_shows_plain_drawings(tiny_corpus):
    assert not bool(changed("sin_in_fin", tiny_corpus, 6).any())


def test_a_stylised_view_has_the_pose_and_background_of_the_plain_one(tiny_corpus):
    assert not bool(changed("sin", tiny_corpus, 5, share=0.0).any())
    assert not bool(changed("sin_in", dataclasses.replace(tiny_corpus, pixels=tiny_corpus.pixels * 0), 5).any())


def test_the_drawings_that_are_stylised_change(tiny_corpus):
    import torch

    steps = [changed("sin_in", tiny_corpus, step) for step in range(6)]
    assert any(not torch.equal(steps[0], step) for step in steps[1:])
