"""Scenes show the batch's drawings where their captions say, and follow from seed, step and place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mmbench.zoo.frozen import augment, scenes
from mmbench.zoo.frozen.views import first_views


@pytest.fixture
def flat(tiny_corpus):
    """Drawings that are full squares of one colour each."""
    colours = [(255, 0, 0), (0, 200, 0), (0, 0, 255), (255, 255, 0), (120, 60, 10), (250, 250, 250), (10, 10, 10)]
    pixels = np.zeros((len(colours), 4, 72, 72), np.uint8)
    pixels[:, 3] = 255
    for row, colour in enumerate(colours):
        pixels[row, :3] = np.array(colour, np.uint8).reshape(3, 1, 1)
    cut = {
        field.name: getattr(tiny_corpus, field.name)[: len(colours)]
        for field in dataclasses.fields(tiny_corpus)
        if field.name != "pixels"
    }
    return dataclasses.replace(tiny_corpus, pixels=pixels, **cut)


def composed(count=200, seed=0):
    return scenes.scenes(count, np.random.default_rng(seed))


def test_a_scene_follows_from_its_seed():
    assert composed() == composed()
    assert composed() != composed(seed=1)


def test_every_drawing_leads_one_scene_and_is_not_its_own_company():
    made = composed()
    assert [scene.members[0] for scene in made] == list(range(200))
    assert all(len(set(scene.members)) == len(scene.members) for scene in made)
    assert all(0 <= member < 200 for scene in made for member in scene.members)


def test_one_two_and_three_drawings_are_about_as_frequent():
    sizes = np.bincount([len(scene.members) for scene in composed(3000)])
    assert sizes[1:] == pytest.approx([1000, 1000, 1000], abs=100)


def test_tiles_stay_inside_and_apart():
    for scene in composed(600):
        if len(scene.members) == 1:
            continue
        covered = np.zeros((72, 72), int)
        for down, across in scene.corners:
            covered[down : down + scenes.TILE, across : across + scenes.TILE] += 1
        assert covered.max() == 1
        assert covered.sum() == len(scene.members) * scenes.TILE**2


@pytest.mark.parametrize(
    ("relation", "axis", "sign"), [("to the left of", 1, 1), ("above", 0, 1), ("below", 0, -1)], ids=lambda v: str(v)
)
def test_the_first_drawing_lies_where_the_relation_says(relation, axis, sign):
    found = [scene for scene in composed(600) if scene.relation == relation]
    assert found
    for scene in found:
        first, *others = (corner[axis] for corner in scene.corners)
        assert all(sign * (other - first) >= scenes.TILE for other in others)


def test_a_canvas_shows_each_member_at_its_corner(flat):
    drawings = augment.premultiplied(flat.pixels)
    made = scenes.scenes(len(drawings), np.random.default_rng(3))
    shown = scenes.canvases(drawings, made)
    assert shown.shape == drawings.shape
    middle = scenes.TILE // 2
    for canvas, scene in zip(shown, made, strict=True):
        for member, (down, across) in zip(scene.members, scene.corners, strict=True):
            assert canvas[:, down + middle, across + middle].tolist() == pytest.approx(
                drawings[member, :, 0, 0].tolist(), abs=1e-6
            )
        share = 1.0 if len(scene.members) == 1 else len(scene.members) / 4
        assert float(canvas[3].mean()) == pytest.approx(share)


def test_colours_are_named(flat):
    assert scenes.dominant_colours(flat) == ("red", "green", "blue", "yellow", "brown", "white", "black")


def test_a_drawing_of_many_colours_has_no_colour_word(flat):
    pixels = flat.pixels[:1].copy()
    for strip, colour in enumerate([(255, 0, 0), (0, 200, 0), (0, 0, 255), (255, 255, 0), (160, 0, 255)]):
        pixels[0, :3, :, strip * 15 : strip * 15 + 15] = np.array(colour, np.uint8).reshape(3, 1, 1)
    pixels[0, 3, :, 75:] = 0
    assert scenes.dominant_colours(dataclasses.replace(flat, pixels=pixels)) == ("",)


def test_an_empty_drawing_has_a_colour_word_of_ink(flat):
    assert scenes.dominant_colours(dataclasses.replace(flat, pixels=flat.pixels[:1] * 0)) == ("",)


def test_captions_say_number_names_colours_places_and_kinds(flat):
    rows = np.arange(7)
    scene = scenes.Scene((1, 0), ((0, 0), (0, 36)), "to the left of")
    number, names, colours, places, kinds = scenes.captions(
        flat, scenes.dominant_colours(flat), rows, scene, np.random.default_rng(1)
    )
    assert number.startswith("two things: ")
    assert names.startswith("a drawing of ")
    assert colours.startswith("green ")
    assert " and red " in colours
    assert " to the left of " in places
    assert "kind 1" in kinds or "sort 1" in kinds


def test_captions_only_use_words_of_the_vocabulary(flat):
    from mmbench.zoo.frozen import captions, text

    known = set(text.Tokenizer.of([*captions.every_word(flat), *scenes.every_word(flat)]).words)
    rng, rows, colours = np.random.default_rng(0), np.arange(7), scenes.dominant_colours(flat)
    for scene in scenes.scenes(7, rng):
        for sentence in scenes.captions(flat, colours, rows, scene, rng):
            assert set(text.split(sentence)) <= known


def test_first_views_are_those_of_the_batch(tiny_corpus):
    import torch

    from mmbench import zoo
    from mmbench.zoo.frozen.loop import Trainer

    trainer = Trainer(dataclasses.replace(zoo.RECIPES.get("rn50"), batch=5, seed=3), tiny_corpus)
    batch = trainer.batch(7)
    assert torch.equal(first_views(trainer.pixels[batch.rows], batch), batch.view())
