"""judge(claim, evidence) -> Verdict: what the evidence says about the claim, with its uncertainty.

Supported when the one-sided p-value for the claim is at most 0.05, refuted when the one against it is, otherwise
inconclusive. Conjunctions, disjunctions and "at least n of N" combine the p-values of their parts by
``stats.quorum_p``; refuting one uses the complement. Printed numbers without a spread are decided by sign and marked
``point``. Missing cells make a claim unmeasured, unless what is there decides it.
"""

from mmbench.verdict.evidence import Evidence, Measured, Published
from mmbench.verdict.judging import judge
from mmbench.verdict.networks import Networks
from mmbench.verdict.outcome import Outcome, Part, Row, Verdict, describe

__all__ = [
    "Evidence",
    "Measured",
    "Networks",
    "Outcome",
    "Part",
    "Published",
    "Row",
    "Verdict",
    "describe",
    "judge",
]
