"""Running a recipe: progress, checkpoints that survive kill -9, and the weights file at the end."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, CorruptAsset
from mmbench.files import atomic
from mmbench.progress import progress_bar
from mmbench.zoo import sanity, weight_files
from mmbench.zoo.fingerprint import recipe_hash
from mmbench.zoo.frozen.loop import Recipe, Trainer
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.weight_files import save

if TYPE_CHECKING:
    from mmbench.zoo.frozen.corpus import Corpus

EVERY = 100


def train(
    recipe: Recipe | str,
    out: str | Path,
    *,
    resume: bool = True,
    every: int = EVERY,
    stages: Collection[int] = (),
    threads: int | None = None,
    progress: bool = True,
    corpus: Corpus | None = None,
) -> list[Path]:
    """Train a recipe into ``out`` and return the weights files, one for each model it ships.

    A checkpoint is written every ``every`` steps; with ``resume`` a killed run goes on from the last one and ends in
    the same weights. After each step in ``stages`` the weights so far are kept under ``out/stepNNNN``: unfinished, for
    trying a gate on them. Raises UnknownName for a recipe that does not exist, BadSpec for a checkpoint that another
    recipe made, and CorruptAsset for a damaged one.
    """
    import torch

    if isinstance(recipe, str):
        recipe = RECIPES.get(recipe)
    if threads is not None:
        torch.set_num_threads(threads)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{recipe.name}.checkpoint.pt"
    trainer, spent = Trainer(recipe, corpus), 0.0
    made_by = recipe_hash(recipe)
    if resume and checkpoint.exists():
        saved = _read(checkpoint, recipe.name, made_by)
        trainer.restore(saved["state"])
        spent = saved["seconds"]
    started = time.monotonic()
    with _reporting(recipe, trainer.step, progress) as report:
        while trainer.step < recipe.steps:
            report(trainer.step + 1, trainer.advance())
            if trainer.step in stages:
                stage = folder / f"step{trainer.step:04d}"
                stage.mkdir(exist_ok=True)
                save(trainer, stage, seconds=spent + time.monotonic() - started)
            if trainer.step % every == 0 or trainer.step == recipe.steps:
                seconds = spent + time.monotonic() - started
                write(checkpoint, {"state": trainer.state(), "seconds": seconds, "recipe": made_by})
    spent += time.monotonic() - started
    written = save(trainer, folder, seconds=spent)
    if corpus is None:  # an ordinary training, whose models can be shown the drawings that they have not seen
        save(trainer, folder, seconds=spent, about=_lost(trainer, written[0]))
    return written


def _read(path: Path, name: str, made_by: str) -> dict[str, Any]:
    """A checkpoint of this recipe as it is now: of another one it would ship old weights under the new hash."""
    import torch

    way_out = "train anew with --fresh, or into another folder with --out"
    try:
        saved = torch.load(path, weights_only=True)
    except Exception as error:  # what a damaged file makes of the reader
        raise CorruptAsset(f"checkpoint {path} cannot be read ({type(error).__name__}: {error}); {way_out}") from error
    if not isinstance(saved, dict) or saved.get("recipe") != made_by:
        raise BadSpec(f"checkpoint {path} was not made by the recipe {name!r} as it is now; {way_out}")
    return saved


def _lost(trainer: Trainer, path: Path) -> dict[str, str]:
    """What packing took from the first model that a recipe ships, in points of one-shot accuracy; not of texts."""
    if weight_files.card(path.stem, path.parent).modality == "text":
        return {}
    part = weight_files.metadata(path.stem, path.parent).get("part", "tower")
    trainer.network.eval()
    lost = sanity.lost_by_packing(trainer.network[part], weight_files.image_tower(path.stem, path.parent))
    return {"packing": f"{lost:.2f}"}


def write(path: Path, content: dict[str, Any]) -> None:
    """A checkpoint, whole or not at all: temporary file, fsync, rename."""
    import torch

    with atomic(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)


@contextlib.contextmanager
def _reporting(recipe: Recipe, first: int, show: bool) -> Iterator[Callable[[int, float], None]]:
    """A progress bar with the loss; where standard error is no terminal, a line every 50 steps."""
    started = time.monotonic()
    with progress_bar(recipe.name, recipe.steps, wanted=show, done=first, stays=True) as bar:

        def report(step: int, loss: float) -> None:
            bar.update(step, what=f"{recipe.name}  loss {loss:.3f}")
            if show and not bar.shown and (step % 50 == 0 or step == first + 10):
                pace = (time.monotonic() - started) / (step - first)
                line = f"{recipe.name} step {step}/{recipe.steps} loss {loss:.4f} {pace:.2f} s/step"
                print(line, file=sys.stderr, flush=True)

        yield report
