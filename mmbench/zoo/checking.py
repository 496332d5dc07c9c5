"""Whether the shipped weights are those of the recipes as they now stand. Not hashed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmbench.errors import CorruptAsset
from mmbench.zoo.fingerprint import recipe_hash
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.weight_files import FOLDER, metadata, shipped


@dataclass(frozen=True)
class Finding:
    """One model's verdict: ``says`` is empty when weights and recipe agree, else what is wrong and the way out."""

    name: str
    says: str = ""

    @property
    def ok(self) -> bool:
        return not self.says


def findings(folder: Path = FOLDER) -> list[Finding]:
    """A finding for each weights file in ``folder``; nothing is loaded and nothing is trained."""
    return [Finding(name, _fault(name, folder)) for name in shipped(folder)]


def verify(folder: Path = FOLDER) -> list[Finding]:
    """The findings when all weights belong to their recipes; raises CorruptAsset, naming each that does not."""
    found = findings(folder)
    faults = [finding.says for finding in found if not finding.ok]
    if faults:
        raise CorruptAsset("; ".join(faults))
    return found


def _fault(name: str, folder: Path) -> str:
    told = metadata(name, folder)
    recipe_name = told.get("recipe", "")
    if recipe_name not in RECIPES:
        return f"weights {name!r} were trained by recipe {recipe_name!r}, which does not exist; remove or rename them"
    recipe = RECIPES.get(recipe_name)
    if told["recipe_hash"] != recipe_hash(recipe):
        return (
            f"weights {name!r} were trained by recipe {told['recipe_hash'][:12]}, but recipe {recipe_name!r} is now "
            f"{recipe_hash(recipe)[:12]}; undo the change or train again: mmbench zoo train {recipe_name}"
        )
    if int(told["steps"]) != recipe.steps:
        return (
            f"weights {name!r} have {told['steps']} steps and not {recipe.steps}; "
            f"train on: mmbench zoo train {recipe_name}"
        )
    return ""
