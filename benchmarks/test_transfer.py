"""Adversarial images of one model, shown to another."""

import pytest

from mmbench.probes.attack_checks import TRANSFER

pytestmark = pytest.mark.mmbench(TRANSFER.at(norm="linf", epsilon=0.01))


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
