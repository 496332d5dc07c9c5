"""The command ``mmbench seeds``: measure how far networks of one recipe differ that differ in their seed alone."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mmbench.errors import BadSpec

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
EPILOG = """Networks of one recipe are the roles that a lineup gives the same recipe = "NAME". Every cell that claims
ask of a network is measured for each of them, and the table is written beside the lineup's file: verdicts about
networks of a recipe then hold for the recipe's other seeds too, and the gate takes its margins from it.

examples:
  mmbench seeds embedded --check                 does the table still fit the networks and datasets?
  mmbench seeds mine.toml                        measure mine.seeds.json; a stopped run goes on where it stood
"""


def add_commands(command: Command) -> None:
    """Add the command to ``mmbench``; ``command`` makes one."""
    seeds = command("seeds", run, "Measure how far the seeds of a lineup's training recipes differ.")
    seeds.epilog, seeds.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    seeds.add_argument("lineup", metavar="NAME|FILE", help="a lineup's name or TOML file")
    seeds.add_argument("--store", type=Path, metavar="DIR", help="where features and scores are kept")
    seeds.add_argument("--out", type=Path, metavar="FILE", help="default: NAME.seeds.json beside the lineup's file")
    seeds.add_argument("--device", default="cpu", help="torch device of encoders and probes (default: cpu)")
    seeds.add_argument(
        "--joined", action="store_true", help="also cells in which other models stand beside the network; takes longer"
    )
    seeds.add_argument("--check", action="store_true", help="measure nothing; exit with 1 if the table does not fit")


def run(options: argparse.Namespace) -> int:
    """Do what the options ask; raises MMBenchError."""
    return _check(options) if options.check else _measure(options)


def _measure(options: argparse.Namespace) -> int:
    from mmbench.bench.bench import Bench
    from mmbench.files import atomic
    from mmbench.lineups.reader import table_path
    from mmbench.lineups.seed_table import text_of
    from mmbench.session.seed_scores import measure

    started = time.perf_counter()
    out = options.out or table_path(options.lineup)
    bench = Bench.open(options.lineup, store=options.store, device=options.device)
    command = f"mmbench seeds {options.lineup}" + (" --joined" if options.joined else "")
    table = measure(bench, command, lambda text: print(text, flush=True), joined=options.joined)
    with atomic(out) as temporary:
        temporary.write_text(text_of(table), encoding="utf-8")
    seconds = time.perf_counter() - started
    print(f"{len(table.rows)} places, {len(table.networks)} networks, {seconds:.0f} s", file=sys.stderr)
    print(f"written: {out}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from mmbench.files import hashed_afresh
    from mmbench.lineups import load_lineup
    from mmbench.lineups.reader import table_path
    from mmbench.lineups.seed_table import read_seeds

    lineup = load_lineup(options.lineup)
    path = options.out or lineup.seeds
    if path is None:
        raise BadSpec(f"there is no table {table_path(options.lineup)}; measure it: mmbench seeds {options.lineup}")
    table = read_seeds(path)
    with hashed_afresh():
        misfits = table.misfits(lineup)
    for misfit in misfits:
        print(f"mmbench: {path.name}: {misfit}", file=sys.stderr)
    names = ", ".join(f"{name} ({len(members)})" for name, members in table.recipes.items())
    print(f"{path}: {len(table.rows)} places; seeds of {names}; {'does not fit' if misfits else 'fits'}")
    return 1 if misfits else 0
