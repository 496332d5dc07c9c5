"""Captions that a decoder of text vectors writes from image vectors, translated or not (Bielawski 2022, chapter 6)."""

import pytest

from mmbench.probes.written_captions import PROTOCOLS_OF_CAPTIONS

pytestmark = pytest.mark.mmbench(PROTOCOLS_OF_CAPTIONS)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
