"""Robustness to attacks over epsilons (Devillers et al. 2021, section 3.4), with noise of the same size beside them."""

import pytest

from mmbench.probes.attack_sweep import FIGURE

pytestmark = pytest.mark.mmbench(FIGURE)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
