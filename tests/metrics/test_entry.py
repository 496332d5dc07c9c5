"""Units, directions and bounds as data; what lies outside the bounds is refused."""

import numpy as np
import pytest

from mmbench.errors import BadScores, UnknownName
from mmbench.metrics import METRICS, USUAL, Metric, jackknifed

EXPECTED = {
    # name: scale, unit, bounds, higher is better, jackknifed, one example is
    "accuracy": (100.0, "%", (0.0, 1.0), True, False, "rows"),
    "f1_samples": (1.0, "", (0.0, 1.0), True, False, "rows"),
    "attack_success": (100.0, "%", (0.0, 1.0), False, False, "rows"),
    "mean_per_class": (100.0, "%", (0.0, 1.0), True, True, "rows"),
    "nmi": (1.0, "", (0.0, 1.0), True, True, "rows"),
    "adjusted_rand": (1.0, "", (-0.5, 1.0), True, True, "rows"),
    "rdm_pearson": (1.0, "", (-1.0, 1.0), True, True, "classes"),
    "rdm_spearman": (1.0, "", (-1.0, 1.0), True, True, "classes"),
}


def test_each_metric_has_its_unit_bounds_and_direction() -> None:
    found = {m.name: (m.scale, m.unit, (m.low, m.high), m.higher_is_better, m.jackknifed, m.over) for m in METRICS}
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert all(metric.about for metric in METRICS)


def test_every_task_of_a_dataset_has_its_usual_metric() -> None:
    assert set(USUAL.values()) <= set(METRICS.names())


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(UnknownName, match=r"no metric named 'acuracy'\. Did you mean 'accuracy'"):
        METRICS.get("acuracy")


def test_a_width_is_in_the_printed_unit() -> None:
    assert METRICS.get("accuracy").width == 100.0
    assert METRICS.get("rdm_pearson").width == 2.0


def test_outcomes_outside_the_bounds_are_refused_by_name_value_and_bounds() -> None:
    metric = Metric("gain", lambda predictions, labels: predictions, "", 1.0, low=-1.0, high=0.5)
    metric.check(np.array([[-1.0, 0.5]]))
    with pytest.raises(BadScores, match=r"metric gain: expected outcomes from -1 to 0\.5, found -2 to 0\.25"):
        metric.check(np.array([[-2.0, 0.25]]))
    with pytest.raises(BadScores, match=r"found -1 to 0\.51"):
        metric.check(np.array([[-1.0, 0.51]]))


def test_pseudo_values_may_lie_outside_and_their_statistic_may_not() -> None:
    metric = Metric("r", jackknifed(lambda predictions, labels: predictions.mean(axis=1)), "", 1.0)
    metric.check(np.array([[-3.0, 4.0]]))
    with pytest.raises(BadScores, match=r"metric r: expected values by trial from 0 to 1, found 0\.5 to 1\.5"):
        metric.check(np.array([[-3.0, 4.0], [-3.0, 6.0]]))


def test_chance_is_0_where_no_constant_answer_is_given() -> None:
    assert METRICS.get("nmi").chance(np.array([0, 1])) == 0.0
