"""New recipe hashes for weights whose recipe's code was rewritten and still trains them.

That is believed when the recipe's settings are those on record and its first losses come again. Only the metadata of
the weights files changes.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.errors import BadSpec, CorruptAsset
from mmbench.zoo.checking import retrained, unfinished, unknown_recipe
from mmbench.zoo.fingerprint import recipe_hash, settings_of
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.weight_files import FOLDER, change_metadata, metadata, shipped

if TYPE_CHECKING:
    from mmbench.zoo.frozen.corpus import Corpus
    from mmbench.zoo.frozen.loop import Recipe


def restamp(
    names: Collection[str] = (), folder: Path = FOLDER, *, steps: int = 5, corpus: Corpus | None = None
) -> list[str]:
    """Write the hashes of the recipes as they stand into the weights ``names`` (all in ``folder``); the changed ones.

    Each recipe whose hash is another one is trained ``steps`` steps from its start. Raises CorruptAsset, naming each
    fault, when losses do not come again, settings differ or weights are unfinished, and then changes no file;
    BadSpec for fewer steps than one; MissingAsset for a name without weights.
    """
    if steps < 1:
        raise BadSpec(f"weights are compared with their recipe by at least 1 step of training, got {steps}")
    names = list(names) or shipped(folder)
    stale = [name for name in names if _fault_or_stale(name, folder)]
    faults = [fault for name in stale if (fault := _fault(name, folder))]
    first = {metadata(name, folder)["recipe"]: name for name in reversed(stale)}
    if not faults:
        faults = [fault for recipe, name in first.items() if (fault := retrained(recipe, name, steps, folder, corpus))]
    if faults:
        raise CorruptAsset("; ".join(faults))
    for name in stale:
        change_metadata(name, _stamp(RECIPES.get(metadata(name, folder)["recipe"])), folder)
    return stale


def _stamp(recipe: Recipe) -> dict[str, str]:
    return {"recipe_hash": recipe_hash(recipe), "settings": settings_of(recipe)}


def _fault_or_stale(name: str, folder: Path) -> bool:
    record = metadata(name, folder)
    recipe = record.get("recipe", "")
    return recipe not in RECIPES or not _stamp(RECIPES.get(recipe)).items() <= record.items()


def _fault(name: str, folder: Path) -> str:
    """Why new losses need not be looked at: empty when nothing but the code can have changed."""
    record = metadata(name, folder)
    fault = unknown_recipe(name, record.get("recipe", "")) or unfinished(name, folder)
    if fault or "settings" not in record:
        return fault
    recipe = RECIPES.get(record["recipe"])
    then, now = json.loads(record["settings"]), json.loads(settings_of(recipe))
    changed = [key for key in sorted({*then, *now}) if then.get(key) != now.get(key)]
    if not changed:
        return ""
    differ = ", ".join(f"{key} {then.get(key)} (now {now.get(key)})" for key in changed)
    return (
        f"weights {name!r} were trained with {differ}; restore the settings of recipe {recipe.name!r}, or train again: "
        f"mmbench zoo train {recipe.name}"
    )
