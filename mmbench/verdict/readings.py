"""A claim under two readings (the paper's text, the authors' code): how the two verdicts stand to each other.

Two labels alone do not show that a reading matters: a verdict that is open under both is not confirmed, and supported
beside inconclusive may be a difference of nothing. Both readings are measured on the same examples, so the margin of
the comparison that decides under the paper's reading is tested against the margin of the same comparison under the
code's, as one contrast, in pairs. (Two different comparisons may be in different units.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from mmbench.claims.claim import Claim, as_code
from mmbench.conditions import DUST, Curved, Linear, cells_of
from mmbench.stats import Joint
from mmbench.verdict.evidence import Evidence, Gathered, gather
from mmbench.verdict.outcome import Verdict

State = Literal["same", "open", "opposite", "not comparable"]
WORDS: dict[State, str] = {
    "same": "the verdict is the same",
    "open": "whether the verdict is the same is open",
    "opposite": "the verdict is the opposite",
    "not comparable": "the two are not comparable, since one is unmeasured",
}


@dataclass(frozen=True)
class Readings:
    """Two readings of one claim. ``difference`` is the margin under the code's reading less that under the paper's.

    It is of the comparison that decides under the paper's reading, in printed units; ``elsewhere`` says that another
    one decides under the code's. ``low`` and ``high`` are its two-sided 95 % interval, ``p`` is the two-sided p-value
    of no difference. ``untested`` says why there is no test; the numbers are then None.
    """

    state: State
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    untested: str = ""
    elsewhere: bool = False


def state_of(paper: str, code: str) -> State:
    """How the outcomes under two readings stand to each other; one that is not decided leaves it open."""
    if "unmeasured" in (paper, code):
        return "not comparable"
    if "inconclusive" in (paper, code):
        return "open"
    return "same" if paper == code else "opposite"


def compare_readings(claim: Claim, evidence: Evidence, paper: Verdict, code: Verdict) -> Readings:
    """The two verdicts on ``claim``, both made by ``judge`` from this evidence, and the test of their difference."""
    state = state_of(paper.outcome, code.outcome)
    if state == "not comparable":
        return Readings(state)
    if paper.deciding is None:
        return Readings(state, untested="no single comparison decides")
    leaves = paper.deciding, paper.deciding.with_cells(as_code)
    blank = Readings(state, elsewhere=code.deciding != leaves[1])
    gathered = gather(claim, evidence, dict.fromkeys(cell for leaf in leaves for cell in cells_of(leaf)))
    if gathered.joint is None or gathered.missing:
        return replace(blank, untested="a cell has no spread")
    if any(isinstance(leaf, Curved) and leaf.parts is not None for leaf in leaves):
        return replace(blank, untested="what decides (joins of a dendrogram) may jump between the two")
    terms = [leaf.tangent(gathered.means) for leaf in leaves]
    if terms[0] is None or terms[1] is None:
        return replace(blank, untested="what decides (a correlation, a rank) is not linear in its cells")
    difference = terms[1] - terms[0]
    assert isinstance(difference, Linear)
    if all(abs(weight) < DUST for _, weight in difference.weights):
        return replace(blank, untested="the same cells decide under both readings")
    return _tested(blank, difference, gathered, gathered.joint)


def _tested(blank: Readings, difference: Linear, gathered: Gathered, joint: Joint) -> Readings:
    weights = dict(difference.weights)
    found = joint.contrasts([[weights.get(cell, 0.0) for cell in gathered.rows]], [difference.constant])[0]
    low, high = found.interval()
    return replace(
        blank, difference=found.value, low=low, high=high, p=min(1.0, 2 * min(found.p_above(), found.p_below()))
    )
