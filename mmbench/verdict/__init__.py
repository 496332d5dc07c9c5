"""judge(claim, evidence) -> Verdict: what the evidence says about the claim, with its uncertainty.

Supported when the one-sided p-value for the claim is at most 0.05, refuted when the one against it is, otherwise
inconclusive. Conjunctions, disjunctions and "at least n of N" combine the p-values of their parts by
``stats.quorum_p``; refuting one uses the complement. Exact numbers (counts, sizes) have an error of 0. Printed scores
without a spread are decided by sign and marked ``point``. Missing cells make a claim unmeasured, unless what is there
decides it. ``about`` says what a verdict's interval speaks of, ``uninformative`` that it compares what is at chance.
"""

from mmbench.verdict.about import About
from mmbench.verdict.evidence import Evidence, Measured, Published
from mmbench.verdict.judging import judge
from mmbench.verdict.networks import Networks
from mmbench.verdict.outcome import Outcome, Part, Row, Verdict, describe
from mmbench.verdict.readings import Readings, compare_readings, state_of

__all__ = [
    "About",
    "Evidence",
    "Measured",
    "Networks",
    "Outcome",
    "Part",
    "Published",
    "Readings",
    "Row",
    "Verdict",
    "compare_readings",
    "describe",
    "judge",
    "state_of",
]
