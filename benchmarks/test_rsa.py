"""Similarity of two models' representations of the same classes (Devillers et al. 2021, section 4)."""

import pytest

from mmbench.probes.cka import CKA
from mmbench.probes.rdm import RSA

pytestmark = pytest.mark.mmbench((RSA, CKA))


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
