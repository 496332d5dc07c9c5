"""The gate of one pytest run: the baseline read before the first test, the decision made after the last.

Holm's adjustment needs every cell, so nothing is decided for a single test while the run goes on; the run as a whole
passes or fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbench.errors import BadSpec, MMBenchError
from mmbench.gate.comparison import gate_records
from mmbench.gate.decision import Margins
from mmbench.gate.pages import Refused, Result, decided_of, gate_lines, write_gate
from mmbench.gate.pairing import check_outcomes
from mmbench.records.files import read_record
from mmbench.records.schema import Record
from mmbench.report.summary import Line
from mmbench.session.run_notes import RunNotes
from mmbench.words import listed


@dataclass
class SessionGate:
    """What the run is compared with and how, and what came of it."""

    baseline: Record
    margins: Margins
    allow_preprocessing: bool = False
    inconclusive_passes: bool = False
    result: Result | None = None

    @classmethod
    def asked(cls, option: Callable[[str], Any]) -> SessionGate | None:
        """The gate that the run's options ask for, or None; ``option`` gives the value of one by name.

        Raises BadRecord for a baseline that cannot be read or gated on, BadSpec or UnknownName for a bad margin.
        """
        baseline, margins = option("gate"), option("margin") or ()
        if not baseline:
            if margins:
                raise BadSpec("--mmbench-margin is a margin of the gate; name its baseline with --mmbench-gate")
            return None
        record = read_record(Path(baseline))
        check_outcomes(record, baseline)
        return cls(
            record, Margins.parse(margins), option("gate_allow_preprocessing"), option("gate_inconclusive") == "pass"
        )

    def decide(self, notes: RunNotes) -> None:
        """Compare the cells that the run asked for.

        A cell that it asked for and did not get (a checkpoint that is not there) keeps the gate from passing.
        """
        self.result = self._compared(notes)

    def write(self, folder: Path) -> list[Path]:
        """Write gate.md, gate.json and gate.xml of what was decided into ``folder``; raises OSError."""
        assert self.result is not None
        forms = {"markdown": "gate.md", "json": "gate.json", "junit": "gate.xml"}
        return write_gate(self.result, {form: folder / name for form, name in forms.items()})

    def _compared(self, notes: RunNotes) -> Result:
        record = notes.last
        broken = sorted(notes.broken & {str(part) for part in self.baseline.cells})
        if broken:
            return Refused(f"{notes.lost[broken[0]]} ({len(broken)} cells of the baseline)", "fail")
        if record is None:
            return Refused("this run measured no cell, so there is nothing to gate")
        if notes.moved:
            return Refused(f"files of {listed(notes.moved)} were replaced during this run; start the run again", "fail")
        try:
            return gate_records(
                self.baseline,
                record,
                self.margins,
                among={str(part) for part in record.cells} | notes.lost.keys(),
                allow_preprocessing=self.allow_preprocessing,
                reasons=notes.lost,
            )
        except MMBenchError as error:
            return Refused(str(error))

    @property
    def failed(self) -> bool:
        """Whether the run fails by it: anything but a pass, or an inconclusive gate where that may pass."""
        assert self.result is not None
        decided = decided_of(self.result)
        return decided != "pass" and not (decided == "inconclusive" and self.inconclusive_passes)

    def lines(self, *, verbose: bool = False) -> list[Line]:
        """What the terminal says of it."""
        if self.result is None:
            return [("gate: not decided, as the run did not finish", ("yellow",))]
        return gate_lines(self.result, verbose=verbose)
