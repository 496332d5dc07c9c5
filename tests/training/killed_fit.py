"""Fits of a linear head that are killed, then finished: ``python killed_fit.py ROOT`` prints one JSON object.

Children are forked as in tests/features/children.py, whose helpers it uses.
"""

from __future__ import annotations

import functools
import json
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import children
import numpy as np
from children import at_line, die, fork, join

import mmbench.training
from mmbench.bench import trainings
from mmbench.datasets.entry import Dataset, Split
from mmbench.features.store import Store
from mmbench.protocol import Roles
from mmbench.training.entry import Checkpoint
from mmbench.training.heads import Heads, LinearSettings

children.CODE = str(Path(mmbench.training.__file__).parent)  # the lines that are counted
trainings.Checkpoint = functools.partial(Checkpoint, every=0)  # each epoch is kept
EPOCHS = LinearSettings().epochs
RNG = np.random.default_rng(0)
LABELS = np.arange(40) % 3
FEATURES = (RNG.standard_normal((3, 5))[LABELS] + RNG.standard_normal((40, 5))).astype(np.float32)


class Source:
    """One model and one dataset."""

    def model(self, role):
        return SimpleNamespace(name=role, modality="image")

    def feature_key(self, model):
        return "features of a model"

    def dataset_entry(self, role):
        return SimpleNamespace(task="single", identity=lambda: "content of a dataset", load=lambda: None)

    def dataset(self, role):
        ids = tuple(map(str, range(len(LABELS))))
        return Dataset("made", ("a", "b", "c"), {"train": Split(ids, LABELS)})

    def features(self, model, split, where):
        return FEATURES

    def training_settings(self, name):
        return {}

    def shards_by_role(self, models):
        return [[] for _ in models]

    def add_shards(self, models, shards):
        pass


def run(root):
    """One fit; says in how many epochs, and the bytes of its weights."""
    epochs, batches = [], Heads.batches
    Heads.batches = lambda *given, **how: epochs.append(1) or batches(*given, **how)
    weights = trainings.trained(Source(), Store(root), [], "linear_head", Roles("m"), "made", 7)
    return {"epochs": len(epochs), "weights": {name: values.tobytes().hex() for name, values in weights.items()}}


def main(root):
    def peaceful():
        count = at_line(-1, die)
        return run(f"{root}/peace") | {"lines": count()}

    _, peace = join(*fork(peaceful))
    dice, rounds = random.Random(2022), []
    for number in range(4):
        store, killed, before = f"{root}/{number}", 0, []
        for line in (dice.randrange(peace["lines"] // 4, peace["lines"] // 2) for _ in range(2)):

            def doomed(line=line, store=store):
                at_line(line, die)
                return run(store)

            status, _ = join(*fork(doomed))
            killed += status == 9
            before.append(len(list(Path(store).rglob("7.partial.safetensors"))))
        _, last = join(*fork(lambda store=store: run(store)))
        left = [path.name for path in Path(store).rglob("7.partial.safetensors")]
        same = last["weights"] == peace["weights"]
        rounds.append({"killed": killed, "kept": before, "epochs": last["epochs"], "same": same, "left": left})
    return {"all": EPOCHS, "peace": peace["epochs"], "rounds": rounds}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
