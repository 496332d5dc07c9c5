"""Operations of a translation beside those of encoding an image; a count of ours."""

import pytest

from mmbench.probes.translation_cost import TRANSLATION_COST

pytestmark = pytest.mark.mmbench(TRANSLATION_COST)


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
