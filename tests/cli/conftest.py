"""Records for the tests of the command."""

import pytest

from mmbench.records.files import save_record
from mmbench.records.schema import LineupPart, Record, VerdictPart

MACHINE = {"cpu": "a processor", "cores": 2, "os": "Linux 6", "architecture": "x86_64", "python": "3.11.7"}
CLAIM = "bielawski2022-mvsa-vision-clip-best"


@pytest.fixture
def root(tmp_path):
    """A folder with two records of one claim, the later one refuting it."""
    for second, outcome in ((1, "supported"), (2, "refuted")):
        verdict = VerdictPart(claim=CLAIM, study="bielawski2022", evidence="measured", outcome=outcome, estimate=1.5)
        record = Record(
            label="mine", machine=MACHINE, versions={}, lineup=LineupPart(name="mine"),
            started=f"2026-01-01T00:00:0{second}Z", seconds=1.0, verdicts=(verdict,),
        )  # fmt: skip
        save_record(record, tmp_path / "reports" / "runs" / "box")
    return tmp_path
