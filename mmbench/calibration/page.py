"""The calibration page: ``python -m mmbench.calibration`` simulates, writes the record, renders page and figures."""

from __future__ import annotations

import argparse
import json
import platform
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.calibration import gate_page, gate_simulation, rendering
from mmbench.calibration.design import DESIGNS, KINDS, Design
from mmbench.calibration.running import GATE, Job, by_seconds, made
from mmbench.errors import UnknownName
from mmbench.features.store import default_root
from mmbench.files import atomic

SCHEMA = 2
GATE_RUNS = 500
EPILOG = """\
With at most 400 runs a design it needs about 23 minutes of a core, so 12 with two processes that have one each; with
every design's own number of runs two to three times as long. What is done is kept, and a run that was killed goes on
where it was:
  python -m mmbench.calibration --runs 400
A part, into a folder of its own, and the page again without a simulation:
  python -m mmbench.calibration --only printed --folder /tmp/look
  python -m mmbench.calibration --render-only
"""
Record = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write ``calibration.json``, ``.md`` and ``.svg``, and the gate's figure, into ``--folder``."""
    options = _parser().parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    stored = options.folder / "calibration.json"
    if options.gate_only:
        gate = gate_simulation.simulate(options.runs or GATE_RUNS, options.seed, options.sizes)
        _write(stored, json.loads(stored.read_text()) | {"gate": gate})
    elif not options.render_only:
        _write(stored, simulate(options, json.loads(stored.read_text()) if stored.is_file() else {}))
    record = json.loads(stored.read_text())
    (options.folder / "calibration.md").write_text(rendering.render(record))
    rendering.draw(record, options.folder / "calibration.svg")
    if "gate" in record:
        gate_page.draw(record["gate"], options.folder / gate_page.FIGURE)
    return 0


def simulate(options: argparse.Namespace, before: Record) -> Record:
    """The record of all designs and the gate; with ``--only``, ``before`` with some designs made anew.

    Raises UnknownName when one of ``--only`` begins no kind and no name.
    """
    import scipy

    if before.get("schema") != SCHEMA:
        before = {"gate": before.get("gate")}
    kept = {each["name"]: each for each in before.get("designs", ())}
    chosen = [design for design in DESIGNS if _asked(design, options.only)]
    jobs = [Job(design.name, min(options.runs or design.runs, design.runs), options.seed) for design in chosen]
    if not options.only and not options.without_gate:
        jobs.append(Job(GATE, min(options.runs or GATE_RUNS, GATE_RUNS), options.seed))
    jobs = by_seconds(jobs, {name: each["seconds"] for name, each in kept.items()})
    work = options.work or default_root() / "calibration"
    found = made(jobs, work, options.processes, anew=bool(options.only))
    gate = found.pop(GATE, before.get("gate"))
    results = (kept if options.only else {}) | found
    command = f"python -m mmbench.calibration{_shown(options)}"
    again = [other for other in before.get("again", ()) if other != command]
    again += [command] if before.get("command", command) != command else []
    designs = [results[design.name] for design in DESIGNS if design.name in results]
    out = {
        "schema": SCHEMA,
        "command": before.get("command", command) if options.only else command,
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__},
        "processes": before.get("processes", options.processes) if options.only else options.processes,
        "seconds": round(sum(each["seconds"] for each in (*designs, *([gate] if gate else [])))),
        "designs": designs,
    }
    return out | ({"again": again} if options.only and again else {}) | ({"gate": gate} if gate else {})


def _asked(design: Design, only: Sequence[str]) -> bool:
    for start in only:
        if not any(_begins(each, start) for each in DESIGNS):
            raise UnknownName("design or kind of design", start, [*KINDS, *DESIGNS.names()])
    return not only or any(_begins(design, start) for start in only)


def _begins(design: Design, start: str) -> bool:
    return design.name.startswith(start) or design.kind == start


def _shown(options: argparse.Namespace) -> str:
    """The options that decide what is found."""
    shown = [f" --only {shlex.quote(start)}" for start in options.only]
    return "".join([*shown, f" --runs {options.runs}" * bool(options.runs), f" --seed {options.seed}"])


def _write(path: Path, record: Record) -> None:
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mmbench.calibration",
        description="Simulate how often verdicts and the gate are wrong, and write calibration.json, .md and figures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, help="at most so many simulations a design (default: the design's own)")
    parser.add_argument("--seed", type=int, default=0, help="of the simulations (default: 0)")
    parser.add_argument("--folder", type=Path, default=Path("reports"), help="where the page is (default: reports)")
    parser.add_argument("--processes", type=int, default=2, help="that simulate side by side (default: 2)")
    parser.add_argument("--work", type=Path, help="where designs that are done are kept (default: in the store)")
    parser.add_argument("--render-only", action="store_true", help="render the record that is there")
    parser.add_argument("--gate-only", action="store_true", help="simulate the gate alone and keep the rest")
    parser.add_argument("--without-gate", action="store_true", help="keep the gate's part of the record that is there")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="simulate the designs alone whose kind is this (real, printed, planted, power) or whose name begins so, "
        "and keep the rest; may be given several times",
    )
    parser.add_argument("--sizes", type=Path, help="the record with the gate's sizes (with --gate-only)")
    return parser
