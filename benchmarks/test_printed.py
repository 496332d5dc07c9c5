"""Arithmetic on printed tables, counts and prior art: numbers that no probe of ours makes."""

import pytest

pytestmark = pytest.mark.mmbench(claims="printed")


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
