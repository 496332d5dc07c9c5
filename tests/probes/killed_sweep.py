"""A sweep that is killed, then finished: ``python killed_sweep.py ROOT`` prints one JSON object.

Children are forked as in tests/features/children.py, whose helpers it uses.
"""

from __future__ import annotations

import functools
import json
import random
import sys
from pathlib import Path

import children
import numpy as np
from children import at_line, die, fork, join

import mmbench.attacks
from mmbench.bench import trainings
from mmbench.features.store import Store
from mmbench.inputs.pixels import Pixels
from mmbench.probes import attack_sweep as probe
from mmbench.training.entry import Checkpoint

children.CODE = str(Path(mmbench.attacks.__file__).parent)  # the lines that are counted
trainings.Checkpoint = functools.partial(Checkpoint, every=0)  # each block of images is kept
N, SIDE, DIM, CLASSES = 12, 4, 6, 4
probe.SIDE, probe.BLOCKS, probe.MOST_PAIRS = SIDE, 1, 2  # six blocks of two images
probe.EPSILONS = {"linf": (0.01, 0.05, 0.2)}
SETTINGS = [probe.SweepSettings(epsilon=epsilon, steps=4, relative_step=0.5) for epsilon in (0.01, 0.05, 0.2)]


def inputs(root):
    import torch

    rng = np.random.default_rng(0)
    first = torch.from_numpy(rng.standard_normal((3 * SIDE**2, DIM)).astype(np.float32))
    store, looked_at = Store(root), []

    def encode(images):
        looked_at.append(len(images))
        return ((images - 0.5).flatten(1) @ first).tanh()

    found = Pixels(
        images=rng.uniform(0.2, 0.8, (N, 3, SIDE, SIDE)).astype(np.float32),
        labels=np.arange(N) % CLASSES,
        ids=tuple(map(str, range(N))),
        class_names=tuple("abcd"),
        encode=encode,
        weight=rng.standard_normal((2, CLASSES, DIM)).astype(np.float32),
        bias=np.zeros((2, CLASSES), np.float32),
        checkpoint=lambda name: trainings.kept_work(store, probe.attack_sweep, ["images", name], "a sweep"),
    )
    return found, looked_at


def run(root):
    """One run of the probe; says how many images were classified, and what was found."""
    given, looked_at = inputs(root)
    found = probe.attack_sweep(given, SETTINGS, trials=2, seed=0)
    return {"work": sum(looked_at), "found": np.stack(found).tolist()}


def main(root):
    def peaceful():
        count = at_line(-1, die)
        return run(f"{root}/peace") | {"lines": count()}

    _, peace = join(*fork(peaceful))
    dice, rounds = random.Random(2021), []
    for number in range(4):
        store, killed = f"{root}/{number}", 0
        for line in (dice.randrange(peace["lines"] // 4, peace["lines"] // 2) for _ in range(2)):

            def doomed(line=line, store=store):
                at_line(line, die)
                return run(store)

            status, _ = join(*fork(doomed))
            killed += status == 9
        _, last = join(*fork(lambda store=store: run(store)))
        rounds.append({"killed": killed, "work": last["work"], "same": last["found"] == peace["found"]})
    _, again = join(*fork(lambda: run(f"{root}/peace")))
    return {"work": peace["work"], "rounds": rounds, "again": again["work"], "found": peace["found"]}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
