"""Correlations over pairs agree with scipy, and their fast leave-one-out values with leaving one out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mmbench.errors import BadScores
from mmbench.metrics import METRICS

REFERENCE = {"pair_pearson": stats.pearsonr, "pair_spearman": stats.spearmanr}


def made(seed, n, ties):
    rng = np.random.default_rng(seed)
    ratings = rng.uniform(0, 10, n)
    found = 0.3 * ratings + rng.standard_normal((2, n))
    return (np.round(found), np.round(ratings)) if ties else (found, ratings)


@pytest.mark.parametrize("name", REFERENCE)
@given(seed=st.integers(0, 10_000), n=st.integers(8, 40), ties=st.booleans())
def test_it_is_scipys_and_pseudo_values_are_those_of_leaving_one_out(name, seed, n, ties):
    predictions, ratings = made(seed, n, ties)
    if ties and min(len(set(row)) for row in (*predictions, ratings)) < 4:
        return
    outcome = METRICS.get(name).outcome
    expected = [REFERENCE[name](row, ratings).statistic for row in predictions]
    np.testing.assert_allclose(outcome.statistic(predictions, ratings), expected, atol=1e-12)
    without = [
        [REFERENCE[name](np.delete(row, i), np.delete(ratings, i)).statistic for i in range(n)] for row in predictions
    ]
    np.testing.assert_allclose(outcome.leave_one_out(predictions, ratings), without, atol=1e-10)
    np.testing.assert_allclose(outcome(predictions, ratings).mean(axis=1), expected, atol=1e-5)


def test_similarities_that_do_not_vary_are_refused():
    with pytest.raises(BadScores, match="pair_pearson is not finite on all examples"):
        METRICS.get("pair_pearson").outcome(np.ones((1, 6)), np.arange(6.0))


def test_the_unit_of_ratings_does_not_matter():
    predictions, ratings = made(3, 30, ties=False)
    outcome = METRICS.get("pair_pearson").outcome
    np.testing.assert_allclose(outcome(predictions, ratings), outcome(predictions, 100 + ratings * 7), atol=1e-4)


def test_ranks_are_made_some_pairs_at_a_time_with_the_same_result(monkeypatch):
    predictions, ratings = made(4, 37, ties=True)
    outcome = METRICS.get("pair_spearman").outcome
    at_once = outcome(predictions, ratings)
    monkeypatch.setattr("mmbench.metrics.word_pairs.TILE", 5 * predictions.size)
    np.testing.assert_array_equal(outcome(predictions, ratings), at_once)
