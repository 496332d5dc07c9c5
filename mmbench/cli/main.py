"""The ``mmbench`` command: its parser, made of the commands of this folder's other modules."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

EXAMPLES = """examples:
  pytest benchmarks                                     judge every claim: printed tables and the embedded lineup
  pytest benchmarks -k bielawski2022 --mmbench-evidence published      the thesis's tables, in seconds, no model
  mmbench claims --study devillers2021                  the claims of one study, with their last verdicts
  mmbench claims bielawski2022-mvsa-vision-clip-best    one claim, explained
  mmbench ledger D-03                                   where a paper and its code differ, and what mmbench does
  mmbench lineup paper                                  who plays each role, and which files are here
  mmbench fetch embedded                                fetch all files of a lineup now, to run offline later
  mmbench report                                        render the newest record again
  mmbench compare old.json new.json                     do two records hold the same verdicts and means?
  mmbench gate baseline.json candidate.json             is the candidate no worse? 0 yes, 1 no, 2 open, 3 not comparable
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all is well, 1 when something failed, 2 for a wrong command line.

    The gate's commands have exit codes of their own: see their --help.
    """
    from mmbench.errors import MMBenchError
    from mmbench.two_workers import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    options, unknown = build_parser().parse_known_args(arguments)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        return options.run(options)
    except MMBenchError as error:
        print(f"mmbench: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # piped into head
        sys.stderr.close()
        return 0
    except OSError as error:  # a file that cannot be read or written
        if error.filename is None:
            raise
        print(f"mmbench: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mmbench: stopped; what was finished is kept", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    from mmbench.cli.claims import add_commands as add_claims
    from mmbench.cli.gate import add_commands as add_gate
    from mmbench.cli.ledger import add_arguments as add_ledger_arguments
    from mmbench.cli.ledger import run as run_ledger
    from mmbench.cli.lineups import add_commands as add_lineups
    from mmbench.cli.masks import add_commands as add_masks
    from mmbench.cli.records import add_commands as add_records
    from mmbench.cli.seeds import add_commands as add_seeds
    from mmbench.cli.zoo import add_arguments as add_zoo_arguments
    from mmbench.cli.zoo import run as run_zoo
    from mmbench.models.convert import add_arguments as add_convert_arguments
    from mmbench.models.convert import run as run_convert

    parser = argparse.ArgumentParser(
        prog="mmbench",
        description="Executable claims about vision-language representations (not the MMBench VLM question set). "
        "Claims are judged by pytest; this command is for everything around that.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run, parser=sub)
        return sub

    add_claims(command)
    add_ledger_arguments(command("ledger", run_ledger, "List where papers, their code and their tables differ."))
    add_lineups(command)
    add_seeds(command)
    add_records(command)
    add_gate(command)
    add_masks(command)

    text = "Take the tensors out of a pickled checkpoint that you trust, and write them as safetensors."
    add_convert_arguments(command("convert", run_convert, text))

    add_zoo_arguments(command("zoo", run_zoo, "List, train, verify and card the small matched models."))
    return parser


class _Version(argparse.Action):
    """``--version`` without importing anything before it is asked."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from mmbench import __version__

        print(f"mmbench {__version__}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
