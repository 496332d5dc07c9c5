"""Tweets, book covers and film posters: image and text encoders alone and joined (Bielawski 2022, section 5.2)."""

import pytest

from mmbench.probes.fusion import FUSIONS
from mmbench.probes.mlp import MLP_HEAD
from mmbench.probes.neighbours import NEIGHBOURS

pytestmark = pytest.mark.mmbench((MLP_HEAD, FUSIONS, NEIGHBOURS.over(shots=(1, 5, 10))))


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
