"""Seeded numbers are the same everywhere; pixels are rendered once; views stay inside their canvas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.datasets import _rendered, _views
from mmbench.datasets._rendered import Dice, RenderedImages, identity_of, kept_array, to_bytes
from mmbench.errors import MissingAsset

WORDS = st.text(max_size=8)
RED = np.zeros((16, 16, 4), np.uint8)
RED[...] = (255, 0, 0, 255)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))


def test_dice_fall_as_they_always_did():
    """Written down once: another machine or numpy that gives other numbers would change every dataset."""
    dice = Dice("mmbench", 1)
    np.testing.assert_allclose(
        dice.uniform(size=3), [0.0919023654422485, 0.8022853376663445, 0.942558056846156], rtol=0, atol=1e-15
    )
    assert Dice("order").order(6).tolist() == [1, 3, 0, 4, 2, 5]


@given(WORDS, st.integers(-5, 5), st.integers(0, 20))
def test_whole_numbers_stay_in_range(word, low, span):
    dice = Dice(word)
    assert all(low <= dice.integer(low, low + span) <= low + span for _ in range(20))


@given(WORDS, st.integers(1, 30), st.data())
def test_a_sample_holds_no_option_twice(word, count, data):
    wanted = data.draw(st.integers(0, count))
    drawn = Dice(word).sample(range(count), wanted)
    assert len(drawn) == len(set(drawn)) == wanted
    assert sorted(Dice(word).order(count)) == list(range(count))


def test_pixels_are_rendered_once_and_then_read():
    calls = []

    def render():
        calls.append(1)
        return np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)

    first, second = (RenderedImages("name", "key", 2, render) for _ in range(2))
    assert first.digest(0) == second.digest(0) != first.digest(1)
    assert first.image(1).size == (4, 4)
    assert len(calls) == 1


def test_a_damaged_cache_file_is_rendered_anew(tmp_path):
    made = np.ones((3, 2), np.uint8)
    kept_array("name", "key", 3, lambda: made)
    (file,) = (tmp_path / "datasets").glob("*.npy")
    for damage in (b"", b"garbage", file.read_bytes()[:-2]):
        file.write_bytes(damage)
        np.testing.assert_array_equal(kept_array("name", "key", 3, lambda: made), made)


def test_identity_follows_its_parts():
    assert identity_of("a", "b") == identity_of("a", "b") != identity_of("b", "a")
    assert identity_of("a", modules=["mmbench.errors"]) != identity_of("a", modules=["mmbench.registry"])


def test_identity_follows_what_a_module_does_and_not_its_comments(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def identity(text):
        (tmp_path / "made_up_module.py").write_text(text)
        _rendered._program.cache_clear()
        return identity_of("a", modules=["made_up_module"])

    plain = identity("SIZE = 1\n")
    assert identity('"""Says what it is."""\nSIZE = 1  # small\n') == plain
    assert identity("SIZE = 2\n") != plain
    _rendered._program.cache_clear()


def test_a_module_without_source_has_no_identity():
    message = r"^module math has no source file, which the identity of its datasets needs$"
    with pytest.raises(MissingAsset, match=message):
        identity_of("a", modules=["math"])


@given(WORDS, st.sampled_from([32, 64, 72]))
def test_a_view_is_a_layer(word, size):
    """Colours never exceed alpha, and what is laid over a canvas stays in [0, 1]."""
    layer = _views.layer(RED, size, size, _views.View(hue=180, light=0.4), Dice(word))
    assert layer.shape == (size, size, 4)
    assert layer.min() >= 0
    assert layer[..., 3].max() <= 1 + 1e-6
    assert (layer[..., :3] <= layer[..., 3:] + 1e-6).all()
    canvas = _views.over(_views.background(size, size, Dice(word)), layer)
    assert -1e-6 <= canvas.min() <= canvas.max() <= 1 + 1e-6
    assert layer[..., 3].sum() > 0.1 * size * size * 0.5**2, "the drawing is there"


def test_a_drawing_placed_upright_is_itself():
    drawing = np.random.default_rng(0).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    drawing[..., 3] = 255
    placed = _views.place(drawing, 16, 16, (8.0, 8.0), 16.0)
    np.testing.assert_array_equal(to_bytes(placed[..., :3]), drawing[..., :3])


def test_a_quarter_turn_agrees_with_numpy():
    drawing = np.random.default_rng(0).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    drawing[..., 3] = 255
    placed = _views.place(drawing, 16, 16, (8.0, 8.0), 16.0, np.pi / 2)
    turned = [np.rot90(drawing, k)[..., :3].astype(int) for k in (1, 3)]
    assert min(np.abs(to_bytes(placed[..., :3]).astype(int) - other).max() for other in turned) <= 1
