"""Jackknifed statistics and curved leaves hold their error rates, and wrong methods do not pass the check."""

from dataclasses import replace

import numpy as np
import pytest

from mmbench.calibration.simulation import faults
from mmbench.calibration.statistic_simulation import curves, designs, row, simulate, simulate_curve
from mmbench.conditions import Curved

RUNS = 120  # the bounds allow three standard errors of this many; reports/calibration.json has more
DESIGNS = {design.name: design for design in designs()}
CURVES = {null.name: null for null in curves()}
QUICK = [
    "rdm_pearson, euclidean distances, 20 classes",
    "corpus score as BLEU, 50 sentences",
    "micro-averaged F1, 100 rows, 1 trial",
    "mean_per_class, 300 rows, 1 trial",
]


@pytest.mark.parametrize("name", QUICK)
def test_statistics_hold_their_error_rates(name: str) -> None:
    assert faults({"statistics": simulate(DESIGNS[name], RUNS, seed=5_000)}) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DESIGNS if name not in QUICK and "40 classes" not in name])
def test_the_other_statistics_do_too(name: str) -> None:
    found = faults({"statistics": simulate(DESIGNS[name], RUNS, seed=5_000)})
    assert [fault for fault in found if "wider" not in fault] == []


@pytest.mark.parametrize("name", CURVES)
def test_curved_leaves_hold_their_error_rates(name: str) -> None:
    assert faults({"statistics": [simulate_curve(CURVES[name], RUNS, seed=5_000)]}) == []


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_check_flags_a_spread_that_is_wrong_by_a_factor(factor: float) -> None:
    right = DESIGNS[QUICK[2]]
    wrong = replace(right.outcome, spread=lambda predictions, pseudo: np.full(len(pseudo), factor))
    found = faults({"statistics": simulate(replace(right, outcome=wrong), 600)})
    assert any(("falsely" in fault) if factor < 1 else ("wider" in fault) for fault in found), found


def test_the_check_flags_a_wrong_truth() -> None:
    right = DESIGNS[QUICK[2]]
    found = faults({"statistics": simulate(replace(right, truth=lambda: right.truth() + 0.1), RUNS)})
    assert any("value" in fault and "falsely refuted" in fault for fault in found)


def test_without_its_bias_a_noisy_distance_is_falsely_large(monkeypatch) -> None:
    null = CURVES["height of a join, groups 6 points apart"]
    with_it = simulate_curve(null, RUNS)
    monkeypatch.setattr(Curved, "bias", lambda self, values, covariance: 0.0)
    without = simulate_curve(null, RUNS)
    assert without["supported"] > with_it["supported"]


def test_rates_are_counted_from_p_values() -> None:
    found = row("x", np.array([0.01, 0.03, 0.5, 0.99]), np.array([0.99, 0.97, 0.5, 0.01]))
    assert found == {"statistic": "x", "runs": 4, "coverage": 0.5, "supported": 0.5, "refuted": 0.25}


def test_the_true_value_of_a_correlation_is_that_of_independent_pairs() -> None:
    """Squared distances of jointly normal points: the correlation is the squared one of their coordinates."""
    assert DESIGNS["rdm_pearson, squared distances, 10 classes"].truth() == pytest.approx(0.81, abs=0.005)
