"""The commands around records: ``report``, ``matrices``, ``expect``, ``compare`` and ``records convert``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mmbench.protocol import Cell
    from mmbench.records.schema import Record

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
MOST = 30  # lines of differing claims, and of cells, that compare shows
COMPARE = """Claims are matched by id and evidence, cells by protocol, models and dataset. Compared are outcomes,
estimates, bounds, p-values, means, and the outcomes by trial and example where both records have them.

exit codes:
  0  the records say the same
  1  something differs; the output names it
  2  a record cannot be read
"""


def add_commands(command: Command) -> None:
    """Add the commands to ``mmbench``; ``command`` makes one."""
    report = command("report", run_report, "Render a record as Markdown and one self-contained HTML page.")
    report.add_argument("record", nargs="?", type=Path, help="a record (default: the newest one)")
    report.add_argument("--against", type=Path, metavar="RECORD", help="print which verdicts differ from this record")
    report.add_argument("--out", type=Path, metavar="DIR", help="where the pages go (default: .mmbench)")
    report.add_argument("--latex", action="store_true", help="also write the claims as a LaTeX table")
    report.add_argument("--root", type=Path, default=Path(), help=argparse.SUPPRESS)

    text = "Draw the dissimilarity matrices behind a record from the store, for its page: the record has none."
    matrices = command("matrices", run_matrices, text)
    matrices.add_argument("record", nargs="?", type=Path, help="a record (default: the newest one)")
    matrices.add_argument("--store", type=Path, metavar="DIR", help="the store of that run (default: $MMBENCH_STORE)")
    matrices.add_argument("--lineup", metavar="NAME", help="its lineup, a name or a file (default: the record's name)")
    for role in ("model", "dataset"):
        matrices.add_argument(
            f"--{role}", action="append", default=[], metavar="ROLE=SPEC", help=f"a {role} that was bound by hand"
        )
    matrices.add_argument("--out", type=Path, metavar="DIR", help="where the pages are (default: .mmbench)")
    matrices.add_argument("--root", type=Path, default=Path(), help=argparse.SUPPRESS)

    expect = command("expect", run_expect, "Record a run's verdicts as the known outcomes that later runs must repeat.")
    expect.add_argument("record", type=Path, help="the record whose verdicts become the known outcomes")
    expect.add_argument(
        "--out", type=Path, default=Path("reports/expected"), metavar="DIR", help="default: reports/expected"
    )

    compare = command("compare", run_compare, "Say whether two records hold the same verdicts and means.")
    compare.epilog, compare.formatter_class = COMPARE, argparse.RawDescriptionHelpFormatter
    compare.add_argument("a", type=Path, metavar="A", help="a record")
    compare.add_argument("b", type=Path, metavar="B", help="another record")
    compare.add_argument(
        "--tolerance",
        type=float,
        default=1e-6,
        metavar="NUMBER",
        help="how far equal numbers may be apart, in their printed unit (default: 1e-6)",
    )
    compare.add_argument("--all", action="store_true", help=f"print every difference, not only {MOST} of each kind")

    records = command("records", _no_action, "Work on record files.")
    actions = records.add_subparsers(required=True, metavar="ACTION")
    text = "Write a record of an older schema in today's form, its outcomes in a file beside it."
    convert = actions.add_parser("convert", help=text, description=text)
    convert.add_argument("old", type=Path, metavar="OLD", help="the record to read; it stays as it is")
    convert.add_argument("new", type=Path, metavar="NEW", help="the record to write, NUMBER_LABEL.json")
    convert.set_defaults(run=run_convert, parser=convert)


def _no_action(options: argparse.Namespace) -> int:
    raise AssertionError("argparse asks for an action")


def run_report(options: argparse.Namespace) -> int:
    from mmbench.records.comparing import compare
    from mmbench.records.files import read_record
    from mmbench.report.pages import keep_out_of_git, write_latex, write_pages

    record = read_record(newest(options.root) if options.record is None else options.record)
    if options.against is not None:
        changes = compare(read_record(options.against), record)
        print("\n".join(map(str, changes)) or "no verdict differs")
    folder = options.out or options.root / ".mmbench"
    written: tuple[Path, ...] = write_pages(record, folder)
    keep_out_of_git(folder)
    if options.latex:
        written = (*written, write_latex(record, folder))
    for path in written:
        print(path)
    return 0


def run_matrices(options: argparse.Namespace) -> int:
    from mmbench.bench.bench import Bench
    from mmbench.bench.keys import digest
    from mmbench.bench.solving import probe_of
    from mmbench.errors import UnknownName
    from mmbench.records.files import read_record
    from mmbench.records.schema import BadRecord
    from mmbench.report.matrices import draw_matrices
    from mmbench.report.pages import write_pages

    record = read_record(newest(options.root) if options.record is None else options.record)
    bound = {"models": options.model, "datasets": options.dataset}
    try:
        bench = Bench.open(options.lineup or record.lineup.name, store=options.store, progress=False, **bound)
    except UnknownName as error:
        if options.lineup or error.kind != "lineup":
            raise
        raise BadRecord(
            f"record {record.label!r} is of the lineup {record.lineup.name!r}, which does not come with mmbench; give "
            "its file with --lineup"
        ) from error

    def gather(cell: Cell) -> tuple[str, NDArray[np.float32]]:
        inputs = bench.inputs(cell)
        probe = probe_of(cell.protocol)
        settings = [cell.protocol.settings.for_probe()]
        (found,) = probe.run(inputs, settings, trials=1, seed=cell.protocol.seed, device="cpu")
        return digest(*inputs.arrays()), found[0]

    folder = options.out or options.root / ".mmbench"
    print(draw_matrices(record, gather, folder / "figures"))
    for path in write_pages(record, folder):
        print(path)
    return 0


def run_expect(options: argparse.Namespace) -> int:
    from mmbench.records.expected import read_expected, updated, write_expected
    from mmbench.records.files import read_record

    record = read_record(options.record)
    header = "Known outcomes. Write a reason for every refuted claim; `mmbench expect RECORD` keeps reasons.\n"
    for name, evidence in (("published", "published"), (record.lineup.name, "measured")):
        verdicts = [verdict.model_dump() for verdict in record.verdicts if verdict.evidence == evidence]
        if not verdicts:
            continue
        path = options.out / f"{name}.toml"
        outcomes = updated(read_expected(path), verdicts)
        write_expected(path, outcomes, header + f"Evidence: {evidence}.")
        bare = [known.claim for known in outcomes if known.verdict == "refuted" and not known.reason]
        print(f"{path}: {len(outcomes)} outcomes" + (f", {len(bare)} refuted without a reason:" if bare else ""))
        print("".join(f"  {claim}\n" for claim in bare), end="")
    return 0


def run_compare(options: argparse.Namespace) -> int:
    from mmbench.errors import BadSpec, MMBenchError
    from mmbench.records.differences import differences, lines
    from mmbench.records.files import read_record

    try:
        if not options.tolerance >= 0:
            raise BadSpec(f"the tolerance is {options.tolerance:g}; give a number of at least 0, for example 1e-6")
        a, b = read_record(options.a), read_record(options.b)
    except MMBenchError as error:
        print(f"mmbench: could not compare: {error}", file=sys.stderr)
        return 2
    found = differences(a, b, options.tolerance)
    print("\n".join(lines(found, None if options.all else MOST)))
    print("the records differ" if found else "the records say the same")
    return 1 if found else 0


def run_convert(options: argparse.Namespace) -> int:
    from mmbench.records.files import read_record, write_record

    for path in write_record(read_record(options.old), options.new):
        print(f"written: {path}  {path.stat().st_size / 1e6:.2f} MB")
    return 0


def records_below(root: Path) -> list[tuple[Path, Record]]:
    """Readable records below ``root``, oldest first; one that cannot be read is named and left out."""
    from mmbench.records.files import read_record, records_under
    from mmbench.records.schema import BadRecord

    found = []
    for path in records_under(root / "reports" / "runs", root / ".mmbench" / "runs"):
        try:
            found.append((path, read_record(path)))
        except BadRecord as error:
            print(f"mmbench: left out: {error}", file=sys.stderr)
    return sorted(found, key=lambda pair: (pair[1].started, str(pair[0])))


def newest(root: Path) -> Path:
    """The record that was started last. Raises BadRecord where there is none."""
    from mmbench.records.schema import BadRecord

    found = records_below(root)
    if not found:
        raise BadRecord(f"no record under {root / 'reports' / 'runs'} or {root / '.mmbench'}; run: pytest benchmarks")
    return found[-1][0]
