"""Whether the shipped weights are those of the recipes as they stand: by hash, and by training again."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.errors import CorruptAsset, MissingAsset
from mmbench.zoo.fingerprint import recipe_hash
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.weight_files import FOLDER, curve_of, metadata, shipped

if TYPE_CHECKING:
    from mmbench.zoo.frozen.corpus import Corpus

ROUNDING = 5e-3  # half-precision sums in another order; another seed is off by ten times as much


@dataclass(frozen=True)
class Finding:
    """What was found of one model: ``says`` is empty when weights and recipe agree, else names fault and way out."""

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
    """Empty when the first losses of ``recipe`` come again, up to rounding, as they stand beside weights ``name``.

    Raises MissingAsset where no losses are on record.
    """
    from mmbench.zoo.frozen.loop import Trainer

    path = curve_of(name, folder)
    if not path.exists():
        raise MissingAsset(f"weights {name!r} have no record of their losses at {path}; restore the file")
    on_record = json.loads(path.read_text(encoding="utf-8"))["loss"][:steps]
    trainer = Trainer(RECIPES.get(recipe), corpus)
    losses = [trainer.advance() for _ in on_record]
    if all(math.isclose(now, then, rel_tol=ROUNDING) for now, then in zip(losses, on_record, strict=True)):
        return ""
    return (
        f"weights {name!r}: recipe {recipe!r} now starts with losses {', '.join(f'{loss:.4f}' for loss in losses)} and "
        f"not {', '.join(f'{loss:.4f}' for loss in on_record)}; a library it trains with behaves otherwise than when "
        f"they were made (torch {metadata(name, folder)['torch']}), or the recipe's code does: undo the change, or "
        f"train again with mmbench zoo train {recipe}"
    )


def unknown_recipe(name: str, recipe: str) -> str:
    """Empty when the recipe of weights ``name`` exists."""
    if recipe in RECIPES:
        return ""
    return f"weights {name!r} were trained by recipe {recipe!r}, which does not exist; remove or rename them"


def unfinished(name: str, folder: Path = FOLDER) -> str:
    """Empty when weights ``name`` were trained to the end."""
    record = metadata(name, folder)
    recipe = RECIPES.get(record["recipe"])
    if int(record["steps"]) == recipe.steps:
        return ""
    return (
        f"weights {name!r} have {record['steps']} steps and not {recipe.steps}; "
        f"train on: mmbench zoo train {recipe.name}"
    )


def _fault(name: str, folder: Path) -> str:
    record = metadata(name, folder)
    if fault := unknown_recipe(name, record.get("recipe", "")):
        return fault
    recipe = RECIPES.get(record["recipe"])
    if record["recipe_hash"] != recipe_hash(recipe):
        return (
            f"weights {name!r} were trained by recipe {record['recipe_hash'][:12]}, but recipe {recipe.name!r} is now "
            f"{recipe_hash(recipe)[:12]}; undo the change; or, if it rewrote code and trains the same: "
            f"mmbench zoo restamp {name}; or train again: mmbench zoo train {recipe.name}"
        )
    return unfinished(name, folder)
