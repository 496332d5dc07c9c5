"""How far images lie from texts, and what a translation changes (Bielawski 2022, chapter 6); measures of ours."""

import pytest

from mmbench.probes.modality_gap import COUNTERPARTS_OF_IMAGES, DISTANCE, TEXT_TO_IMAGE, TOLD_APART

ALL = (TOLD_APART, DISTANCE, TEXT_TO_IMAGE, COUNTERPARTS_OF_IMAGES)
pytestmark = pytest.mark.mmbench([protocol for table in ALL for protocol in table.values()])


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
