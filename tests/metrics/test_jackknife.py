"""Pseudo-values against the definition, by laws, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.errors import BadScores
from mmbench.metrics import jackknifed, of_sums, ratio_of_sums

SEEDS = st.integers(0, 2**32 - 1)
LABELS = np.zeros(12)


def mean(predictions, labels):
    return predictions.mean(axis=1)


def variance(predictions, labels):
    return predictions.var(axis=1)


@settings(max_examples=20)
@given(SEEDS)
def test_a_mean_has_its_own_examples_as_pseudo_values(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(3, 12))
    np.testing.assert_allclose(jackknifed(mean)(values, LABELS), values, atol=1e-5)


@settings(max_examples=20)
@given(SEEDS)
def test_the_mean_is_the_statistic_and_the_spread_the_jackknife_s(seed: int) -> None:
    """Quenouille and Tukey: the variance is (n - 1) / n times the squared distances of the leave-one-out values."""
    values = np.random.default_rng(seed).normal(size=(1, 12))
    found = jackknifed(variance)(values, LABELS)
    without = np.array([np.delete(values[0], i).var() for i in range(12)])
    assert found.mean() == pytest.approx(values.var(), abs=1e-6)
    assert found.var(ddof=1) / 12 == pytest.approx(11 / 12 * ((without - without.mean()) ** 2).sum(), rel=1e-4)


@settings(max_examples=20)
@given(SEEDS)
def test_a_ratio_of_sums_agrees_with_leaving_out_one_by_one(seed: int) -> None:
    parts = np.random.default_rng(seed).random((2, 12, 2)) + 0.5

    def whole(predictions, labels):
        return predictions[..., 0].sum(axis=1) / predictions[..., 1].sum(axis=1)

    fast, slow = ratio_of_sums(lambda predictions, labels: predictions), jackknifed(whole)
    np.testing.assert_allclose(fast(parts, LABELS), slow(parts, LABELS), atol=1e-5)
    np.testing.assert_allclose(fast.statistic(parts, LABELS), whole(parts, LABELS))


def test_any_function_of_sums() -> None:
    """A geometric mean of two ratios, as in BLEU with two orders."""
    counts = np.random.default_rng(0).integers(1, 9, (2, 12, 4))

    def geometric(sums):
        return np.sqrt(sums[..., 0] / sums[..., 1] * sums[..., 2] / sums[..., 3])

    fast = of_sums(lambda predictions, labels: predictions, geometric)
    slow = jackknifed(lambda predictions, labels: geometric(predictions.sum(axis=1)))
    np.testing.assert_allclose(fast(counts, LABELS), slow(counts, LABELS), atol=1e-5)


def test_labels_are_left_out_with_their_rows() -> None:
    def right(predictions, labels):
        return (predictions == labels[None]).mean(axis=1)

    found = jackknifed(right)(np.array([[0, 1, 2, 2]]), np.array([0, 1, 1, 2]))
    np.testing.assert_allclose(found, [[1, 1, 0, 1]], atol=1e-6)


def test_one_example_cannot_be_jackknifed() -> None:
    with pytest.raises(BadScores, match="mean needs at least 2 examples to be jackknifed, found 1"):
        jackknifed(mean, lambda predictions, labels: predictions)(np.array([[1.0]]), LABELS[:1])


def test_a_value_that_is_not_finite_is_refused_with_the_case() -> None:
    ratio = ratio_of_sums(lambda predictions, labels: predictions)
    nothing = np.zeros((1, 3, 2))
    with pytest.raises(BadScores, match="is not finite on all examples"):
        ratio(nothing, LABELS[:3])
    nothing[0, 0] = 1.0
    with pytest.raises(BadScores, match=r"is not finite when one example is left out \(1 of 3 values\)"):
        ratio(nothing, LABELS[:3])
