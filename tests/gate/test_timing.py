"""Times compared in pairs: against scipy, by laws, on known ratios; and the order of interleaving."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from mmbench.errors import BadSpec
from mmbench.gate import timing as timing_gate
from mmbench.gate.timing import compare_times, interleave

RNG = np.random.default_rng(5)
DRIFT = np.exp(RNG.normal(0, 0.5, 20))  # a machine that is now slow, now fast
BASE = 0.01 * DRIFT * np.exp(RNG.normal(0, 0.02, 20))
AGAIN = 0.01 * DRIFT * np.exp(RNG.normal(0, 0.02, 20))

seconds = st.lists(st.tuples(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3)), min_size=5, max_size=30)


def test_p_values_and_interval_are_those_of_a_t_test_on_log_ratios() -> None:
    found = compare_times(BASE, AGAIN, slower_by=1.02)
    logs = np.log(AGAIN / BASE)
    slower = scipy_stats.ttest_1samp(logs, math.log(1.02), alternative="greater")
    assert found.p_slower == pytest.approx(slower.pvalue)
    assert found.p_not_slower == pytest.approx(1 - slower.pvalue)
    interval = scipy_stats.ttest_1samp(logs, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert found.ratio == pytest.approx(scipy_stats.gmean(AGAIN / BASE))


@pytest.mark.parametrize(("ratio", "outcome"), [(0.8, "pass"), (1.0, "pass"), (1.1, "inconclusive"), (1.3, "fail")])
def test_a_known_ratio_through_a_drifting_machine(ratio: float, outcome: str) -> None:
    found = compare_times(BASE, ratio * AGAIN)
    assert found.decided == outcome
    assert found.ratio == pytest.approx(ratio, rel=0.02)
    assert found.rounds == 20


def test_unpaired_times_would_not_tell() -> None:
    """What interleaving is for: the same times, no longer round by round, are lost in the machine's drift."""
    assert compare_times(BASE, 1.3 * AGAIN).decided == "fail"
    assert compare_times(BASE, 1.3 * RNG.permutation(AGAIN)).decided == "inconclusive"


@given(seconds, st.floats(0.01, 100))
def test_no_unit_of_time_matters(pairs: list[tuple[float, float]], scale: float) -> None:
    base, candidate = np.array(pairs).T
    one, other = compare_times(base, candidate), compare_times(scale * base, scale * candidate)
    assert other.ratio == pytest.approx(one.ratio)
    assert other.p_slower == pytest.approx(one.p_slower, abs=1e-6)


@given(seconds)
def test_exchanged_roles_turn_the_ratio_over(pairs: list[tuple[float, float]]) -> None:
    base, candidate = np.array(pairs).T
    one, other = compare_times(base, candidate), compare_times(candidate, base)
    assert other.ratio == pytest.approx(1 / one.ratio)
    assert (other.low, other.high) == pytest.approx((1 / one.high, 1 / one.low))


def test_exact_times_are_decided_by_their_ratio() -> None:
    same = [0.25] * 5
    assert compare_times(same, same).decided == "pass"
    assert compare_times(same, [0.5] * 5).decided == "fail"
    assert compare_times(same, same, slower_by=1.0).decided == "inconclusive"


@pytest.mark.parametrize(
    ("base", "candidate", "slower_by", "message"),
    [
        ([1.0] * 4, [1.0] * 4, 1.1, r"candidate has times of shape \(4,\); time at least 5 rounds"),
        (np.ones((5, 2)), np.ones((5, 2)), 1.1, r"shape \(5, 2\)"),
        ([1.0] * 5, [1.0] * 6, 1.1, "base has 5 rounds and candidate 6"),
        ([1.0] * 5, [1.0, 1, 1, 1, 0], 1.1, "times of candidate must be seconds above 0"),
        ([1.0, 1, 1, 1, math.nan], [1.0] * 5, 1.1, "times of base must be seconds above 0"),
        ([1.0] * 5, [1.0, 1, 1, 1, math.inf], 1.1, "times of candidate must be seconds above 0"),
        ([1.0] * 5, [1.0] * 5, 0.9, "slower_by is 0.9; it is a ratio of at least 1"),
        ([1.0] * 5, [1.0] * 5, math.nan, "slower_by is nan"),
    ],
)
def test_bad_times_are_refused(base, candidate, slower_by, message) -> None:
    with pytest.raises(BadSpec, match=message):
        compare_times(base, candidate, slower_by=slower_by)


def test_rounds_alternate_and_warm_up_is_not_counted(monkeypatch) -> None:
    clock = [0.0]
    calls: list[str] = []

    def call(name: str, takes: float):
        def timed() -> None:
            calls.append(name)
            clock[0] += takes

        return timed

    monkeypatch.setattr(timing_gate.time, "perf_counter", lambda: clock[0])
    base, candidate = interleave(call("a", 1.0), call("b", 3.0), rounds=5, warm_up=2)
    assert "".join(calls) == "abab" + "abba" * 2 + "ab"
    assert (base, candidate) == ([1.0] * 5, [3.0] * 5)


@pytest.mark.parametrize(("rounds", "warm_up"), [(4, 2), (5, -1)])
def test_too_few_rounds_are_refused_before_anything_runs(rounds: int, warm_up: int) -> None:
    def never() -> None:
        raise AssertionError("called")

    with pytest.raises(BadSpec, match=f"{rounds} rounds after {warm_up} of warm-up"):
        interleave(never, never, rounds=rounds, warm_up=warm_up)


def test_a_callable_that_fails_is_not_swallowed() -> None:
    def broken() -> None:
        raise OSError("no device")

    with pytest.raises(OSError, match="no device"):
        interleave(lambda: None, broken)
