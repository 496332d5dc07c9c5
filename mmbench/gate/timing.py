"""The timing gate: is a candidate slower than a base? Paired in one job, judged as a ratio, never as seconds.

Base and candidate are timed in turn (``interleave``), so that a machine that slows down slows both. What is judged is
the ratio candidate / base of each round: a mean of log ratios with Student's t over rounds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadSpec
from mmbench.stats import LEVEL

Decided = Literal["pass", "fail", "inconclusive"]
FEWEST = 5  # rounds


@dataclass(frozen=True)
class TimeDecision:
    """``ratio`` is candidate / base (1.1: a tenth slower), the geometric mean over rounds, with its 95 % interval.

    Passes when ``slower_by`` is shown to be out of reach, fails when the candidate is shown to be slower than that.
    """

    decided: Decided
    ratio: float
    low: float
    high: float
    slower_by: float
    p_slower: float
    p_not_slower: float
    rounds: int


def compare_times(
    base: Sequence[float], candidate: Sequence[float], *, slower_by: float = 1.1, level: float = LEVEL
) -> TimeDecision:
    """Judge times of interleaved rounds, paired by round.

    Raises BadSpec on fewer than five rounds, on lists of other lengths, and on times that are not above 0.
    """
    from scipy.special import stdtr, stdtrit

    if not (math.isfinite(slower_by) and slower_by >= 1):
        raise BadSpec(f"slower_by is {slower_by:g}; it is a ratio of at least 1, for example 1.1")
    if len(base) != len(candidate):
        raise BadSpec(f"base has {len(base)} rounds and candidate {len(candidate)}; time both in the same rounds")
    ratios = np.log(_times(candidate, "candidate")) - np.log(_times(base, "base"))
    rounds = len(ratios)
    mean, edge = float(ratios.mean()), math.log(slower_by)
    se = float(ratios.std(ddof=1)) / math.sqrt(rounds)
    away = mean - edge
    t = away / se if se > 0 else math.copysign(math.inf, away) if away else 0.0
    p_slower, p_not_slower = float(stdtr(rounds - 1, -t)), float(stdtr(rounds - 1, t))
    half = se * float(stdtrit(rounds - 1, 0.975))
    decided: Decided = "fail" if p_slower <= level else "pass" if p_not_slower <= level else "inconclusive"
    return TimeDecision(
        decided=decided,
        ratio=math.exp(mean),
        low=math.exp(mean - half),
        high=math.exp(mean + half),
        slower_by=slower_by,
        p_slower=p_slower,
        p_not_slower=p_not_slower,
        rounds=rounds,
    )


def _times(times: Sequence[float], name: str) -> NDArray[np.float64]:
    seconds = np.asarray(times, dtype=np.float64)
    if seconds.ndim != 1 or len(seconds) < FEWEST:
        raise BadSpec(f"{name} has times of shape {seconds.shape}; time at least {FEWEST} rounds")
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise BadSpec(f"times of {name} must be seconds above 0, got {seconds.min():g} to {seconds.max():g}")
    return seconds


def interleave(
    base: Callable[[], object], candidate: Callable[[], object], rounds: int = 20, warm_up: int = 2
) -> tuple[list[float], list[float]]:
    """Seconds of ``rounds`` calls of each, after ``warm_up`` calls of each that are not counted.

    The order is reversed every round (base, candidate, candidate, base, ...), so that a drift of the machine and what
    one call leaves behind for the next affect both alike. Raises BadSpec on fewer than five rounds.
    """
    if rounds < FEWEST or warm_up < 0:
        raise BadSpec(f"{rounds} rounds after {warm_up} of warm-up: time at least {FEWEST} rounds")
    for _ in range(warm_up):
        base()
        candidate()
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        order = ((0, base), (1, candidate))
        for which, call in order if number % 2 == 0 else order[::-1]:
            started = time.perf_counter()
            call()
            seconds[which].append(time.perf_counter() - started)
    return seconds
