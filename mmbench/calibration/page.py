"""The calibration page: ``python -m mmbench.calibration`` simulates, writes the record and renders it.

The record (``calibration.json``) holds every rate with its number of runs; the page and the figure are rendered from it
alone, so that they cannot drift from it.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.calibration import gate_page, gate_simulation, simulation, statistic_simulation
from mmbench.errors import UnknownName

SCHEMA = 1
EFFECTS = (0.0, 2.0, 4.0, 6.0, 8.0, 12.0)
TRIALS = (3, 5, 10)
SLOWER = {"Pearson": 2, "Mean of correlations": 2, "Spearman": 3, "percentile bootstrap": 10}  # fewer runs by factor
CORRELATED = (0.95, 0.2)


Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One or more rows of the record: the section they stand in, a name to ask for them by, and how they are made."""

    section: str
    name: str
    make: Callable[[], list[Row]]


def tasks(runs: int, seed: int = 0) -> Iterator[Task]:
    """Every simulation of verdicts, with ``runs`` a point (fewer where a run takes long)."""
    ours, *wrong = simulation.METHODS
    points = [(ours, shares, trials) for shares in simulation.SHARES for trials in TRIALS]
    points += [(method, shares, 5) for method in wrong for shares in simulation.SHARES]
    for method, shares, trials in points:
        yield _task("coverage", f"{method}, {shares}, {trials} trials", simulation.coverage, method, shares, trials,
                    runs=_runs(method, runs), seed=seed)  # fmt: skip
    for null in simulation.nulls():
        yield _task("nulls", null.name, simulation.false_verdicts, null, runs=_runs(null.name, runs), seed=seed)
    for design in statistic_simulation.designs():
        yield Task("statistics", design.name, partial(statistic_simulation.simulate, design, runs, seed))
    for null in statistic_simulation.curves():
        yield _task("statistics", null.name, statistic_simulation.simulate_curve, null, runs=runs, seed=seed)
    for trials in TRIALS:
        for effect in EFFECTS:
            name = f"power, effect {effect:g}, {trials} trials"
            yield _task("power", name, simulation.power, effect, trials, runs=max(runs // 4, 1), seed=seed)
    for coefficient in ("pearson", "spearman"):
        for r in CORRELATED:
            yield _task("correlation_power", f"power, {coefficient} at {r:g}", simulation.correlation_power,
                        coefficient, r, runs=max(runs // 6, 1), seed=seed)  # fmt: skip


def _task(section: str, name: str, make: Callable[..., Row], *arguments: Any, **settings: Any) -> Task:
    return Task(section, name, lambda: [make(*arguments, **settings)])


def simulate(runs: int, seed: int = 0) -> Row:
    """The record of a whole calibration, of verdicts and of the gate."""
    import scipy

    started = time.time()
    sections: dict[str, list[Row]] = {}
    for task in tasks(runs, seed):
        sections.setdefault(task.section, []).extend(task.make())
    return {
        "schema": SCHEMA,
        "command": f"python -m mmbench.calibration --runs {runs} --seed {seed}",
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__},
        **sections,
        "gate": gate_simulation.simulate(max(runs // 4, 1), seed),
        "seconds": round(time.time() - started, 1),
    }


def simulate_again(record: Row, only: Sequence[str], runs: int, seed: int = 0) -> Row:
    """``record`` with those rows made anew whose section or name begins with one of ``only``; the rest is kept.

    Raises UnknownName when one of ``only`` begins no section and no row.
    """
    started = time.time()
    every = list(tasks(runs, seed))
    for start in only:
        if not any(_asked(task, start) for task in every):
            known = [*dict.fromkeys(task.section for task in every), *(task.name for task in every)]
            raise UnknownName("section or row of the calibration", start, known)
    out = dict(record)
    made: list[str] = []
    for task in every:
        if any(_asked(task, start) for start in only):
            rows = {name_of(row): row for row in out.get(task.section, [])}
            rows |= {name_of(row): row for row in task.make()}
            out[task.section] = list(rows.values())
            made.append(task.name)
    asked = " ".join(f"--only {shlex.quote(start)}" for start in only)
    again = {
        "command": f"python -m mmbench.calibration {asked} --runs {runs} --seed {seed}",
        "rows": len(made),
        "seconds": round(time.time() - started, 1),
    }
    kept = [other for other in out.get("again", []) if other["command"] != again["command"]]
    return out | {"again": [*kept, again]}


def _asked(task: Task, start: str) -> bool:
    return task.section.startswith(start) or task.name.startswith(start)


def name_of(row: Row) -> str:
    """What tells a row from the others of its section: everything in it that was chosen and not counted."""
    found = ("runs", "coverage", "width", "supported", "refuted", "power")
    return json.dumps({key: value for key, value in row.items() if key not in found})


def _runs(name: str, runs: int) -> int:
    factor = next((factor for start, factor in SLOWER.items() if name.startswith(start)), 1)
    return max(runs // factor, 1)


def render(record: dict[str, Any]) -> str:
    """The page in Markdown."""
    ours = [row for row in record["coverage"] if not row["method"].endswith("(wrong)")]
    wrong = [row for row in record["coverage"] if row["method"].endswith("(wrong)")]
    found = simulation.faults({**record, "coverage": ours})
    lines = [
        "# Calibration of verdicts",
        "",
        f"Rendered from `calibration.json`; made by `{record['command']}` in {record['seconds']:g} s.",
        *([record["note"]] if "note" in record else []),
        *(
            f"Made anew by `{a['command']}` in {a['seconds']:g} s: {a['rows']} simulations."
            for a in record.get("again", ())
        ),
        "",
        "Outcomes are 0 or 1. Examples differ in difficulty and trials in luck, half of it the model's own, so that a",
        "difference of two models varies with both. Bounds: 95 % intervals cover 93 to 97 %, and a verdict is false in",
        "at most 5 % of runs; what exceeds them by more than three standard errors of the simulation is listed here.",
        "",
        *([f"- {fault}" for fault in found] or ["Nothing exceeds them."]),
        "",
        "![Coverage by design, and power by effect](calibration.svg)",
        "",
        "## Coverage of 95 % intervals: difference of two models, 300 examples",
        "",
        "| variance | " + " | ".join(f"{t} trials" for t in TRIALS) + " |",
        "|---|" + "---:|" * len(TRIALS),
    ]
    for shares in simulation.SHARES:
        cells = {row["trials"]: _percent(row["coverage"], row["runs"]) for row in ours if row["shares"] == shares}
        lines.append(f"| {shares} | " + " | ".join(cells.get(t, "") for t in TRIALS) + " |")
    lines += [
        "",
        "Two wrong methods, put through the same check with 5 trials and 300 examples; the tests show both flagged",
        "with 3 trials and 1,500 examples:",
        "",
        "| method | variance | coverage | flagged |",
        "|---|---|---:|---|",
    ]
    for row in wrong:
        flagged = "yes" if simulation.faults({"coverage": [row]}) else "no"
        lines.append(f"| {row['method']} | {row['shares']} | {_percent(row['coverage'], row['runs'])} | {flagged} |")
    lines += [
        "",
        "## Verdicts at the edge of the truth",
        "",
        "Each form is judged where it is only just true or false. A rate in bold would be false there and should not",
        "pass 5 %; the other rate is no error at that point.",
        "",
        "| null | supported | refuted | runs |",
        "|---|---:|---:|---:|",
    ]
    for row in record["nulls"]:
        rates = [_bold(_percent(row[o], row["runs"]), o in row["false"]) for o in simulation.BOTH]
        lines.append(f"| {row['null']} | {rates[0]} | {rates[1]} | {row['runs']} |")
    if "statistics" in record:
        lines += ["", *_statistics(record["statistics"])]
    lines += [
        "",
        "## Power: how often a true lead is supported",
        "",
        "`Above`, 300 examples, variance through examples and trials; the effect in points of accuracy at 60 %.",
        "",
        "| effect | " + " | ".join(f"{t} trials" for t in TRIALS) + " |",
        "|---:|" + "---:|" * len(TRIALS),
    ]
    for effect in EFFECTS:
        rows = {r["trials"]: r for r in record["power"] if r["effect"] == effect}
        shown = [_percent(rows[t]["power"], rows[t]["runs"]) if t in rows else "" for t in TRIALS]
        lines.append(f"| {effect:g} | " + " | ".join(shown) + " |")
    if "correlation_power" in record:
        lines += [
            "",
            "Correlations of eight models on two datasets, true means 40 points apart, held to at least 0.7:",
            "",
            "| coefficient | true value | supported | refuted | runs |",
            "|---|---:|---:|---:|---:|",
        ]
    for row in record.get("correlation_power", ()):
        shown = [_percent(row[outcome], row["runs"]) for outcome in simulation.BOTH]
        lines.append(f"| {row['method']} | {row['truth']:.2f} | {' | '.join(shown)} | {row['runs']} |")
    if "gate" in record:
        lines += ["", *gate_page.render(record["gate"])]
    return "\n".join(lines) + "\n"


def _statistics(rows: Sequence[Row]) -> Iterator[str]:
    yield from (
        "## Statistics that are no means, and curved leaves",
        "",
        "Jackknifed metrics over classes, sentences or rows, and smooth functions of several accuracies. Each is held",
        "against its true value, and the difference of two equal models against 0: both verdicts are false there.",
        "",
        "| statistic | 95 % intervals cover | supported | refuted | runs |",
        "|---|---:|---:|---:|---:|",
    )
    for row in rows:
        rates = [_percent(row["coverage"], row["runs"])]
        rates += [_bold(_percent(row[outcome], row["runs"]), True) for outcome in simulation.BOTH]
        yield f"| {row['statistic']} | {' | '.join(rates)} | {row['runs']} |"


def _percent(rate: float, runs: int) -> str:
    """The rate with one standard error of the simulation."""
    return f"{100 * rate:.1f} ± {simulation.noise(rate, runs) / 3 * 100:.1f} %"


def _bold(text: str, bold: bool) -> str:
    return f"**{text}**" if bold else text


def draw(record: dict[str, Any], path: Path) -> None:
    """The figure: coverage of all methods by design, and power by effect."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "mmbench"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    names = list(simulation.SHARES)
    left.axhspan(100 * simulation.LOW, 100 * simulation.HIGH, color="0.9")
    for method, mark in zip(simulation.METHODS, "os^", strict=True):
        for trials in TRIALS if mark == "o" else (5,):
            rows = [r for r in record["coverage"] if r["method"] == method and r["trials"] == trials]
            at = [names.index(r["shares"]) + (trials - 5) * 0.03 for r in rows]
            error = [100 * simulation.noise(r["coverage"], r["runs"]) / 3 for r in rows]
            values = [100 * r["coverage"] for r in rows]
            left.errorbar(at, values, error, fmt=mark, ms=4, label=f"{method}, {trials} trials")
    left.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names], fontsize=7)
    left.set_ylabel("coverage of 95 % intervals (%)")
    left.legend(fontsize=6)
    for trials in TRIALS:
        rows = [r for r in record["power"] if r["trials"] == trials]
        right.plot([r["effect"] for r in rows], [100 * r["power"] for r in rows], "o-", ms=3, label=f"{trials} trials")
    right.set_xlabel("true lead (points)")
    right.set_ylabel("supported (%)")
    right.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate (unless ``--render-only``) and write ``calibration.json``, ``.md`` and ``.svg`` into ``--folder``."""
    parser = argparse.ArgumentParser(prog="python -m mmbench.calibration", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="simulations a point (default 2000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("reports"))
    parser.add_argument("--render-only", action="store_true", help="render the record that is there")
    parser.add_argument("--gate-only", action="store_true", help="simulate the gate alone and keep the rest")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="simulate the rows alone whose section (coverage, nulls, statistics, power) or name begins so, and keep "
        "the rest; may be given several times",
    )
    parser.add_argument("--sizes", type=Path, help="the record with the gate's sizes (default: the newest)")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    stored = options.folder / "calibration.json"
    if options.gate_only:
        gate = gate_simulation.simulate(options.runs, options.seed, options.sizes)
        stored.write_text(json.dumps(json.loads(stored.read_text()) | {"gate": gate}, indent=1) + "\n")
    elif options.only:
        again = simulate_again(json.loads(stored.read_text()), options.only, options.runs, options.seed)
        stored.write_text(json.dumps(again, indent=1) + "\n")
    elif not options.render_only:
        stored.write_text(json.dumps(simulate(options.runs, options.seed), indent=1) + "\n")
    record = json.loads(stored.read_text())
    (options.folder / "calibration.md").write_text(render(record))
    draw(record, options.folder / "calibration.svg")
    if "gate" in record:
        gate_page.draw(record["gate"], options.folder / gate_page.FIGURE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
