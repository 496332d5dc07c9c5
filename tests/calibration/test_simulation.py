"""The judge holds its error rates on planted nulls, and wrong methods are flagged there."""

import pytest

from mmbench.calibration.design import faults
from mmbench.calibration.simulation import SHARES, ask, nulls, powers, wrong

RUNS = 150  # the bounds allow three standard errors of this many; reports/calibration.json has more
NULLS = {null.name: null for null in nulls()}
RANKED = [name for name in NULLS if name.startswith(("Spearman", "BestRank"))]  # seconds each
POWERS = dict(powers())


def judged(name: str, runs: int) -> list[str]:
    rows = [each for each in ask(NULLS[name], runs, seed=5_000) if "wrong" not in each]
    return faults(name, rows)


@pytest.mark.parametrize("name", [name for name in NULLS if name not in RANKED])
def test_false_verdicts_and_coverage_stay_in_bounds(name: str) -> None:
    assert [fault for fault in judged(name, RUNS) if "wider" not in fault] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", RANKED)
def test_rank_correlations_stay_in_bounds(name: str) -> None:
    assert judged(name, 40) == []


@pytest.mark.parametrize("method", ["examples only", "percentile bootstrap"])
def test_the_check_flags_wrong_methods(method: str) -> None:
    """With 3 trials that are all that varies, resampling or ignoring trials gives intervals that are far too narrow."""
    rows = [
        each
        for each in wrong(NULLS["difference of two, 3 trials, trials only, 1,500 examples"], 100)
        if each["wrong"] == method
    ]
    (fault,) = faults("d", rows)
    assert "95 % intervals cover" in fault


def test_wrong_methods_are_tried_on_every_share_of_variance() -> None:
    assert {null.shares for null in NULLS.values() if null.wrong} == set(SHARES)


@pytest.mark.parametrize(("name", "outcome"), [("pearson truly 0.95", "supported"), ("pearson truly 0.20", "refuted")])
def test_clear_correlations_are_settled(name: str, outcome: str) -> None:
    assert ask(POWERS[f"{name}, at least 0.7"], 20)[0][outcome] >= 0.9


def test_power_grows_with_the_effect() -> None:
    rates = [ask(POWERS[f"lead of {effect} points, 5 trials"], 40)[0]["supported"] for effect in (2, 6, 12)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] > 0.95
