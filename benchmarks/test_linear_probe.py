"""Transfer learning with a linear probe (Devillers et al. 2021, section 3.3)."""

import pytest

from mmbench.probes.linear import LINEAR_PROBE

pytestmark = pytest.mark.mmbench(LINEAR_PROBE)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
