"""The recipe's hash: blind to how a program is written down, not to what it does."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

from mmbench import zoo
from mmbench.datasets import openmoji
from mmbench.zoo import fingerprint, frozen


@pytest.mark.parametrize("recipe", zoo.RECIPES, ids=lambda recipe: recipe.name)
def test_every_field_counts_but_the_description(recipe):
    before = fingerprint.recipe_hash(recipe)
    assert fingerprint.recipe_hash(dataclasses.replace(recipe, about="other words")) == before
    changed = {
        "steps": 7,
        "batch": 7,
        "seed": 7,
        "rate": 7.0,
        "decay": 7.0,
        "warmup": 7,
        "autocast": not recipe.autocast,
    }
    changed |= {"name": "seven", "projection": not recipe.projection, "options": {"smoothing": 0.7}}
    known = {field.name for field in dataclasses.fields(recipe)} - {"about", "objective", "modules"}
    assert known == set(changed)
    for field, value in changed.items():
        assert fingerprint.recipe_hash(dataclasses.replace(recipe, **{field: value})) != before, field


def test_another_objective_of_the_same_module_counts():
    recipe = zoo.RECIPES.get("ar_li4")
    other = dataclasses.replace(recipe, objective=zoo.RECIPES.get("ar_l2").objective)
    assert recipe.objective.__module__ == other.objective.__module__
    assert fingerprint.recipe_hash(recipe) != fingerprint.recipe_hash(other)


HASHED = {recipe.name: fingerprint.modules_of(recipe) for recipe in zoo.RECIPES}


@pytest.mark.parametrize("module", sorted({module for modules in HASHED.values() for module in modules}))
def test_a_module_counts_for_the_recipes_that_use_it_and_no_others(module, edit_module):
    before = {recipe.name: fingerprint.recipe_hash(recipe) for recipe in zoo.RECIPES}
    edit_module(module, "EDITED = True")
    changed = {recipe.name for recipe in zoo.RECIPES if fingerprint.recipe_hash(recipe) != before[recipe.name]}
    assert changed == {name for name, modules in HASHED.items() if module in modules}
    edit_module(module, "# a comment")
    assert before == {recipe.name: fingerprint.recipe_hash(recipe) for recipe in zoo.RECIPES}


@pytest.mark.parametrize("recipe", zoo.RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_hashes_its_objective_and_what_all_share(recipe):
    assert {*recipe.modules, recipe.objective.__module__, *fingerprint.COMMON} <= set(HASHED[recipe.name])


USED = {
    "ar_li8": {"attacks.pgd", "zoo.frozen.adversarial", "zoo.frozen.labels"},
    "bert": {"zoo.frozen.language", "zoo.frozen.text", "zoo.frozen.wikipedia", "zoo.frozen.word_prediction"},
    "beit": {"zoo.frozen.vit", "zoo.frozen.block"},
    "icmlm": {"zoo.frozen.caption_decoder", "zoo.frozen.scenes", "zoo.frozen.views", "zoo.recipes.virtex"},
    "clip_seed1": {"zoo.recipes.clip", "zoo.frozen.captions", "zoo.frozen.text"},
}


@pytest.mark.parametrize("name", USED)
def test_what_decides_the_training_is_hashed(name):
    everywhere = {"zoo.frozen.loop", "zoo.frozen.augment", "zoo.frozen.backbone", "zoo.frozen.convolution"}
    found = {module.removeprefix("mmbench.") for module in fingerprint.modules_of(zoo.RECIPES.get(name))}
    assert USED[name] | everywhere | {"zoo.frozen.corpus", "datasets._drawings"} <= found


def test_what_a_recipe_says_about_itself_is_not_hashed(edit_module):
    """In the values, and in the module that adds the recipe; another function's ``about`` is a program's."""
    recipe = zoo.RECIPES.get("rn50")
    found = []
    for text in ('Recipe(about="one")', 'Recipe(about="two")', 'other(about="one")', 'other(about="two")'):
        edit_module("mmbench.zoo.recipes.rn50", text)
        found.append(fingerprint.recipe_hash(recipe))
    assert found[0] == found[1] != found[2] != found[3]


def test_the_drawings_count(monkeypatch):
    recipe = zoo.RECIPES.get("rn50")
    before = fingerprint.recipe_hash(recipe)
    other = dataclasses.replace(openmoji.OPENMOJI, sha256="0" * 64)
    monkeypatch.setattr(openmoji, "SOURCES", (other, *openmoji.SOURCES[1:]))
    assert fingerprint.recipe_hash(recipe) != before


@pytest.mark.parametrize("module", sorted(Path(frozen.__path__[0]).glob("*.py")), ids=lambda path: path.stem)
def test_frozen_modules_import_no_tool_of_the_zoo(module):
    """Else a tool would decide weights without being hashed."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmbench.zoo"):
            assert node.module.startswith("mmbench.zoo.frozen")
