"""Items: the same test items under an image and a text encoder, sampled alike for all models."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench.bench import Bench
from mmbench.bench.lineup_source import LineupSource
from mmbench.errors import BadDataset, BadSpec
from mmbench.features.store import Store
from mmbench.inputs import items
from mmbench.probes.item_cka import ITEM_CKA
from mmbench.protocol import Cell, Roles

from ..tiny_lineup import split, tiny_lineup

PAIR = Roles("clip", "clip_t")


@pytest.fixture
def source(tmp_path):
    return LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)


def test_images_and_their_own_texts_in_the_order_of_the_roles(source):
    found = items.gather(source, Cell(ITEM_CKA, PAIR, "cifar10"))
    labels = source.dataset("cifar10").split("test").labels
    np.testing.assert_array_equal(found.sides[1], np.eye(3)[labels])  # the colour word of each text
    assert (found.sides[0].argmax(axis=1) == labels).all()  # the colour of each image
    other = items.gather(source, Cell(ITEM_CKA, Roles("clip_t", "clip"), "cifar10"))
    np.testing.assert_array_equal(other.sides[0], found.sides[1])
    assert found.left_out == ""


def test_of_many_items_the_same_are_drawn_for_every_model(source):
    few = ITEM_CKA.at(items=20)
    one, other = (items.gather(source, Cell(few, roles, "cifar10")) for roles in (PAIR, Roles("clip", "clip")))
    assert one.ids == other.ids
    assert len(set(one.ids)) == 20
    place = {name: row for row, name in enumerate(source.dataset("cifar10").split("test").ids)}
    whole = items.gather(source, Cell(ITEM_CKA, PAIR, "cifar10"))
    np.testing.assert_array_equal(one.sides[0], whole.sides[0][[place[name] for name in one.ids]])
    assert one.left_out == "33 of 53 items are not among those drawn"
    test = source.dataset("cifar10").split("test")
    assert one.examples(test) == other.examples(test) != whole.examples(test)


def test_a_bench_measures_the_alignment_of_matching_items(tmp_path):
    """Colours of images and colour words agree but for noise; the setting is in the cell's key."""
    bench = Bench(tiny_lineup(), Store(tmp_path), progress=False)
    scores = bench.scores(Cell(ITEM_CKA, PAIR, "cifar10"))
    assert scores.outcomes.shape == (1, 53)
    assert scores.outcomes.mean() == pytest.approx(1.0, abs=0.02)
    drawn = bench.scores(Cell(ITEM_CKA.at(items=20), PAIR, "cifar10"))
    assert drawn.outcomes.shape == (1, 20)
    assert drawn.provenance["left_out"] == "33 of 53 items are not among those drawn"


def test_hidden_layers_and_too_few_items_are_refused(source):
    with pytest.raises(BadSpec, match="items are compared at the output only, not layer 'stage1'"):
        items.gather(source, Cell(ITEM_CKA.at_layer("stage1"), PAIR, "cifar10"))
    few = dataclasses.replace(items.gather(source, Cell(ITEM_CKA.at(items=4), PAIR, "cifar10")))
    with pytest.raises(BadDataset, match="needs at least 5 items, got 4; bind a larger dataset"):
        few.check()
    rows = split("test", 6, 0).ids
    uneven = items.Items((np.ones((6, 2), np.float32), np.ones((5, 2), np.float32)), rows)
    with pytest.raises(BadDataset, match="expected one row for each of 6 items, got 5"):
        uneven.check()
