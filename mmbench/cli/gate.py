"""The commands around the gate: ``mmbench gate``, ``mmbench gate-timing`` and ``mmbench explain``."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

NOT_COMPARABLE = 3
CODES = """exit codes:
  0  pass: every cell is shown to be worse by less than its margin, or has the same model and outcomes
  1  fail: a cell is shown to be worse by more than its margin (Holm over the cells)
  2  inconclusive: neither, or a cell of BASE is missing in CANDIDATE; the output says what would decide it
  3  could not compare: unreadable records, other protocols, readings, datasets or preprocessing, wrong usage
"""
GATE = """A cell is a protocol, a model role and a dataset role; it is compared by trial and example.
Margins are in printed units (accuracy in points, F1 between 0 and 1). A cell's default margin is the wider of 5 % of
the metric's range and 3 standard deviations between seeds of a training recipe, where BASE has them on record.

examples:
  mmbench gate baseline.json .mmbench/runs/*/0002_embedded.json
  mmbench gate baseline.json candidate.json --margin accuracy=2 --margin f1_samples=0.03
  mmbench gate baseline.json baseline.json --inject accuracy=10        must exit 1: proof that the gate can fail
  mmbench gate baseline.json seed0.json --seeds seed1.json seed2.json  gate the mean of three trainings
  mmbench gate baseline.json --plan -k "bit_m and cub"                 which margin, or how many seeds, do they need?
  mmbench gate baseline.json candidate.json --markdown "$GITHUB_STEP_SUMMARY" --junit gate.xml
"""
TIMING = """Both models encode the same batch in turn, in this process, so that a machine that slows down slows
both. What is judged is the ratio B / A, never seconds. Models are roles of the lineup or specs, for example
zoo:clip or timm:resnet18@b.pt.

exit codes:
  0  pass: B is shown to take less than --slower-by times what A takes
  1  fail: B is shown to take more
  2  inconclusive: neither; ask for more rounds
  3  could not compare: a model, the dataset or the command line is at fault
"""

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(command: Command) -> None:
    """Add the three commands to ``mmbench``; ``command`` makes one."""
    gate = command("gate", guarded(run_gate), "Decide whether a candidate's run is no worse than a baseline's.")
    _own_codes(gate, CODES + "\n" + GATE)
    gate.add_argument("base", type=Path, metavar="BASE", help="the record of the baseline's run")
    candidate = gate.add_argument(
        "candidate", type=Path, metavar="CANDIDATE", help="the record of the candidate's run; none with --plan"
    )
    _none_with(gate, candidate, "--plan")
    for option, side in (("--seeds", "CANDIDATE"), ("--base-seeds", "BASE")):
        gate.add_argument(
            option,
            type=Path,
            nargs="+",
            default=[],
            metavar="RECORD",
            help=f"records of further trainings of {side}'s recipe: means over seeds are compared",
        )
    gate.add_argument(
        "--plan", action="store_true", help="compare nothing; simulate what a gate on BASE's cells can promise"
    )
    gate.add_argument("-k", dest="cells", default="", metavar="TEXT", help="with --plan: the cells whose names match")
    gate.add_argument("--runs", type=int, metavar="N", help="with --plan: simulated gates a number (default: 200)")
    gate.add_argument(
        "--margin",
        action="append",
        default=[],
        metavar="METRIC=VALUE",
        help="how much worse still passes, e.g. accuracy=2; repeatable (default: 5 %% of a metric's range, which is "
        "accuracy=5 f1_samples=0.05); more where seeds of BASE's recipes differ by more",
    )
    gate.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML, one test case for each cell")
    gate.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    gate.add_argument("--markdown", type=Path, metavar="FILE", help="write a summary for a CI job page")
    gate.add_argument("--partial", action="store_true", help="compare only the cells that CANDIDATE holds")
    gate.add_argument(
        "--allow-preprocessing", action="store_true", help="the candidate's own preprocessing is part of what is gated"
    )
    gate.add_argument(
        "--inject",
        action="append",
        default=[],
        metavar="METRIC=LOSS",
        help="plant this loss into the candidate, e.g. accuracy=10, to prove that the gate can fail; repeatable",
    )

    timing = command("gate-timing", guarded(run_timing), "Decide whether one model encodes more slowly than another.")
    _own_codes(timing, TIMING)
    timing.add_argument("a", metavar="MODEL_A", help="the base: a role of the lineup, or a spec")
    timing.add_argument("b", metavar="MODEL_B", help="the candidate: a role of the lineup, or a spec")
    timing.add_argument("--dataset", required=True, metavar="ROLE", help="whose test items both encode")
    timing.add_argument("--lineup", default="embedded", metavar="NAME|FILE", help="default: embedded")
    timing.add_argument("--items", type=int, default=64, metavar="N", help="items in the batch (default: 64)")
    timing.add_argument("--rounds", type=int, default=20, metavar="N", help="timed rounds of each (default: 20)")
    timing.add_argument(
        "--slower-by", type=float, default=1.1, metavar="RATIO", help="what still passes (default: 1.1)"
    )
    timing.add_argument("--device", default="cpu", help="torch device (default: cpu)")

    explain = command("explain", run_explain, "Name the first stage at which two runs differ, and the cells that do.")
    explain.add_argument("a", type=Path, metavar="A", help="a record")
    explain.add_argument("b", type=Path, metavar="B", help="another record")


def _none_with(parser: argparse.ArgumentParser, positional: argparse.Action, option: str) -> None:
    """The positional is required without the option, and not taken with it."""
    parse = parser.parse_known_args

    def parse_known_args(args: Any = None, namespace: Any = None) -> Any:
        planned = option in (args or ())
        positional.nargs, positional.required = ("?", False) if planned else (None, True)
        return parse(args, namespace)

    parser.parse_known_args = parse_known_args  # type: ignore[method-assign]


def _own_codes(parser: argparse.ArgumentParser, epilog: str) -> None:
    """Exit codes of its own: wrong usage is 3, because argparse's 2 would mean inconclusive."""
    parser.epilog = epilog
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.error = functools.partial(_wrong_usage, parser)  # type: ignore[method-assign]


def _wrong_usage(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    parser.print_usage(sys.stderr)
    parser.exit(NOT_COMPARABLE, f"{parser.prog}: error: {message}\n")


def guarded(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The command, with 3 for any error: an error of the program is never reported as a model that fails."""
    from mmbench.errors import MMBenchError

    @functools.wraps(run)
    def guard(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except BrokenPipeError:  # piped into head: nothing more can be said, and a lost answer is no pass
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (MMBenchError, OSError) as error:
            print(f"mmbench: could not compare: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print("mmbench: could not compare: stopped", file=sys.stderr)
        except SystemExit as error:  # a model's file may end the program; that is no pass
            if error.code != NOT_COMPARABLE:
                called = f"code that was run for a model or dataset called sys.exit({error.code!r})"
                print(f"mmbench: could not compare: {called}", file=sys.stderr)
        except Exception:
            traceback.print_exc()
        return NOT_COMPARABLE

    return guard


def run_gate(options: argparse.Namespace) -> int:
    if options.plan:
        return _plan(options)
    from mmbench.errors import BadSpec, MMBenchError
    from mmbench.gate.pages import Refused, exit_code, gate_lines, write_gate

    if options.cells or options.runs is not None:
        raise BadSpec("-k and --runs belong to --plan; a gate compares every cell, or with --partial CANDIDATE's")
    try:
        result: Any = _gated(options)
    except MMBenchError as error:
        result = Refused(str(error))
    written = write_gate(result, {"junit": options.junit, "json": options.json, "markdown": options.markdown})
    for text, _ in gate_lines(result, verbose=True):
        print(text, file=sys.stderr if isinstance(result, Refused) else sys.stdout)
    for path in written:
        print(f"written: {path}")
    return exit_code(result)


def _gated(options: argparse.Namespace) -> Any:
    from mmbench.files import hashed_afresh
    from mmbench.gate.comparison import gate_records
    from mmbench.gate.decision import Margins, printed_units
    from mmbench.gate.reread import reread
    from mmbench.records.files import read_record

    margins, losses = Margins.parse(options.margin), printed_units(options.inject)
    base = read_record(options.base)
    with hashed_afresh():
        candidate, *seeds = (reread(base, read_record(path)) for path in (options.candidate, *options.seeds))
    return gate_records(
        base,
        candidate,
        margins,
        among=[str(part) for part in candidate.cells] if options.partial else None,
        allow_preprocessing=options.allow_preprocessing,
        losses=losses,
        reasons={str(part): candidate.lost[str(part)] for part in base.cells if str(part) in candidate.lost},
        base_seeds=[read_record(path) for path in options.base_seeds],
        candidate_seeds=seeds,
    )


def _plan(options: argparse.Namespace) -> int:
    from mmbench.calibration.gate_plan import RUNS, plan, plan_lines
    from mmbench.errors import BadSpec
    from mmbench.records.files import read_record

    if options.candidate is not None or options.seeds or options.base_seeds or options.margin or options.inject:
        raise BadSpec("--plan takes BASE alone, with -k and --runs; it compares nothing")
    if options.runs is not None and options.runs < 1:
        raise BadSpec(f"--runs must be at least 1, got {options.runs}")
    found = plan(read_record(options.base), options.cells, options.runs or RUNS)
    for line in plan_lines(found):
        print(line)
    return 0


def run_explain(options: argparse.Namespace) -> int:
    from mmbench.records.explaining import explain_lines
    from mmbench.records.files import read_record

    for line in explain_lines(read_record(options.a), read_record(options.b)):
        print(line)
    return 0


def run_timing(options: argparse.Namespace) -> int:
    from mmbench.gate.pages import EXIT_CODES
    from mmbench.gate.timed_models import time_models

    decision = time_models(
        options.a,
        options.b,
        options.dataset,
        lineup=options.lineup,
        items=options.items,
        rounds=options.rounds,
        slower_by=options.slower_by,
        device=options.device,
    )
    print(f"timing gate: {decision.decided}")
    print(
        f"{options.b} takes {decision.ratio:.3f} times what {options.a} takes, 95 % interval {decision.low:.3f} to "
        f"{decision.high:.3f}, {decision.rounds} rounds in turn; {decision.slower_by:g} passes"
    )
    return EXIT_CODES[decision.decided]
