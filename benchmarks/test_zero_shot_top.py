"""Zero-shot transfer with several answers (Radford et al. 2021, section 3.1), where a claim asks for it.

It has no ``test_cell``: on every set of images, five answers would be asked of datasets with fewer classes.
"""

import pytest

from mmbench.probes.zero_shot_top import ZERO_SHOT_TOP1, ZERO_SHOT_TOP5

pytestmark = pytest.mark.mmbench((ZERO_SHOT_TOP1, ZERO_SHOT_TOP5))


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
