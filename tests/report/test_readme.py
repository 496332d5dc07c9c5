"""README shows the counts of the newest committed record, in the words of the terminal."""

from pathlib import Path

from mmbench.records.files import read_record
from mmbench.report.summary import summary_lines

ROOT = Path(__file__).parents[2]
SHOWN = 3  # lines of claims, before the dots


def test_the_readmes_counts_are_those_of_the_newest_record():
    """Where this fails, write the lines that it shows between the marks of README's block."""
    records = map(read_record, sorted((ROOT / "reports" / "runs").rglob("[0-9]*.json")))
    record = max(records, key=lambda record: record.started)
    lines = [line for line, _ in summary_lines(record)]
    head = next(i for i, line in enumerate(lines) if line.startswith("refuted ("))
    expected = "\n".join([*lines[: head + 1 + SHOWN], "  ..."])
    block = (ROOT / "README.md").read_text(encoding="utf-8").split("## What a run says")[1].split("```")[1].strip()
    assert block == expected
