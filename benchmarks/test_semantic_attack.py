"""Targeted attacks and distance in meaning (Bielawski 2022, section 7.4)."""

import pytest

from mmbench.probes.semantic_attack import SEMANTIC

pytestmark = pytest.mark.mmbench(SEMANTIC)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
