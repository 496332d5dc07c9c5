"""Texts found for images and images for texts, in one space: recall at 1, 5 and 10."""

import pytest

from mmbench.probes.recall import IMAGE_TO_TEXT, TEXT_TO_IMAGE

pytestmark = pytest.mark.mmbench((IMAGE_TO_TEXT, TEXT_TO_IMAGE))


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
