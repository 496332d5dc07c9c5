"""How many of many verdicts may be false, and which survive Holm's adjustment."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from mmbench.records.multiplicity import multiplicity
from mmbench.records.schema import VerdictPart
from mmbench.records.verdicts import adjusted

from ..made_records import verdict


def parts(*found):
    return [VerdictPart(**part) for part in adjusted(list(found))]


def test_counts_by_hand():
    found = multiplicity(
        parts(
            verdict("a-1", p_support=0.001),
            verdict("a-2", p_support=0.04),
            verdict("a-3", "refuted", p_support=0.99, p_refute=0.01),
            verdict("a-4", "inconclusive", p_support=0.3, p_refute=0.7),
            verdict("b-1", p_support=0.04),
            verdict("a-5", p_support=0.0, p_refute=1.0, evidence="published"),  # exact numbers
            verdict("a-6", point=True, p_support=None, p_refute=None, evidence="published"),
            verdict("a-7", "unmeasured"),
        )
    )
    assert (found.tested, found.decided, found.survive) == (5, 4, 3)  # a-2 pays for three others and fails
    assert found.expected == pytest.approx(0.25)
    assert str(multiplicity([])) == "no verdict of this run is a test"


@pytest.mark.parametrize(
    ("outcome", "support", "refute", "holm", "fails"),
    [
        ("supported", 0.02, 1.0, 0.02, False),
        ("supported", 0.2, 1.0, 0.2, True),
        ("refuted", 1.0, 0.2, 0.2, True),
        ("inconclusive", 0.3, 0.9, 0.3, False),
        ("unmeasured", 0.3, 0.9, None, False),
        ("supported", None, None, None, False),
    ],
)
def test_the_adjusted_p_value_is_that_of_the_decided_side(outcome, support, refute, holm, fails):
    known = {"p_support": 0.01, "p_refute": 0.98, "holm_support": support, "holm_refute": refute}
    found = VerdictPart(**verdict("a-1", outcome) | known)
    assert (found.holm, found.fails_holm) == (holm, fails)


def test_false_verdicts_are_as_many_as_is_said_and_after_holm_there_are_hardly_any():
    """Runs of 60 claims whose margins are exactly 0, on samples from a fixed pool of counts (Poisson, less its mean).

    At most 5 % a side are false, 3 of 60; after Holm some verdict of a run is false in at most 5 % of 300 runs a side.
    """
    rng = np.random.default_rng(5)
    pool = rng.poisson(3.0, 20_000).astype(float)
    pool -= pool.mean()
    false, runs = [], []
    for _ in range(300):
        drawn = rng.choice(pool, size=(60, 200))
        p = ttest_1samp(drawn, 0.0, axis=1, alternative="greater").pvalue
        outcomes = np.where(p <= 0.05, "supported", "inconclusive")
        claims = enumerate(zip(outcomes, p, strict=True))
        found = multiplicity(parts(*(verdict(f"a-{i}", str(o), p_support=x, p_refute=1 - x) for i, (o, x) in claims)))
        false.append(found.decided)
        runs.append(found.survive > 0)
        assert found.expected == pytest.approx(3.0)
    assert np.mean(false) <= 3.0 + 2 * np.sqrt(60 * 0.05 * 0.95 / 300)
    assert np.mean(runs) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)
