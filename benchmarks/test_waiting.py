"""Claims whose protocol or data mmbench has not got yet: unmeasured, each naming what it waits for."""

import pytest

pytestmark = pytest.mark.mmbench(claims="waiting")


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
