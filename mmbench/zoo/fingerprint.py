"""The hash that ties weights to their recipe: what the recipe says, what its modules do, and what it was shown.

Hashed are the recipe's fields, the programs (``mmbench.program``) of the modules that decide the training, found by
their imports, and the digests of the wheels that hold the drawings and their names. Formatting, documenting or moving a
module keeps the hash. Any other change gives another one, and then ``verify`` asks for a new training or, where the
change only rewrote the code, for ``restamp``.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from dataclasses import fields

from mmbench.program.digest import digest_of, programs
from mmbench.zoo.frozen.loop import Recipe

ROOMS = frozenset({"attacks", "datasets._drawings", "zoo.frozen", "zoo.recipes"})
COMMON = ("mmbench.datasets._drawings", "mmbench.zoo.frozen.loop")
_UNHASHED = frozenset({"about", "objective", "modules"})


def recipe_hash(recipe: Recipe) -> str:
    """Hex SHA-256 of everything that decides the weights, but for the machine's rounding."""
    from mmbench.datasets.openmoji import SOURCES

    objective = f"{recipe.objective.__module__}.{recipe.objective.__qualname__}"
    hasher = hashlib.sha256(settings_of(recipe).encode())
    hasher.update(f"\0{objective.rpartition('.')[2]}\0{_programs(_starts(recipe))}".encode())
    for asset in SOURCES:
        hasher.update(str(asset.sha256).encode())
    return hasher.hexdigest()


def settings_of(recipe: Recipe) -> str:
    """The values of a recipe that decide its weights, as JSON."""
    return json.dumps(
        {field.name: getattr(recipe, field.name) for field in fields(recipe) if field.name not in _UNHASHED},
        sort_keys=True,
    )


def modules_of(recipe: Recipe) -> tuple[str, ...]:
    """The modules whose behaviour decides a recipe's weights, in a fixed order."""
    return tuple(name for name, _ in programs(_starts(recipe), ROOMS))


def _starts(recipe: Recipe) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*COMMON, recipe.objective.__module__, *recipe.modules)))


@functools.cache
def _programs(modules: tuple[str, ...]) -> str:
    return digest_of(modules, ROOMS, edit=_without_about)


def _without_about(tree: ast.Module) -> None:
    """What a recipe says about itself trains nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Recipe", "dataclasses.replace"):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "about"]
