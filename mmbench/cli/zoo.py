"""``mmbench zoo``: list, train, verify, restamp and card the models of the zoo."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mmbench.errors import BadSpec

RETRAINED = 2
RESTAMPED = 5
EXAMPLES = """examples:
  mmbench zoo list                               the models whose weights are here
  mmbench zoo train sin tsm --out zoo            train recipes; a stopped training goes on where it stood
  mmbench zoo train bit_m --stages 300 1100      and keep the weights after these steps
  mmbench zoo verify                             do weights belong to their recipes, and do their losses come again?
  mmbench zoo restamp                            after rewriting code that the weights are hashed with
  mmbench zoo cards                              measure the models and write reports/zoo.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.epilog, parser.formatter_class = EXAMPLES, argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the models whose weights are here, and recipes without weights")
    listing.add_argument("--json", action="store_true", help="print JSON for programs")
    training = actions.add_parser("train", help="train recipes one after another")
    training.add_argument("names", nargs="+", metavar="NAME", help="a recipe")
    training.add_argument("--out", type=Path, default=Path("zoo"), help="where weights go (default: ./zoo)")
    training.add_argument(
        "--stages", type=int, nargs="*", default=(), metavar="STEP", help="also keep the weights after these steps"
    )
    training.add_argument("--fresh", action="store_true", help="start again instead of resuming a stopped training")
    training.add_argument("--threads", type=int, help="threads to compute with (default: as many as there are cores)")
    verifying = actions.add_parser("verify", help="whether the weights are those of the recipes")
    verifying.add_argument(
        "--steps",
        type=int,
        default=RETRAINED,
        help=f"train each recipe so many steps and compare the losses (default: {RETRAINED}; 0 compares hashes only)",
    )
    restamping = actions.add_parser(
        "restamp",
        help="write new recipe hashes into weights whose first losses come again",
        description="After code of the recipes was rewritten: train each changed recipe a few steps, compare the losses"
        " with those on record, and write the new hash into the weights. Tensors stay as they are.",
    )
    restamping.add_argument("names", nargs="*", metavar="NAME", help="a model (default: all whose hash is another one)")
    restamping.add_argument(
        "--steps", type=int, default=RESTAMPED, help=f"steps of training to compare (default: {RESTAMPED})"
    )
    cards = actions.add_parser("cards", help="measure every model and write its card")
    cards.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")


def run(options: argparse.Namespace) -> int:
    """Do what ``add_arguments`` read; raises MMBenchError."""
    actions = {"list": _list, "train": _train, "verify": _verify, "restamp": _restamp, "cards": _cards}
    return actions[options.action](options)


def _list(options: argparse.Namespace) -> int:
    from mmbench import zoo

    cards = zoo.cards()
    if options.json:
        print(json.dumps(cards, indent=1, ensure_ascii=False, default=str))
        return 0
    for card in cards:
        facts = f"{card['steps']:,} steps, seed {card['seed']}, loss {card['final_loss']:.3f}"
        print(f"{card['name']:14} {card['size'] / 1e6:4.1f} MB  {facts}; {zoo.RECIPES.get(card['recipe']).about}")
    for name in sorted({*zoo.RECIPES.names()} - {card["recipe"] for card in cards}):
        print(f"{name:14} no weights here; train them: mmbench zoo train {name}")
    return 0


def _train(options: argparse.Namespace) -> int:
    from mmbench import zoo

    if options.threads is not None and options.threads < 1:
        raise BadSpec(f"--threads must be at least 1, got {options.threads}")
    for name in options.names:  # a typo in the last name must not cost the hours of the first
        zoo.RECIPES.get(name)
    for name in options.names:
        written = zoo.train(name, options.out, resume=not options.fresh, stages=options.stages, threads=options.threads)
        print(*written, sep="\n")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from mmbench import zoo

    found = zoo.verify(steps=options.steps)
    for finding in found:
        print(f"{finding.name:14} as its recipe says")
    return 0


def _restamp(options: argparse.Namespace) -> int:
    from mmbench import zoo

    changed = zoo.restamp(options.names, steps=options.steps)
    for name in changed:
        print(f"{name:14} has the hash of its recipe as it stands")
    if not changed:
        print("every hash is that of the recipe as it stands; nothing was changed")
    return 0


def _cards(options: argparse.Namespace) -> int:
    from mmbench.report import zoo_figure
    from mmbench.zoo import model_cards

    record, page = model_cards.write(options.out)
    picture = zoo_figure.write(json.loads(record.read_text(encoding="utf-8")), options.out)
    print(record, page, picture, sep="\n")
    return 0
