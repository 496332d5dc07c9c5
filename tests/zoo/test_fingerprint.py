"""The recipe's hash: blind to how a program is written down, not to what it does."""

from __future__ import annotations

import dataclasses

import pytest

from mmbench import zoo
from mmbench.datasets import openmoji
from mmbench.zoo import fingerprint

SOURCE = '''
"""A module."""
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from torch import Tensor
RATE: float = 0.5
def scale(x: Tensor, by: float = 2.0) -> Tensor:
    """Scale."""
    # a comment
    total: float = x * by
    return total
RECIPE = Recipe(about="stand-in", rate=RATE)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another docstring."""'),
        ('    """Scale."""\n', ""),
        ("    # a comment\n", ""),
        ("x: Tensor, by: float = 2.0) -> Tensor", "x,\n          by = 2.0,\n)"),
        ("total: float = x * by", "total = (x * by)"),
        ("RATE: float = 0.5", "RATE = 0.50"),
        ("    from torch import Tensor", "    from numpy import ndarray as Tensor"),
        ('about="stand-in"', "about='called a stand-in'"),
    ],
)
def test_the_same_program_has_the_same_text(old, new):
    assert old in SOURCE
    assert fingerprint.canonical(SOURCE.replace(old, new)) == fingerprint.canonical(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5", "0.6"),
        ("by: float = 2.0", "by: float = 3.0"),
        ("x * by", "x / by"),
        ("return total", "return -total"),
        ("rate=RATE", "rate=2 * RATE"),
        ("RATE: float", "PACE: float"),
        ("def scale", "def shrink"),
    ],
)
def test_another_program_has_another_text(old, new):
    assert old in SOURCE
    assert fingerprint.canonical(SOURCE.replace(old, new)) != fingerprint.canonical(SOURCE)


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
    told = {field.name for field in dataclasses.fields(recipe)} - {"about", "objective", "modules"}
    assert told == set(changed)
    for field, value in changed.items():
        assert fingerprint.recipe_hash(dataclasses.replace(recipe, **{field: value})) != before, field


@pytest.mark.parametrize("recipe", zoo.RECIPES, ids=lambda recipe: recipe.name)
def test_every_module_of_a_recipe_counts(recipe, monkeypatch):
    before, read = fingerprint.recipe_hash(recipe), fingerprint.source_of
    names = fingerprint.modules_of(recipe)
    assert {*recipe.modules, recipe.objective.__module__, *fingerprint.COMMON} <= set(names)
    for edited in names:
        text = {name: read(name) + ("\nEDITED = True\n" if name == edited else "") for name in names}
        monkeypatch.setattr(fingerprint, "source_of", text.__getitem__)
        assert fingerprint.recipe_hash(recipe) != before, edited


def test_the_drawings_count(monkeypatch):
    recipe = zoo.RECIPES.get("rn50")
    before = fingerprint.recipe_hash(recipe)
    other = dataclasses.replace(openmoji.OPENMOJI, sha256="0" * 64)
    monkeypatch.setattr(openmoji, "SOURCES", (other, *openmoji.SOURCES[1:]))
    assert fingerprint.recipe_hash(recipe) != before


def test_all_that_training_imports_from_the_zoo_is_hashed():
    """A module of the zoo that a hashed module imports is hashed too, so that no behaviour hides next door."""
    import ast

    for recipe in zoo.RECIPES:
        hashed = set(fingerprint.modules_of(recipe))
        for name in hashed:
            for node in ast.walk(ast.parse(fingerprint.source_of(name))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmbench.zoo"):
                    imported = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
                    known = hashed | {"mmbench.zoo.recipes"}  # the registry itself
                    assert imported & known, f"{name} imports {node.module}, which recipe {recipe.name} does not hash"
