"""Trained models see more in unseen drawings than the network they started from; thresholds are generous.

The figures are those of the cards, which ``test_model_cards`` holds to be of the shipped weights; two models are
measured again here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmbench.zoo import sanity

TRAINED = ("bit_m", "rn50", "clip")


CARDS = json.loads((Path(__file__).parents[2] / "reports" / "zoo.json").read_text(encoding="utf-8"))["models"]


@pytest.fixture(scope="module")
def figures():
    """Shares by model, as ``sanity.figures`` gives them."""
    return {name: {key: value / 100 for key, value in model["figures"].items()} for name, model in CARDS.items()}


@pytest.mark.slow
def test_the_cards_figures_come_again(figures):
    for name, again in sanity.figures(["clip", "random"]).items():
        assert {key: figures[name][key] for key in again} == pytest.approx(again, abs=0.01)


@pytest.mark.parametrize("name", sanity.image_models())
def test_one_view_finds_the_other(name, figures):
    assert figures[name]["one_shot"] > 3 * figures["random"]["one_shot"]


@pytest.mark.parametrize("name", TRAINED)
def test_categories_are_seen(name, figures):
    assert figures[name]["categories"] > figures["random"]["categories"] + 0.05


def test_fine_labels_tell_more_drawings_apart_than_coarse_ones(figures):
    assert figures["bit_m"]["one_shot"] > figures["rn50"]["one_shot"]


def test_clip_names_unseen_drawings(figures):
    assert figures["clip"]["named_in_10"] > 3 * figures["clip"]["named_in_10_chance"]


def test_one_shot_by_hand():
    first = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert sanity.one_shot(first, np.array([[2.0, 1.0], [1.0, 2.0]])) == 1.0
    assert sanity.one_shot(first, np.array([[1.0, 2.0], [1.0, 2.0]])) == 0.5


def test_shuffled_names_are_found_by_chance_only():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((500, 64))
    assert sanity.named(rows, rows) == 1.0
    assert sanity.named(rows, rng.permutation(rows)) < 0.06


def test_the_category_probe_is_at_chance_on_noise():
    rng = np.random.default_rng(0)
    kinds = tuple(f"kind {kind}" for kind in rng.integers(0, 4, 400))
    noise = rng.standard_normal((400, 16))
    signal = noise + 5 * np.array([int(kind[-1]) == np.arange(16) for kind in kinds])
    groups = tuple(map(str, range(400)))
    assert sanity.category_probe(noise, kinds, groups) < 0.4
    assert sanity.category_probe(signal, kinds, groups) > 0.95
