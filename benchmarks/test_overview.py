"""Rankings over several tasks and correlations between them (Devillers et al. 2021, section 3.5)."""

import pytest

pytestmark = pytest.mark.mmbench(claims="overview")


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
