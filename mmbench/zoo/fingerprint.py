"""The hash that ties weights to their recipe: what the recipe says, what its modules do, and what it was shown.

Hashed are the recipe's fields, the syntax trees of the modules that decide the training (without docstrings,
comments, annotations and the ``about`` of a recipe), and the digests of the wheels that hold the drawings and their
names. Formatting or documenting a module keeps the hash; changing what it does changes it, and then ``verify`` asks
for a new training.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from dataclasses import fields
from pathlib import Path
from typing import Any

from mmbench.zoo.loop import Recipe

COMMON = (
    "mmbench.datasets._drawings",
    "mmbench.zoo.backbone",
    "mmbench.zoo.convolution",
    "mmbench.zoo.augment",
    "mmbench.zoo.corpus",
    "mmbench.zoo.loop",
)
_UNHASHED_FIELDS = frozenset({"about", "objective", "modules"})
_UNHASHED_PARTS = frozenset({"annotation", "returns", "type_comment", "type_params", "type_ignores", "kind", "ctx"})


def recipe_hash(recipe: Recipe) -> str:
    """Hex SHA-256 of everything that decides the weights, but for the machine's rounding."""
    from mmbench.datasets.openmoji import SOURCES

    hasher = hashlib.sha256()
    for part in (_values(recipe), *(canonical(source_of(name)) for name in modules_of(recipe))):
        hasher.update(hashlib.sha256(part.encode()).digest())
    for asset in SOURCES:
        hasher.update(str(asset.sha256).encode())
    return hasher.hexdigest()


def modules_of(recipe: Recipe) -> tuple[str, ...]:
    """The modules whose behaviour decides a recipe's weights, in a fixed order."""
    return tuple(dict.fromkeys((*COMMON, *recipe.modules, recipe.objective.__module__)))


def source_of(module: str) -> str:
    """The source text of a module, found without running it again."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def canonical(source: str) -> str:
    """A module's syntax tree as text that the same program gives under any formatting and Python version."""
    return _text(ast.parse(source))


def _values(recipe: Recipe) -> str:
    told = {field.name: getattr(recipe, field.name) for field in fields(recipe) if field.name not in _UNHASHED_FIELDS}
    told["options"] = sorted(recipe.options.items())
    return repr(sorted(told.items()))


def _text(node: Any) -> str:
    """A node without what does not run; empty fields are left out, since Python versions differ in them."""
    if isinstance(node, list):
        return "[" + ",".join(_text(item) for item in node if not _about(item)) + "]"
    if isinstance(node, ast.AnnAssign):
        node = ast.Assign(targets=[node.target], value=node.value) if node.value else ast.Expr(value=node.target)
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = []
    for name, value in ast.iter_fields(node):
        if name in _UNHASHED_PARTS or value is None or value == []:
            continue
        if name == "body" and isinstance(value, list):
            value = [statement for statement in value if not _silent(statement)]
        parts.append(f"{name}={_text(value)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _silent(statement: ast.stmt) -> bool:
    """Docstrings and other bare strings, and imports that only annotations use."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return isinstance(statement.value.value, str)
    if isinstance(statement, ast.If):
        return isinstance(statement.test, ast.Name) and statement.test.id == "TYPE_CHECKING"
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _about(node: Any) -> bool:
    return isinstance(node, ast.keyword) and node.arg == "about"
