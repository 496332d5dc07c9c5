"""Metrics that score single examples, against scikit-learn and answers worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from mmbench.metrics import METRICS, outcomes
from mmbench.metrics.outcomes import f1_samples


def test_accuracy_keeps_each_example() -> None:
    found = METRICS.get("accuracy").outcome(np.array([[0, 1, 2], [0, 0, 0]]), np.array([0, 1, 1]))
    assert found.tolist() == [[1, 1, 0], [1, 0, 0]]
    assert found.dtype == np.float32


def test_attack_success_is_what_accuracy_is_not() -> None:
    predictions, labels = np.array([[0, 1, 2], [0, 0, 0]]), np.array([0, 1, 1])
    metric = METRICS.get("attack_success")
    assert metric.outcome(predictions, labels).tolist() == [[0, 0, 1], [0, 1, 1]]
    assert (metric.unit, metric.scale, metric.higher_is_better) == ("%", 100.0, False)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_f1_agrees_with_scikit_learn_empty_rows_included(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, predictions = rng.random((30, 5)) < 0.3, rng.random((3, 30, 5)) < 0.3
    for trial, found in zip(predictions, f1_samples(predictions, labels), strict=True):
        # one F1 a column of the transposed table is one F1 an example, and their mean the average over samples
        np.testing.assert_allclose(found, f1_score(labels.T, trial.T, average=None, zero_division=0), atol=1e-6)
        assert found.mean() == pytest.approx(f1_score(labels, trial, average="samples", zero_division=0), abs=1e-6)


def test_chance_is_the_best_constant_answer() -> None:
    labels = np.array([0, 0, 0, 1, 2])
    assert METRICS.get("accuracy").chance(labels) == pytest.approx(0.6)
    assert METRICS.get("attack_success").chance(labels) == pytest.approx(0.4)
    several = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0]], dtype=bool)
    constants = [[bool(mask >> i & 1) for i in range(3)] for mask in range(1, 8)]
    best = max(f1_samples(np.broadcast_to(c, (1, 4, 3)), several).mean() for c in constants)
    assert METRICS.get("f1_samples").chance(several) == pytest.approx(best)


def test_the_module_is_found_by_the_registry() -> None:
    assert {"accuracy", "f1_samples", "attack_success"} <= set(METRICS.names())
    assert METRICS.get("accuracy").outcome is outcomes.accuracy
