"""Linear probes by regularised logistic regression (Radford et al. 2021, section 3.2)."""

import pytest

from mmbench.probes.logistic import LOGISTIC

pytestmark = pytest.mark.mmbench(LOGISTIC)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
