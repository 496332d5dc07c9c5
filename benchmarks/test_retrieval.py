"""The text that belongs to an image, found through a linear map from image features to text features."""

import pytest

from mmbench.probes.retrieval import LINEAR_MAP_RETRIEVAL

pytestmark = pytest.mark.mmbench(LINEAR_MAP_RETRIEVAL)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
