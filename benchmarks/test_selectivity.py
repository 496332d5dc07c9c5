"""Units that answer to a concept in every form (Goh et al. 2021, cited in Bielawski 2022, sections 4.2 and 5.2)."""

import pytest

from mmbench.probes.selectivity import SELECTIVITY

pytestmark = pytest.mark.mmbench(SELECTIVITY)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
