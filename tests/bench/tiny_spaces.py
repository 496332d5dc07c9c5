"""Two image encoders, a text encoder and five classes of pictures: a bench for cells that compare two models.

``python tiny_spaces.py ROOT`` kills such runs and prints one JSON object that says what became of them.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "features"))

from tiny_encoders import IDENTITY, image_encoder, pictures, text_encoder

import mmbench
from mmbench.bench.bench import Bench
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.features.store import Store
from mmbench.lineups import DatasetBinding, Lineup, ModelBinding
from mmbench.models.entry import Encoder, Identity, ModelEntry
from mmbench.probes.rdm import RSA
from mmbench.protocol import Cell, Roles

CLASSES = ("red", "green", "blue", "white", "black")
IMAGES = 30
CELLS = [
    Cell(RSA, Roles("rn50", "clip"), "imagenet"),
    Cell(RSA, Roles("rn50", "bert"), "imagenet"),
    Cell(RSA.code, Roles("rn50", "clip"), "imagenet"),
]


def coloured(names: tuple[str, ...] = CLASSES, items: int = IMAGES) -> DatasetEntry:
    """Random pictures with labels in turn; a test split only."""

    def load() -> Dataset:
        made = pictures(range(items))
        labels = np.arange(items, dtype=np.int64) % len(names)
        return Dataset("coloured", names, {"test": Split(made.ids, labels, made.images)})

    return DatasetEntry("coloured", load, lambda: f"coloured-{names}-{items}", len(names))


def tiny(names: tuple[str, ...] = CLASSES) -> tuple[Lineup, list[int]]:
    """The lineup, and a list that grows by the size of every batch of images."""
    batches: list[int] = []

    def image(name: str, dim: int) -> ModelEntry:
        def load() -> Encoder:
            encoder = image_encoder(dim=dim)
            inner = encoder.forward

            def forward(batch: Any) -> Any:
                batches.append(len(batch))
                return inner(batch)

            encoder.forward = forward
            return encoder

        identity = Identity(name, "tiny", "pool", IDENTITY.preprocess, versions=IDENTITY.versions)
        return ModelEntry(name, "image", dim, load, lambda: identity)

    text = ModelEntry("letters", "text", 8, text_encoder, lambda: Identity("letters", "mean", "last"))
    models = {"rn50": image("narrow", 16), "clip": image("wide", 24), "bert": text}
    bound = {role: _bound(ModelBinding, role, entry) for role, entry in models.items()}
    datasets = {"imagenet": _bound(DatasetBinding, "imagenet", coloured(names))}
    return Lineup("tiny", models=bound, datasets=datasets), batches


def _bound(kind: Any, role: str, entry: Any) -> Any:
    binding = kind(role, role)
    binding.__dict__["entry"] = entry
    return binding


def run(root: str) -> dict[str, Any]:
    """All cells on one store: their outcomes, and the images that were encoded for them."""
    lineup, batches = tiny()
    bench = Bench(lineup, Store(root, shard_items=8), progress=False)
    found = [bench.scores(cell) for cell in CELLS]
    return {
        "outcomes": [scores.outcomes.tobytes().hex() for scores in found],
        "examples": [scores.examples for scores in found],
        "images": sum(batches),
        "twice": len(bench.store.encoded_twice()),
    }


def kill(root: str, rounds: int = 12) -> dict[str, Any]:
    """Kill runs from early to late in their lines of mmbench, in every second round one more; then let one finish.

    With a run left in peace to compare with. Images are encoded in the first half of the lines, so more runs die there.
    """
    from children import at_line, die, fork, join

    code, dice = str(Path(mmbench.__file__).parent), random.Random(2021)

    def peaceful() -> dict[str, Any]:
        count = at_line(-1, die, code)
        return run(f"{root}/peace") | {"lines": count()}

    _, peace = join(*fork(peaceful))
    assert peace is not None
    found = []
    for number in range(rounds):
        store, killed = f"{root}/{number}", 0
        for line in (int(peace["lines"] * ((number + dice.random()) / rounds) ** 1.5), peace["lines"] // 20)[
            : 1 + number % 2
        ]:

            def doomed(line: int = line, store: str = store) -> dict[str, Any]:
                at_line(line, die, code)
                return run(store)

            status, _ = join(*fork(doomed))
            killed += os.WIFSIGNALED(status)
        _, last = join(*fork(lambda store=store: run(store)))
        assert last is not None
        same = all(last[name] == peace[name] for name in ("outcomes", "examples"))
        found.append({"killed": killed, "same": same, "images": last["images"], "twice": last["twice"]})
    return {"peace": peace, "rounds": found}


if __name__ == "__main__":
    import torch

    import mmbench.features.extract
    import mmbench.metrics
    import mmbench.probes.entry

    torch.set_num_threads(1)
    run(f"{sys.argv[1]}/first")  # every module is loaded before lines are counted
    print(json.dumps(kill(sys.argv[1])))
