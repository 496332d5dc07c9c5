"""The shipped weights belong to their recipes, and the check that says so can fail."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from mmbench import zoo
from mmbench.errors import CorruptAsset, MissingAsset
from mmbench.zoo import checking, weight_files

MODELS = ("bit_m", "clip", "clip_t", "rn50")


def test_the_weights_are_here_and_small():
    assert set(MODELS) <= set(weight_files.shipped())
    assert sum(card["size"] for card in zoo.cards()) < 70_000_000


def test_weights_and_recipes_have_not_parted():
    assert [finding.name for finding in zoo.verify() if not finding.ok] == []
    assert {finding.name for finding in zoo.verify()} == set(weight_files.shipped())


@pytest.mark.parametrize("change", [{"rate": 0.1}, {"steps": 5}, {"seed": 9}, {"options": {"smoothing": 0.3}}])
def test_a_changed_recipe_is_noticed(change, monkeypatch):
    recipe = dataclasses.replace(zoo.RECIPES.get("bit_m"), **change)
    monkeypatch.setitem(zoo.RECIPES._entries, "bit_m", recipe)
    with pytest.raises(CorruptAsset, match=r"'bit_m' were trained by recipe .* train again: mmbench zoo train bit_m"):
        zoo.verify()
    assert {finding.name for finding in zoo.findings() if not finding.ok} == {"bit_m"}


def test_a_changed_module_is_noticed(edit_module):
    edit_module("mmbench.zoo.frozen.augment", "GREY = 0.2")
    assert {finding.name for finding in zoo.findings() if not finding.ok} == set(weight_files.shipped())


def test_a_commented_module_is_not(edit_module):
    edit_module("mmbench.zoo.frozen.augment", "# a comment")
    assert all(finding.ok for finding in zoo.findings())


def test_weights_of_no_recipe_are_noticed(monkeypatch):
    record = {**weight_files.metadata("rn50"), "recipe": "rn51"}
    monkeypatch.setattr(checking, "metadata", lambda name, folder: record)
    assert all("'rn51', which does not exist" in finding.says for finding in zoo.findings())


def test_models_are_matched():
    """Same steps, same drawings a step, same torch: only the signal differs, and the seed where the name says so."""
    cards = zoo.cards()
    assert len({(card["steps"], card["torch"]) for card in cards}) == 1
    assert {card["images_seen"] for card in cards} <= {1200 * 256, 0}  # language models see none
    assert all(card["seed"] == (int(card["name"][-1]) if "_seed" in card["name"] else 0) for card in cards)


@pytest.mark.parametrize("name", MODELS)
def test_a_loss_curve_lies_beside_the_weights(name):
    losses = json.loads((weight_files.FOLDER / f"{name}.json").read_text())["loss"]
    card = weight_files.card(name)
    assert len(losses) == card.steps
    assert sum(losses[-50:]) / 50 == pytest.approx(card.final_loss, abs=1e-3)
    assert losses[-1] < 0.8 * losses[0]


def test_missing_weights_say_how_to_get_them(tmp_path):
    with pytest.raises(MissingAsset, match=r"no weights of 'simclr' .* mmbench zoo train simclr"):
        weight_files.card("simclr", tmp_path)


def test_damaged_weights_are_refused(tmp_path):
    whole = weight_files.path_of("rn50").read_bytes()
    (tmp_path / "rn50.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptAsset, match="cannot be read"):
        weight_files.image_tower("rn50", tmp_path)


def test_the_first_steps_of_a_training_come_again():
    """The whole of what decides a training, libraries included: two steps of the real recipe on the real drawings."""
    assert checking.retrained("rn50", "rn50", 2) == ""


def test_another_seed_does_not_pass_for_the_recipe(monkeypatch):
    recipe = dataclasses.replace(zoo.RECIPES.get("rn50"), seed=1)
    monkeypatch.setitem(zoo.RECIPES._entries, "rn50", recipe)
    says = checking.retrained("rn50", "rn50", 2)
    assert re.search(r"recipe 'rn50' now starts with losses .* train again with mmbench zoo train rn50", says)


def test_a_missing_record_of_losses_is_an_error(tmp_path):
    with pytest.raises(MissingAsset, match=r"weights 'rn50' have no record of their losses at .*rn50\.json; restore"):
        checking.retrained("rn50", "rn50", 2, tmp_path)


def test_losses_that_do_not_come_again_fail_the_check(monkeypatch):
    monkeypatch.setattr(checking, "retrained", lambda *_: "losses differ")
    with pytest.raises(CorruptAsset, match="losses differ"):
        zoo.verify(steps=1)
