"""Jackknifed statistics and curved leaves hold their error rates, and wrong methods do not pass the check."""

from dataclasses import replace

import numpy as np
import pytest

from mmbench.calibration.design import faults
from mmbench.calibration.simulation import ask
from mmbench.calibration.statistic_simulation import curves, designs, simulate
from mmbench.conditions import Curved

RUNS = 120  # the bounds allow three standard errors of this many; reports/calibration.json has more
STATISTICS = {statistic.name: statistic for statistic in designs()}
CURVES = {null.name: null for null in curves()}
QUICK = ["corpus score as BLEU, 50 sentences", "micro-averaged F1, 100 rows, 1 trial"]


@pytest.mark.parametrize("name", QUICK)
def test_statistics_hold_their_error_rates(name: str) -> None:
    assert faults(name, simulate(STATISTICS[name], RUNS, seed=5_000)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STATISTICS if name not in QUICK])
def test_the_other_statistics_do_too(name: str) -> None:
    found = faults(name, simulate(STATISTICS[name], RUNS, seed=5_000))
    assert [fault for fault in found if "wider" not in fault] == []


@pytest.mark.parametrize("name", CURVES)
def test_curved_leaves_hold_their_error_rates(name: str) -> None:
    assert faults(name, ask(CURVES[name], RUNS, seed=5_000)) == []


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_check_flags_a_spread_that_is_wrong_by_a_factor(factor: float) -> None:
    right = STATISTICS[QUICK[1]]
    wrong = replace(right.outcome, spread=lambda predictions, pseudo: np.full(len(pseudo), factor))
    found = faults("s", simulate(replace(right, outcome=wrong), 600))
    assert any(("falsely" in fault) if factor < 1 else ("wider" in fault) for fault in found), found


def test_the_check_flags_a_wrong_truth() -> None:
    right = STATISTICS[QUICK[1]]
    found = faults("s", simulate(replace(right, truth=lambda: right.truth() + 0.1), RUNS))
    assert any("value" in fault and "falsely refuted" in fault for fault in found)


def test_without_its_bias_a_noisy_distance_is_falsely_large(monkeypatch) -> None:
    null = CURVES["height of a join, groups 6 points apart"]
    (with_it,) = ask(null, RUNS)
    monkeypatch.setattr(Curved, "bias", lambda self, values, covariance: 0.0)
    (without,) = ask(null, RUNS)
    assert without["supported"] > with_it["supported"]
