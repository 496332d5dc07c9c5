"""``python peak_memory.py CLASSES IMAGES WIDTH``: what ``rdm`` and ``rdm_pearson`` need beyond inputs, in MB.

In a process of its own, since a peak of resident memory never falls. Prints one JSON object.
"""

import json
import resource
import sys
import threading
from pathlib import Path

import numpy as np
import torch

from mmbench.inputs.pair import Pair, Side
from mmbench.metrics import METRICS
from mmbench.probes.rdm import RSA, rdm


def resident() -> float:
    """MB of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def made(classes: int, images: int, width: int, seed: int) -> Side:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), images)
    x = np.empty((len(labels), width), np.float32)
    for k in range(classes):  # class by class, so that making it needs no more than the result
        x[k * images : (k + 1) * images] = rng.standard_normal((images, width), np.float32) + rng.standard_normal(width)
    return Side("rn50", x, labels)


def main(classes: int, images: int, width: int) -> None:
    torch.set_num_threads(1)
    settings = [RSA.settings, RSA.settings.as_code()]
    names = tuple(map(str, range(classes)))
    small = Pair((made(8, 2, 16, 0), made(8, 2, 16, 1)), names[:8])
    outcome = METRICS.get("rdm_pearson").outcome
    outcome(rdm(small, settings, trials=1, seed=0)[0], small.truth)  # libraries are loaded, and so not counted
    pair = Pair((made(classes, images, width, 0), made(classes, images, width, 1)), names)
    before, most, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    found = [outcome(both, pair.truth) for both in rdm(pair, settings, trials=1, seed=0)]
    done.set()
    watcher.join()
    inputs = sum(side.x.nbytes for side in pair.sides) / 1e6
    print(json.dumps({"before": before, "beyond": most[0] - before, "inputs": inputs, "shape": found[0].shape}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
