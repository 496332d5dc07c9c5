"""The command ``mmbench masks``: how much of the text on images an OCR still reads after it was removed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from mmbench.errors import BadSpec

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
EPILOG = """The text of an item must be what stands on its image. Without datasets, the embedded lineup's are measured;
the result that mmbench ships, and that its report shows, was written so, with --out.

examples:
  mmbench masks                                  the embedded lineup's posters and title cards
  mmbench masks posters_title "text_removed:posters_title?side=288&area=10" --items 50
"""


def add_commands(command: Command) -> None:
    """Add the command to ``mmbench``; ``command`` makes one."""
    masks = command("masks", run, "Measure how much of the text on images can still be read after it was removed.")
    masks.epilog, masks.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    masks.add_argument("datasets", nargs="*", metavar="DATASET", help="the original, then versions of it without text")
    masks.add_argument("--items", type=int, help="of the test split, by id (default: as many as in the shipped result)")
    masks.add_argument("--out", type=Path, metavar="FILE", help="also write the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Do what the options ask; raises MMBenchError."""
    from mmbench.datasets.specs import resolve
    from mmbench.datasets.text_left import ITEMS, conditions, measured
    from mmbench.datasets.text_removed import MEASURED
    from mmbench.files import write_whole

    if len(options.datasets) == 1:
        raise BadSpec(f"mmbench masks: {options.datasets[0]!r} stands alone; name a version of it without text too")
    items = ITEMS if options.items is None else options.items
    if items < 1:
        raise BadSpec(f"mmbench masks: --items must be at least 1, got {items}")
    sets = []
    for names in [options.datasets] if options.datasets else MEASURED:
        original, *others = (resolve(name) for name in names)
        found = measured(original, others, items=items, progress=lambda text: print(text, file=sys.stderr))
        sets.append(found.as_dict())
        print(f"{found.items} items of {original.name}; by chance {found.by_chance:.1%} of the letters count as read")
        for version in found.versions:
            nothing = "" if version.nothing_found is None else f"; no text found in {version.nothing_found} items"
            bounds = f"{version.read:6.1%} [{version.low:.1%}, {version.high:.1%}]"
            print(f"  read {bounds}, changed {version.changed:5.1%} of the pixels: {version.dataset}{nothing}")
    if options.out:
        write_whole(options.out, json.dumps({**conditions(), "sets": sets}, indent=1) + "\n")
        print(f"written: {options.out}")
    return 0
