"""Images decoded from frozen features by a linear map (Bielawski 2022, sections 5.2 and 7.3, supposes a loss)."""

import pytest

from mmbench.probes.reconstruction import RECONSTRUCTION

pytestmark = pytest.mark.mmbench(RECONSTRUCTION)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
