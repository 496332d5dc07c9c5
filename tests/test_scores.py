"""Scores check what they hold against their metric, keep classes, and say their interval."""

import numpy as np
import pytest

from mmbench.errors import BadScores, UnknownName
from mmbench.metrics import METRICS, Metric, jackknifed
from mmbench.scores import Scores, joint

RIGHT = (np.random.default_rng(0).random((3, 50)) < 0.7).astype(np.float32)


@pytest.fixture
def ratio(monkeypatch) -> str:
    metric = Metric("ratio", jackknifed(lambda predictions, labels: predictions.mean(axis=1)), "", 1.0)
    monkeypatch.setitem(METRICS._entries, "ratio", metric)
    return "ratio"


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        (RIGHT[0], r"outcomes must be \[trials, examples\] and not empty, got shape \(50,\)"),
        (RIGHT[:, :0], "and not empty"),
        (np.where(RIGHT > 0, np.nan, RIGHT), "are not finite; a score with NaN is not judged"),
        (RIGHT * 2, "metric accuracy: expected outcomes from 0 to 1, found 0 to 2"),
        (RIGHT - 1, "metric accuracy: expected outcomes from 0 to 1, found -1 to 0"),
    ],
)
def test_what_is_no_score_is_refused(outcomes, message: str) -> None:
    with pytest.raises(BadScores, match=message):
        Scores(outcomes.astype(np.float32), "accuracy", "x", 0.1)


def test_a_metric_that_is_not_registered_is_refused() -> None:
    with pytest.raises(UnknownName, match="no metric named 'acuracy'"):
        Scores(RIGHT, "acuracy", "x", 0.1)


def test_pseudo_values_may_lie_outside_the_bounds_of_their_statistic(ratio: str) -> None:
    wide = RIGHT * 5 - 2.7
    assert Scores(wide, ratio, "x", 0.0).mean == pytest.approx(wide.mean(), abs=1e-6)
    with pytest.raises(BadScores, match="metric ratio: expected values by trial from 0 to 1"):
        Scores(wide + 1, ratio, "x", 0.0)


def test_means_by_class_and_trial_in_the_printed_unit() -> None:
    labels = np.arange(50) % 3 + 4
    found = Scores(RIGHT, "accuracy", "x", 0.1, classes=labels).by_class()
    assert list(found) == [4, 5, 6]
    for label, means in found.items():
        np.testing.assert_allclose(means, [100 * row[labels == label].mean() for row in RIGHT], rtol=1e-6)


def test_without_classes_or_scores_by_example_nothing_is_said_by_class(ratio: str) -> None:
    with pytest.raises(BadScores, match="do not hold the classes of their examples"):
        Scores(RIGHT, "accuracy", "x", 0.1).by_class()
    with pytest.raises(BadScores, match="ratio is one number for all examples and has none by class"):
        Scores(RIGHT, ratio, "x", 0.1, classes=np.arange(50)).by_class()
    with pytest.raises(BadScores, match=r"expected one class for each of 50 examples, got shape \(49,\)"):
        Scores(RIGHT, "accuracy", "x", 0.1, classes=np.arange(49))


def test_an_interval_stays_within_the_bounds() -> None:
    all_right = Scores(np.ones((1, 20), np.float32), "accuracy", "x", 0.1)
    low, high = all_right.interval()
    assert high == 100.0
    assert 75 < low < 95  # none of 20 is wrong: the rule of three, in points
    low, high = Scores(RIGHT, "accuracy", "x", 0.1).interval()
    assert 50 < low < 100 * RIGHT.mean() < high < 90


def test_cells_of_the_same_examples_are_paired() -> None:
    a, b = (Scores(x, "accuracy", "x", 0.1) for x in (RIGHT, np.roll(RIGHT, 1, axis=0)))
    apart = Scores(b.outcomes, "accuracy", "y", 0.1)
    together, alone = (joint(pair).contrasts([[1.0, -1.0]]).examples[0] for pair in ([a, b], [a, apart]))
    assert together < alone
    np.testing.assert_allclose(joint([a, b]).means, [a.mean, b.mean])
