"""Whether the shipped weights are those of the recipes as they stand: by hash, and by training again. Not hashed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.errors import CorruptAsset
from mmbench.zoo.fingerprint import recipe_hash
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.weight_files import FOLDER, metadata, shipped

if TYPE_CHECKING:
    from mmbench.zoo.corpus import Corpus

ROUNDING = 5e-3  # half-precision sums in another order; another seed is off by ten times as much


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


def verify(folder: Path = FOLDER, *, steps: int = 0, corpus: Corpus | None = None) -> list[Finding]:
    """The findings when all weights belong to their recipes; raises CorruptAsset, naming each that does not.

    With ``steps`` each recipe is trained so many steps from its start, and its losses must be those on record.
    """
    found = findings(folder)
    if steps and all(finding.ok for finding in found):
        by_recipe = {metadata(finding.name, folder)["recipe"]: finding.name for finding in found}
        again = {recipe: retrained(recipe, name, steps, folder, corpus) for recipe, name in by_recipe.items()}
        found = [Finding(each.name, again[metadata(each.name, folder)["recipe"]]) for each in found]
    faults = [finding.says for finding in found if not finding.ok]
    if faults:
        raise CorruptAsset("; ".join(faults))
    return found


def retrained(recipe: str, name: str, steps: int, folder: Path = FOLDER, corpus: Corpus | None = None) -> str:
    """Empty when the first losses of ``recipe`` come again, up to rounding, as they stand beside weights ``name``."""
    from mmbench.zoo.loop import Trainer

    on_record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["loss"][:steps]
    trainer = Trainer(RECIPES.get(recipe), corpus)
    losses = [trainer.advance() for _ in range(steps)]
    if all(math.isclose(now, then, rel_tol=ROUNDING) for now, then in zip(losses, on_record, strict=True)):
        return ""
    return (
        f"weights {name!r}: recipe {recipe!r} now starts with losses {', '.join(f'{loss:.4f}' for loss in losses)} and "
        f"not {', '.join(f'{loss:.4f}' for loss in on_record)}; a library it trains with behaves otherwise than when "
        f"they were made (torch {metadata(name, folder)['torch']}): train again with mmbench zoo train {recipe}"
    )


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
