"""Correlations of similarities with ratings of pairs, of which some share a thing, over several seeds."""

from __future__ import annotations

import functools

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import asked, scored
from mmbench.metrics import METRICS, Jackknifed
from mmbench.scores import Scores

MODELS = ("pca16", "random64")
POOL = 250  # digits of which pairs are made
SEEDS = 30  # noisy copies of the digits: what a seed of a training changes
THINGS, PAIRS = 200, 180  # as WordSim-353 in a small vocabulary
ERROR = 0.5  # of a rating, in standard deviations of the similarity


@functools.cache
def rated() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Cosines of all pairs of digits under each model, ``[SEEDS, POOL, POOL]``, and their ratings ``[POOL, POOL]``.

    A rating is the cosine of the pixels with an error of its own, the same for both orders of a pair.
    """
    population, rng = mnist(), np.random.default_rng(353)
    digits = population.test.at(np.arange(POOL))
    true = _cosines(digits.pixels)
    error = np.triu(rng.standard_normal((POOL, POOL)), 1)
    ratings = true + ERROR * true[np.triu_indices(POOL, 1)].std() * (error + error.T)
    copies = [digits.noisy(1, rng).pixels for _ in range(SEEDS)]
    found = {m: np.stack([_cosines(population.encoders[m](x)) for x in copies]).astype(np.float32) for m in MODELS}
    return found, ratings


def _cosines(x: np.ndarray) -> np.ndarray:
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T, dtype=np.float64)


@functools.cache
def truth(metric: str) -> dict[str, float]:
    """The correlation over all pairs of the pool, the mean over all seeds."""
    found, ratings = rated()
    how = METRICS.get(metric)
    assert isinstance(how.outcome, Jackknifed)
    pairs = np.triu_indices(POOL, 1)
    return {m: float(how.outcome.statistic(each[:, *pairs], ratings[pairs]).mean()) for m, each in found.items()}


def pairs(metric: str, trials: int, runs: int, seed: int) -> list[Row]:
    """PAIRS pairs of THINGS digits are the examples; two that share a digit are not independent."""
    found, ratings = rated()

    def draw(rng: np.random.Generator) -> dict[str, Scores]:
        digits = rng.integers(POOL, size=THINGS)
        first, second = np.triu_indices(THINGS, 1)
        different = np.flatnonzero(digits[first] != digits[second])
        some = rng.choice(different, PAIRS, replace=False)
        groups = np.stack([first[some], second[some]], axis=1)
        one, other = digits[groups.T]
        seeds = rng.integers(SEEDS, size=trials)[:, None]
        return {
            m: scored(each[seeds, one, other], ratings[one, other], metric, groups=groups, grouped_by="digits")
            for m, each in found.items()
        }

    return asked(draw, lambda: truth(metric), runs, seed)


for _metric, _trials in (("pair_pearson", 1), ("pair_pearson", 3), ("pair_spearman", 3)):
    DESIGNS.add(
        Design(
            f"{_metric}, {PAIRS} pairs, {_trials} {'seed' if _trials == 1 else 'seeds'}",
            "real",
            functools.partial(pairs, _metric, _trials),
            1000,
            about=f"jackknifed over pairs of {THINGS} digits, grouped by digit; ratings have an error of their own",
        )
    )
