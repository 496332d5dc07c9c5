"""The commands ``mmbench lineup`` and ``mmbench fetch``: who plays each role, and which files that needs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.words import printable

if TYPE_CHECKING:
    from mmbench.lineups import DatasetBinding, ModelBinding

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(command: Command) -> None:
    """Add the commands to ``mmbench``; ``command`` makes one."""
    lineup = command(
        "lineup", run_lineup, "Show who plays each role of a lineup, in place of what, and what is missing."
    )
    lineup.add_argument("lineup", nargs="?", help="a lineup's name or TOML file; without it, the names of all")
    lineup.add_argument("--json", action="store_true", help="print JSON for programs")

    fetch = command("fetch", run_fetch, "Fetch and verify every file that a lineup needs.")
    fetch.add_argument("lineup", nargs="?", default="embedded", help="a lineup's name or TOML file (default: embedded)")
    fetch.add_argument("--offline", action="store_true", help="fetch nothing; only say what is missing")


def run_lineup(options: argparse.Namespace) -> int:
    from mmbench.lineups import describe, lineup_names, load_lineup
    from mmbench.lineups.describe import listing

    if options.lineup is None:
        names = lineup_names()
        print(
            json.dumps(names)
            if options.json
            else "\n".join(printable(f"{name}: {load_lineup(name).about}") for name in names)
        )
        return 0
    lineup = load_lineup(options.lineup)
    rows = describe(lineup, search=True)
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    print("\n".join(map(printable, [f"{lineup.name}: {lineup.about}", *listing(rows)])))
    return 0


def run_fetch(options: argparse.Namespace) -> int:
    from mmbench.assets import ASSETS, cached, fetch
    from mmbench.errors import MMBenchError
    from mmbench.files import hashed_afresh
    from mmbench.lineups import load_lineup

    lineup, began = load_lineup(options.lineup), time.time_ns()
    wanted: dict[str, None] = {}
    failed = 0
    bindings: list[ModelBinding | DatasetBinding] = [*lineup.models.values(), *lineup.datasets.values()]
    for binding in bindings:
        if binding.runs_code:
            print(
                printable(f"not run  {binding.role}: {binding.spec} is your own code, whose files are not known here")
            )
            continue
        try:
            wanted |= dict.fromkeys(binding.entry.assets)
        except MMBenchError as error:
            failed += 1
            print(printable(f"mmbench: {binding.role}: {error}"), file=sys.stderr)
    for name in wanted:
        if name.startswith("file:"):
            there = Path(name.removeprefix("file:")).exists()
            failed += not there
            print(printable(f"{'here   ' if there else 'missing'}  {name}"))
            continue
        try:
            asset = ASSETS.get(name)
            with hashed_afresh(began):  # "verified" is said of bytes that were read
                state = "here   " if cached(asset) else "fetched"
            path = fetch(asset, offline=options.offline or None)
            print(f"{state}  {name}  {path.stat().st_size / 1e6:.1f} MB")
        except MMBenchError as error:
            failed += 1
            print(f"mmbench: {error}", file=sys.stderr)
    print(
        printable(f"{len(wanted)} files for lineup {lineup.name}")
        + (f", {failed} problems" if failed else ", all verified")
    )
    return 1 if failed else 0
