"""The class that a language model names when it writes about an image, through a linear map into its token vectors."""

import pytest

from mmbench.probes.captioning import CAPTIONED_NAMES

pytestmark = pytest.mark.mmbench(CAPTIONED_NAMES)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
