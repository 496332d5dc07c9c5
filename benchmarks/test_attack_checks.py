"""Whether attacks work as they should: loss by steps, gradients, adversarial images of other models."""

import pytest

from mmbench.probes.attack_checks import ALONE_BY_NORM, LOSSES, NO_GRADIENT

pytestmark = pytest.mark.mmbench((*LOSSES, NO_GRADIENT, *ALONE_BY_NORM.values()))


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
