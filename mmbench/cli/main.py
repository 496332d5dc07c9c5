"""The ``mmbench`` command: list and explain claims, show and fetch a lineup, render reports, record known outcomes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmbench.claims import Claim
    from mmbench.lineups import DatasetBinding, ModelBinding
    from mmbench.records.schema import Record

EXAMPLES = """examples:
  pytest benchmarks                                     judge every claim: printed tables and the embedded lineup
  pytest benchmarks -k bielawski2022 --mmbench-evidence published      the thesis's tables, in seconds, no model
  mmbench claims --study devillers2021                  the claims of one study, with their last verdicts
  mmbench claims bielawski2022-mvsa-vision-clip-best    one claim, explained
  mmbench ledger D-03                                   where a paper and its code differ, and what mmbench does
  mmbench lineup paper                                  who plays each role, and which files are here
  mmbench fetch embedded                                fetch all files of a lineup now, to run offline later
  mmbench report                                        render the newest record again
  mmbench gate baseline.json candidate.json             is the candidate no worse? 0 yes, 1 no, 2 open, 3 not comparable
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all is well, 1 when something failed, 2 for a wrong command line.

    The gate's commands have exit codes of their own: see their --help.
    """
    from mmbench.errors import MMBenchError

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
    except KeyboardInterrupt:
        print("mmbench: stopped; what was finished is kept", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    from mmbench.cli.gate import add_commands
    from mmbench.cli.ledger import add_arguments as add_ledger_arguments
    from mmbench.cli.ledger import run as run_ledger
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

    claims = command("claims", run_claims, "List all claims, or explain one.")
    claims.add_argument("id", nargs="?", help="a claim's id, for everything that is known about it")
    claims.add_argument("--study", help="only claims of this study, e.g. devillers2021")
    _json_and_root(claims)

    add_ledger_arguments(command("ledger", run_ledger, "List where papers, their code and their tables differ."))

    lineup = command(
        "lineup", run_lineup, "Show who plays each role of a lineup, in place of what, and what is missing."
    )
    lineup.add_argument("lineup", nargs="?", help="a lineup's name or TOML file; without it, the names of all")
    lineup.add_argument("--json", action="store_true", help="print JSON for programs")

    fetch = command("fetch", run_fetch, "Fetch and verify every file that a lineup needs.")
    fetch.add_argument("lineup", nargs="?", default="embedded", help="a lineup's name or TOML file (default: embedded)")
    fetch.add_argument("--offline", action="store_true", help="fetch nothing; only say what is missing")

    report = command("report", run_report, "Render a record as Markdown and one self-contained HTML page.")
    report.add_argument("record", nargs="?", type=Path, help="a record (default: the newest one)")
    report.add_argument("--against", type=Path, metavar="RECORD", help="print which verdicts differ from this record")
    report.add_argument("--out", type=Path, metavar="DIR", help="where the pages go (default: .mmbench)")
    report.add_argument("--latex", action="store_true", help="also write the claims as a LaTeX table")
    report.add_argument("--root", type=Path, default=Path(), help=argparse.SUPPRESS)

    expect = command("expect", run_expect, "Record a run's verdicts as the known outcomes that later runs must repeat.")
    expect.add_argument("record", type=Path, help="the record whose verdicts are to be known")
    expect.add_argument(
        "--out", type=Path, default=Path("reports/expected"), metavar="DIR", help="default: reports/expected"
    )

    add_commands(command)

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


def _json_and_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="where reports/runs and .mmbench/runs are (default: this folder)"
    )


# claims


def run_claims(options: argparse.Namespace) -> int:
    from mmbench.claims import CLAIMS
    from mmbench.errors import UnknownName

    last = last_verdicts(options.root)
    if options.id:
        claim = CLAIMS.get(options.id)
        row = claim_row(claim, last)
        print(json.dumps(row, indent=1, ensure_ascii=False) if options.json else explain_claim(claim, row))
        return 0
    chosen = [claim for claim in CLAIMS if claim.study != "planted"]
    if options.study:
        studies = {claim.study for claim in chosen}
        if options.study not in studies:
            raise UnknownName("study", options.study, studies)
        chosen = [claim for claim in chosen if claim.study == options.study]
    rows = [claim_row(claim, last) for claim in chosen]
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    for row in rows:
        found = ", ".join(_said(verdict) for verdict in row["last"]) or "not judged yet"
        print(f"{row['id']}\n    {row['says']}\n    {row['place']}; {_protocols(row)}; {found}")
    print(f"{len(rows)} claims; mmbench claims ID explains one, pytest benchmarks judges them")
    return 0


def claim_row(claim: Claim, last: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """A claim as plain JSON values, with its last verdicts by evidence and lineup."""
    return {
        "id": claim.id,
        "says": claim.says,
        "study": claim.study,
        "place": str(claim.where),
        "section": claim.where.section,
        "exhibit": claim.where.exhibit,
        "protocol": [protocol.name for protocol in claim.protocols],
        "models": list(map(str, claim.models)),
        "datasets": list(claim.datasets),
        "expects": claim.expect.words() if claim.expect else None,
        "status": claim.status,
        "published": bool(claim.published),
        "measurable": claim.measurable,
        "waits_for": claim.waits_for,
        "part_of": claim.part_of,
        "disagreements": list(claim.disagreements),
        "leaves_open": claim.leaves_open,
        "ours": claim.ours,
        "last": last.get(claim.id, []),
    }


def explain_claim(claim: Claim, row: dict[str, Any]) -> str:
    """All that is known about one claim, for a person."""
    lines = [claim.id, f"  says         {claim.says}", f"  place        {claim.where}"]
    lines += [
        f"  {head:<12} {text}"
        for head, text in (
            ("expects", row["expects"]),
            ("protocol", ", ".join(row["protocol"])),
            ("models", ", ".join(map(str, claim.models))),
            ("datasets", ", ".join(claim.datasets)),
            ("status", "" if claim.status == "tested" else f"{claim.status} there, not tested"),
            ("waits for", claim.waits_for),
            ("part of", claim.part_of),
            ("leaves open", claim.leaves_open),
            ("ours", claim.ours),
            ("published", ", ".join(dict.fromkeys(table.name for table in claim.published))),
        )
        if text
    ]
    lines += [f"  disagrees    {text}" for text in claim.disagreements]
    lines += [f"  last         {_said(verdict)} ({verdict['record']})" for verdict in row["last"]]
    return "\n".join([*lines, f"  judge it     pytest benchmarks -k {claim.id}"])


def last_verdicts(root: Path) -> dict[str, list[dict[str, Any]]]:
    """The newest verdict of each claim by evidence and lineup, from the records under ``root``."""
    newest: dict[str, dict[tuple[str, str | None], dict[str, Any]]] = {}
    for path, record in records(root):
        for verdict in record.verdicts:
            lineup = record.lineup.name if verdict.evidence == "measured" else None
            newest.setdefault(verdict.claim, {})[verdict.evidence, lineup] = {
                "evidence": verdict.evidence,
                "lineup": lineup,
                "outcome": verdict.outcome,
                "estimate": verdict.estimate,
                "low": verdict.low,
                "high": verdict.high,
                "started": record.started,
                "record": str(path),
            }
    return {claim: [found[key] for key in sorted(found, key=str)] for claim, found in newest.items()}


def records(root: Path) -> list[tuple[Path, Record]]:
    """Readable records under ``root``, oldest first; one of an unknown schema is named and passed over."""
    from mmbench.records.schema import BadRecord, read_record, records_under

    found = []
    for path in records_under(root / "reports" / "runs", root / ".mmbench" / "runs"):
        try:
            found.append((path, read_record(path)))
        except BadRecord as error:
            print(f"mmbench: passed over: {error}", file=sys.stderr)
    return sorted(found, key=lambda pair: (pair[1].started, str(pair[0])))


def _said(verdict: dict[str, Any]) -> str:
    where = "published" if verdict["evidence"] == "published" else f"measured on {verdict['lineup']}"
    margin = "" if verdict["estimate"] is None else f" {verdict['estimate']:+.3g}"
    return f"{verdict['outcome']} ({where}{margin})"


def _protocols(row: dict[str, Any]) -> str:
    return ", ".join(row["protocol"]) or (f"waits for {row['waits_for']}" if row["waits_for"] else "printed numbers")


# lineups


def run_lineup(options: argparse.Namespace) -> int:
    from mmbench.lineups import describe, lineup_names, load_lineup
    from mmbench.lineups.describe import listing

    if options.lineup is None:
        names = lineup_names()
        print(json.dumps(names) if options.json else "\n".join(f"{name}: {load_lineup(name).about}" for name in names))
        return 0
    lineup = load_lineup(options.lineup)
    rows = describe(lineup, search=True)
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    print("\n".join([f"{lineup.name}: {lineup.about}", *listing(rows)]))
    return 0


def run_fetch(options: argparse.Namespace) -> int:
    from mmbench.assets import ASSETS, cached, fetch
    from mmbench.errors import MMBenchError
    from mmbench.lineups import load_lineup

    lineup = load_lineup(options.lineup)
    wanted: dict[str, None] = {}
    failed = 0
    bindings: list[ModelBinding | DatasetBinding] = [*lineup.models.values(), *lineup.datasets.values()]
    for binding in bindings:
        try:
            wanted |= dict.fromkeys(binding.entry.assets)
        except MMBenchError as error:
            failed += 1
            print(f"mmbench: {binding.role}: {error}", file=sys.stderr)
    for name in wanted:
        if name.startswith("file:"):
            there = Path(name.removeprefix("file:")).exists()
            failed += not there
            print(f"{'here   ' if there else 'missing'}  {name}")
            continue
        try:
            asset = ASSETS.get(name)
            state = "here   " if cached(asset) else "fetched"
            path = fetch(asset, offline=options.offline or None)
            print(f"{state}  {name}  {path.stat().st_size / 1e6:.1f} MB")
        except MMBenchError as error:
            failed += 1
            print(f"mmbench: {error}", file=sys.stderr)
    print(f"{len(wanted)} files for lineup {lineup.name}" + (f", {failed} problems" if failed else ", all verified"))
    return 1 if failed else 0


# records


def run_report(options: argparse.Namespace) -> int:
    from mmbench.records.comparing import compare
    from mmbench.records.schema import read_record
    from mmbench.report.pages import keep_out_of_git, write_latex, write_pages

    record = read_record(_newest(options.root) if options.record is None else options.record)
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


def run_expect(options: argparse.Namespace) -> int:
    from mmbench.records.expected import read_expected, updated, write_expected
    from mmbench.records.schema import read_record

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


def _newest(root: Path) -> Path:
    from mmbench.records.schema import BadRecord

    found = records(root)
    if not found:
        raise BadRecord(f"no record under {root / 'reports' / 'runs'} or {root / '.mmbench'}; run: pytest benchmarks")
    return found[-1][0]


if __name__ == "__main__":
    sys.exit(main())
