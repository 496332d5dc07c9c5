"""Skip-gram vectors whose visual words are frozen at what a model sees (Devillers et al. 2021, section 5)."""

import pytest

from mmbench.probes.visual_words import VISUAL_WORDS
from mmbench.probes.word_analogies import ANALOGIES
from mmbench.probes.word_pairs import ABSTRACT_PAIRS, WORD_PAIRS, WORD_PAIRS_RANKED

pytestmark = pytest.mark.mmbench((ANALOGIES, WORD_PAIRS, ABSTRACT_PAIRS, WORD_PAIRS_RANKED, VISUAL_WORDS))


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
