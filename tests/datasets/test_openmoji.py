"""The drawings: what is taken, how concepts are split, and that the split keeps near-copies together."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from mmbench.datasets import _drawings, openmoji


@pytest.fixture(scope="module")
def listing():
    return openmoji.catalogue()


def test_every_drawing_has_a_name_a_category_and_a_subcategory(listing):
    assert len(listing) > 1_700
    assert all(item.name and item.category and item.subcategory for item in listing)
    assert len({item.id for item in listing}) == len(listing)
    assert [item.id for item in listing] == sorted(item.id for item in listing)


def test_no_skin_tones(listing):
    tones = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}
    assert not any(tones & set(item.id.split("-")) for item in listing)


def test_about_three_in_ten_concepts_are_kept_for_evaluation(listing):
    sides = {item.concept: item.evaluation for item in listing}
    assert 0.26 < np.mean(list(sides.values())) < 0.34


def test_a_concept_is_on_one_side(listing):
    sides = collections.defaultdict(set)
    for item in listing:
        sides[item.concept].add(item.evaluation)
    assert all(len(side) == 1 for side in sides.values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("woman running facing right", "man running"),
        ("red heart", "blue heart"),
        ("five o’clock", "nine-thirty"),
        ("family man woman boy", "family"),
        ("woman", "man"),
        ("farmer", "woman farmer"),
    ],
)
def test_variants_are_one_concept(one, other):
    assert _drawings.concept_of(one) == _drawings.concept_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("flag of France", "flag of Chad"), ("keycap 1", "keycap 2"), ("cat", "cat face"), ("red apple", "red heart")],
)
def test_other_things_are_other_concepts(one, other):
    assert _drawings.concept_of(one) != _drawings.concept_of(other)


def test_no_picture_is_on_both_sides():
    found = openmoji.drawings(72)
    sides = collections.defaultdict(set)
    for pixels, held_out in zip(found.pixels, found.evaluation, strict=True):
        sides[pixels.tobytes()].add(bool(held_out))
    assert all(len(side) == 1 for side in sides.values())


def test_what_captions_name_is_not_shown_for_evaluation(listing):
    """The two concepts that a training drawing has as another name; a third would be an error."""
    kept = {listing[row].name for row in openmoji.unseen()}
    assert {item.name for item in listing if item.evaluation} - kept == {"whale", "calendar"}


def test_pixels_are_drawn_and_transparent_outside():
    found = openmoji.drawings(72)
    assert found.pixels.shape == (len(found), 72, 72, 4)
    assert found.pixels.dtype == np.uint8
    alpha = found.pixels[..., 3].reshape(len(found), -1)
    assert (alpha.max(axis=1) == 255).all()
    assert (alpha.min(axis=1) == 0).all()
    grinning = found.pixels[found.ids.index("1F600")]
    assert tuple(grinning[36, 20]) == (0xFC, 0xEA, 0x2B, 255)  # the face's yellow, as the SVG states it


def test_pixels_come_from_the_cache_the_second_time(monkeypatch):
    first = openmoji._pixels(72)
    monkeypatch.setattr(openmoji, "_render_all", lambda size: pytest.fail("rendered again"))
    np.testing.assert_array_equal(openmoji._pixels(72)[:5], first[:5])


def test_identity_follows_the_wheels(monkeypatch):
    before = openmoji.identity()
    openmoji.identity.cache_clear()
    monkeypatch.setattr(openmoji, "SOURCES", openmoji.SOURCES[:2])
    assert openmoji.identity() != before
    openmoji.identity.cache_clear()
