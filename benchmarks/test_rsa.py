"""Similarity of two models: of the same classes (Devillers et al. 2021, section 4), of the same items."""

import pytest

from mmbench.probes.cka import CKA
from mmbench.probes.item_cka import ITEM_CKA
from mmbench.probes.rdm import RSA

pytestmark = pytest.mark.mmbench((RSA, CKA, ITEM_CKA))


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
