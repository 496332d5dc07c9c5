"""Benchmarks that wait for long trainings are known before anything runs, so that they come last."""

from types import SimpleNamespace

from mmbench.claims import CLAIMS
from mmbench.claims.families import About
from mmbench.probes.rdm import RSA
from mmbench.probes.word_pairs import WORD_PAIRS


def test_a_module_waits_where_inputs_of_its_probe_are_trained():
    assert About((RSA, WORD_PAIRS)).waits_for_trainings(model="rn50", dataset="simlex999")
    assert not About(RSA).waits_for_trainings(model="rn50", dataset="imagenet")


def test_a_case_waits_where_its_claim_asks_for_a_cell_that_is_trained():
    words, images = (
        SimpleNamespace(claim=CLAIMS.get(name))
        for name in ("devillers2021-corr-visual-wordsim", "bielawski2022-standard-clip-never-better")
    )
    assert About(claims="overview").waits_for_trainings(words)
    assert not About(claims="overview").waits_for_trainings(images)
