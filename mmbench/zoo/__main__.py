"""``python -m mmbench.zoo train NAME... [--out DIR] [--threads N]``, ``list`` and ``verify``."""

from __future__ import annotations

import argparse
import sys

from mmbench import zoo
from mmbench.errors import MMBenchError
from mmbench.zoo.weight_files import FOLDER


def main(argv: list[str] | None = None) -> int:
    """Run one of the three commands; the exit status is 1 when weights and recipes have parted or a name is unknown."""
    parser = argparse.ArgumentParser(prog="python -m mmbench.zoo", description=zoo.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train recipes; a run that was killed goes on")
    training.add_argument("names", nargs="+")
    training.add_argument("--out", default=str(FOLDER))
    training.add_argument("--threads", type=int)
    commands.add_parser("list", help="the models whose weights are here")
    commands.add_parser("verify", help="whether the weights are those of the recipes")
    options = parser.parse_args(argv)
    try:
        if options.command == "train":
            for name in options.names:
                zoo.RECIPES.get(name)
            for name in options.names:
                zoo.train(name, options.out, threads=options.threads)
        elif options.command == "list":
            for card in zoo.cards():
                told = f"{card['steps']} steps of recipe {card['recipe_hash'][:12]}, loss {card['final_loss']:.3f}"
                print(f"{card['name']:8} {told}")
        else:
            for finding in zoo.verify():
                print(f"{finding.name:8} as its recipe says")
    except MMBenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
