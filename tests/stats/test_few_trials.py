"""Two, three, five and ten trials of real digits: how often true values are rejected, and what intervals hold.

The digits and their outcomes are of ``tests/digit_outcomes.py``; a run draws trials and examples from the population.
"""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from mmbench import stats
from tests.digit_outcomes import drawn, population

RUNS = 400
# from trials that hardly matter (30 shots) to trials that are nearly everything (1 or 2 shots, 1,000 examples)
DESIGNS = [("relu", 30, None), ("relu", 5, None), ("relu", 1, None), ("tanh", 10, "relu"), ("tanh", 2, "relu")]


def p_values(design: tuple[str, int, str | None], trials: int, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """P-values above and below at the truth, ``[runs, 2]``; and those of t with Satterthwaite's degrees of freedom."""
    name, shots, other = design
    pools = [population(each, shots) for each in (name, other) if each]
    weights = np.array([1.0, -1.0][: len(pools)])
    truth = float(weights @ [pool.mean() for pool in pools])
    rng = np.random.default_rng([trials, examples])
    found, plain = np.empty((2, RUNS, 2))
    for run in range(RUNS):
        sets = [stats.Sample(x) for x in drawn(pools, trials, examples, rng)]
        e = stats.crossed(sets).contrasts(weights[None], -truth)[0]
        found[run] = e.p_above(), e.p_below()
        df = e.se**4 / ((e.trials - e.shared / 2) ** 2 / (trials - 1) + e.examples**2 / (examples - 1))
        plain[run] = scipy_stats.t.sf(np.array([1, -1]) * e.value / e.se, df)
    return found, plain


@pytest.mark.parametrize(("trials", "examples"), [(2, 1000), (2, 300), (3, 1000), (5, 300), (10, 300)])
def test_intervals_hold_the_truth_with_few_trials(trials: int, examples: int) -> None:
    """At most 6 % a side and 93 to 97 % inside, over all designs together and, within noise, for each."""
    each, plain = [], []
    for design in DESIGNS:
        p, without = p_values(design, trials, examples)
        each.append([*(p <= 0.05).mean(axis=0), (p > 0.025).all(axis=1).mean()])
        plain.append((without > 0.025).all(axis=1).mean())
    rates = np.array(each)
    assert rates[:, :2].mean(axis=0).max() <= 0.06
    assert rates[:, :2].max() <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / RUNS)
    assert 0.93 <= rates[:, 2].mean() <= 0.98
    assert rates[:, 2].min() >= 0.93 - 3 * np.sqrt(0.93 * 0.07 / RUNS)
    if trials == 2:
        assert min(plain) < 0.9  # Satterthwaite's degrees of freedom alone
