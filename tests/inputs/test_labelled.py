"""Labelled inputs: text before image, splits as the dataset has them, and layers."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench.lineup_source import LineupSource
from mmbench.errors import BadSpec, UnknownName, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs import labelled
from mmbench.inputs.entry import FAMILIES
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell, Roles
from mmbench.source import require

from ..tiny_lineup import tiny_lineup


@pytest.fixture
def source(tmp_path):
    return LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)


def test_several_models_are_joined_text_first_whatever_their_order(source):
    found = [labelled.gather(source, Cell(FEW_SHOT, roles, "cifar10")) for roles in
             (Roles("clip", "clip_t"), Roles("clip_t", "clip"))]  # fmt: skip
    assert found[0].test_x.shape == (53, 6)
    np.testing.assert_array_equal(found[0].test_x, found[1].test_x)
    np.testing.assert_array_equal(found[0].test_x[:, :3], np.eye(3)[found[0].test_y])  # the colour words


def test_the_order_of_the_roles_and_the_layer_are_in_the_key(source):
    one, other = (labelled.parts(source, Cell(FEW_SHOT, roles, "cifar10")) for roles in
                  (Roles("clip", "clip_t"), Roles("clip_t", "clip")))  # fmt: skip
    assert one != other
    plain = labelled.parts(source, Cell(FEW_SHOT, "clip", "cifar10"))
    assert labelled.parts(source, Cell(FEW_SHOT.at_layer("stage1"), "clip", "cifar10")) != plain


def test_an_unknown_layer_lists_the_layers(source):
    with pytest.raises(UnknownName, match=r"no layer of .* named 'stage9'.*output"):
        labelled.gather(source, Cell(FEW_SHOT.at_layer("stage9"), "clip", "cifar10"))


def test_a_dataset_without_a_test_split_is_refused(source):
    entry = source.lineup.dataset("cifar10").entry
    loaded = entry.load()
    short = dataclasses.replace(loaded, splits={"train": loaded.splits["train"]})
    source.lineup.datasets["cifar10"].__dict__["entry"] = dataclasses.replace(entry, load=lambda: short)
    with pytest.raises(Unmeasured, match="cifar10 has no test split; it has train"):
        labelled.gather(source, Cell(FEW_SHOT, "clip", "cifar10"))


@pytest.mark.parametrize(
    ("takes", "roles", "wanted"),
    [
        ("one", Roles("clip", "clip_t"), "takes one model; got 2: clip, clip_t"),
        ("pair", Roles("clip"), "takes an ordered pair of models; got 1: clip"),
        ("pair", Roles("a", "b", "c"), "takes an ordered pair of models; got 3: a, b, c"),
        ("joined", Roles(), "takes one model, or several joined; got 0: "),
    ],
)
def test_another_number_of_models_is_refused(takes, roles, wanted):
    with pytest.raises(BadSpec, match=wanted):
        require(Cell(FEW_SHOT, roles, "cifar10"), takes)


def test_every_family_says_what_it_is_about():
    assert {"labelled", "prompts", "mapped"} <= set(FAMILIES.names())
    assert all(family.about for family in FAMILIES)
