"""Robustness to adversarial attacks (Devillers et al. 2021, section 3.4), through linear heads of ours."""

import pytest

from mmbench.probes.attack import PGD_L2, PGD_LINF

pytestmark = pytest.mark.mmbench([PGD_LINF, PGD_L2])


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
