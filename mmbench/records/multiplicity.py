"""Many verdicts at once: how many of a run's decided verdicts may be false, and which of them survive adjustment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mmbench.records.schema import VerdictPart
from mmbench.stats import LEVEL

DECIDED = ("supported", "refuted")


@dataclass(frozen=True)
class Multiplicity:
    """``tested`` verdicts of a run, each side at 5 % without adjustment; ``decided`` are supported or refuted.

    A claim that is not true is falsely supported with a probability of at most 5 %, one that is not false is falsely
    refuted with as much. So at most ``expected`` false verdicts are expected among those that are decided. ``survive``
    of them stay decided after Holm's adjustment over the verdicts of their study (``records.verdicts.adjusted``).
    """

    tested: int
    decided: int
    survive: int

    @property
    def expected(self) -> float:
        return LEVEL * self.tested

    def __str__(self) -> str:
        if not self.tested:
            return "no verdict of this run is a test"
        verdicts = "verdict is a test" if self.tested == 1 else "verdicts are tests"
        return (
            f"{self.tested} {verdicts}, at 5 % a side without adjustment: {self.decided} decided, of which at most "
            f"{self.expected:.1f} are expected to be false; {self.survive} still decided after Holm's adjustment by "
            "study"
        )


def multiplicity(verdicts: Iterable[VerdictPart]) -> Multiplicity:
    """Counts over a run's verdicts, on printed and on measured evidence together."""
    tested = [verdict for verdict in verdicts if verdict.tested]
    decided = [verdict for verdict in tested if verdict.outcome in DECIDED]
    return Multiplicity(len(tested), len(decided), sum(not verdict.fails_holm for verdict in decided))
