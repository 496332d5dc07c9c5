"""Designs made by several processes, each kept as soon as it is done, so that a killed run goes on where it was."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbench.calibration import gate_simulation
from mmbench.calibration.design import DESIGNS
from mmbench.features.keys import digest_of
from mmbench.files import atomic
from mmbench.program import program_digest

ROOMS = frozenset(
    {"calibration", "conditions", "forms", "inputs", "metrics", "probes", "scores", "seeds", "stats", "training"}
    | {"verdict"}
)  # the code that a design's rates rest on
GATE = "gate"
Made = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A design, or the gate, to be simulated so many times."""

    name: str
    runs: int
    seed: int

    @property
    def file(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-") + ".json"

    def key(self) -> str:
        """Everything that decides what is found: name, runs, seed, and the program that simulates it."""
        part = gate_simulation if self.name == GATE else DESIGNS.get(self.name).ask
        while isinstance(part, functools.partial):
            part = part.func
        module = part.__name__ if self.name == GATE else part.__module__
        program = program_digest(module, ROOMS | {"gate"})
        return digest_of({"name": self.name, "runs": self.runs, "seed": self.seed, "program": program})

    def make(self) -> Made:
        """What is found, with the seconds of a core that it took."""
        started = time.process_time()
        if self.name == GATE:
            return gate_simulation.simulate(self.runs, self.seed)
        design = DESIGNS.get(self.name)
        rows = design.ask(self.runs, self.seed)
        about = {"name": design.name, "kind": design.kind, "about": design.about, "low": design.low}
        return about | {
            "runs": self.runs,
            "seed": self.seed,
            "seconds": round(time.process_time() - started, 1),
            "rows": rows,
        }


def made(
    jobs: Iterable[Job], folder: Path, processes: int, *, anew: bool = False, say: Callable[[str], None] = print
) -> dict[str, Made]:
    """What each job found, by name. Those that lie in ``folder`` under the same key are read, unless ``anew``."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Made] = {}
    left: list[tuple[Job, str]] = []
    for job in jobs:
        key, path = job.key(), folder / job.file
        kept = json.loads(path.read_text()) if path.is_file() and not anew else {}
        if kept.get("key") == key:
            found[job.name] = kept["made"]
        else:
            left.append((job, key))
    if found:
        say(f"{len(found)} designs are there already, in {folder}")
    keys = {job.name: key for job, key in left}
    for job, result in _results([job for job, _ in left], processes):
        with atomic(folder / job.file) as temporary:
            temporary.write_text(json.dumps({"key": keys[job.name], "made": result}))
        found[job.name] = result
        say(f"{len(found)} done: {job.name} ({result['seconds']:g} s)")
    return found


def _results(jobs: list[Job], processes: int) -> Iterator[tuple[Job, Made]]:
    if processes == 1 or len(jobs) == 1:
        yield from ((job, job.make()) for job in jobs)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when a worker starts: each has one core
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(job.make): job for job in jobs}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


def by_seconds(jobs: Iterable[Job], seconds: Mapping[str, float]) -> list[Job]:
    """The longest first, by what they took before, so that no process is left with it at the end."""
    return sorted(jobs, key=lambda job: -seconds.get(job.name, float("inf")))
