"""Phrases that every page and the terminal share: what qualifies a verdict, and what its readings say."""

from __future__ import annotations

from mmbench.records.schema import OtherReadingPart, ReadingsPart, Record, VerdictPart
from mmbench.stats import LEVEL
from mmbench.verdict.outcome import said_of_chance
from mmbench.verdict.readings import WORDS

COLUMN_WORDS = {
    "supported": "Supported: a test puts the one-sided 95 % bound of the margin on the claim's side.",
    "refuted": "Refuted: a test puts the other bound on the other side.",
    "point": "Point: no test. Printed numbers without spread decide it by the sign of the margin, for or against.",
    "inconclusive": "Inconclusive: the bounds hold both sides.",
    "unmeasured": "Unmeasured: what is missing is named.",
}
UNINFORMATIVE = (
    "Uninformative: in the comparison that decides, neither side is better than chance or than the untrained network. "
    "The verdict is counted in its column and says nothing about what the models know."
)

UNITS = (
    "A margin is positive on the claim's side. Points are percentage points, r and rho correlations, places those of a "
    "mean rank; height is that of joins in a dendrogram; a metric without a unit is named, and a unit that the paper "
    'does not say is "as printed".'
)


def p_value(value: float | None) -> str:
    """A p-value as prose gives it."""
    if value is None:
        return "—"
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def flags(verdict: VerdictPart) -> tuple[str, ...]:
    """What qualifies a verdict, in the order of weight: every table and line shows these words beside it."""
    found = []
    if verdict.point:
        found.append("sign only, no test")
    if verdict.uninformative:
        found.append("UNINFORMATIVE")
    if verdict.fails_holm:
        found.append("not after Holm")
    return tuple(found)


def verdict_words(verdict: VerdictPart | OtherReadingPart) -> str:
    """Outcome, what qualifies it, and the margin with its bounds."""
    marks = flags(verdict) if isinstance(verdict, VerdictPart) else ("UNINFORMATIVE",) * bool(verdict.uninformative)
    said = ", ".join((verdict.outcome, *marks))
    if verdict.estimate is None:
        return said
    if verdict.low is None or verdict.high is None:
        return f"{said}, margin {verdict.margin}"
    return f"{said}, margin {verdict.margin} [{verdict.low:+.3g}, {verdict.high:+.3g}]"


def chance_words(verdict: VerdictPart) -> str:
    """Why a verdict, or some of its comparisons, says nothing; empty where all of them say something."""
    return said_of_chance(verdict.uninformative, verdict.at_chance, len(verdict.parts))


def readings_words(verdict: VerdictPart) -> str:
    """How the verdict under the authors' code stands to that under the paper's text; empty without such a reading."""
    state, other, test = verdict.reading_state, verdict.other_reading, verdict.readings
    if state is None or other is None:
        return ""
    margin = f", margin {other.margin}" if other.margin else ""
    said = f"{other.outcome}{margin}; {WORDS[state]}."
    if state == "not comparable" or test is None:
        return said
    if test.difference is None or test.p is None:
        return f"{said} The difference is not tested: {test.untested}."
    found = "differs" if test.p <= LEVEL else "is not shown to differ"
    elsewhere = "; under the code another comparison decides" if test.elsewhere else ""
    return (
        f"{said} The paper's deciding margin {found} there: by {reading_difference(test)} "
        f"(95 %, paired), p {p_value(test.p)}{elsewhere}."
    )


def reading_difference(test: ReadingsPart) -> str:
    """The tested difference of two readings with its interval; empty where none was tested."""
    if test.difference is None:
        return ""
    bounds = "" if test.low is None or test.high is None else f" [{test.low:+.3g}, {test.high:+.3g}]"
    return f"{test.difference:+.3g}{bounds}"


def uninformative_words(record: Record) -> str:
    """How many of a run's verdicts are uninformative; empty where none is."""
    marked = [verdict for verdict in record.verdicts if verdict.uninformative]
    if not marked:
        return ""
    decided = sum(verdict.outcome in ("supported", "refuted") for verdict in marked)
    verdicts = "verdict is" if len(marked) == 1 else "verdicts are"
    return (
        f"{len(marked)} {verdicts} uninformative ({decided} decided): neither side of the comparison that decides is "
        "better than chance or than the untrained network"
    )


def points_words(record: Record) -> str:
    """How many verdicts rest on signs, and which way; empty where none does."""
    found = [verdict.outcome for verdict in record.verdicts if verdict.point]
    if not found:
        return ""
    verdicts = "verdict is a point" if len(found) == 1 else "verdicts are points"
    return (
        f"{len(found)} {verdicts}: the sign of printed numbers without spread, which is no test "
        f"({found.count('supported')} for the claim, {found.count('refuted')} against)"
    )
