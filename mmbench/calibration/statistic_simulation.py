"""Simulations of statistics that are no means: jackknifed metrics, and curved leaves judged by their tangent.

Every design draws test sets from a known population and asks at the true value: "is the statistic above it", "is it
below", and the same of the difference of two models that are equally good. Both answers are false there, so each should
come in at most 5 % of runs, and a 95 % interval should hold the truth in 95 %. Populations and true values are made
with numpy and scipy alone, without the metrics that are checked.

The true value is the mean over other test sets of the same size. Statistics of real digits (NMI, correlations of
dissimilarities) stand in ``designs/whole_statistics.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench import stats
from mmbench.calibration.design import BOTH, Row, row
from mmbench.calibration.simulation import Null
from mmbench.conditions import Linear
from mmbench.forms import Curve
from mmbench.metrics import Jackknifed, of_sums, ratio_of_sums
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell

Array = NDArray[np.float64]
Drawn = tuple[list[NDArray], NDArray]  # predictions of two models, labels
SETS = 4000  # for a true mean


@dataclass(frozen=True)
class Statistic:
    """A population of test sets. ``draw`` gives predictions ``[trials, ...]`` of two equal models, and labels."""

    name: str
    outcome: Jackknifed
    bounds: tuple[float, float]
    draw: Callable[[np.random.Generator], Drawn]
    truth: Callable[[], float]


def simulate(statistic: Statistic, runs: int, seed: int = 0) -> list[Row]:
    """Two rows: the statistic of one model against its true value, and the difference of two against 0."""
    true = statistic.truth()
    found = np.empty((runs, 2, 2))
    bounds = stats.Range(*statistic.bounds, pseudo=True)
    for run in range(runs):
        predictions, labels = statistic.draw(np.random.default_rng([seed, run]))
        joint = stats.crossed([stats.Sample(statistic.outcome(each, labels), range=bounds) for each in predictions])
        asked = joint.contrasts([[1.0, 0.0], [1.0, -1.0]], [-true, 0.0])
        found[run] = np.stack([asked.p_above(), asked.p_below()], axis=1)
    return [row(what, found[:, i, 0], found[:, i, 1]) for i, what in enumerate(("value", "difference of two models"))]


def designs() -> Iterator[Statistic]:
    """All of them: a corpus score over sentences, a ratio of sums over rows."""
    for sentences in (50, 300):
        yield _corpus(sentences)
    for rows, trials in ((100, 1), (300, 1), (300, 5)):
        yield _micro_f1(rows, trials)


def _averaged(draw: Callable[[np.random.Generator], Drawn], value: Callable[[NDArray, NDArray], float]) -> float:
    """The mean of ``value`` over test sets; other sets than those that are judged."""
    rng = np.random.default_rng(10_000_019)
    found: list[float] = []
    for _ in range(SETS):
        predictions, labels = draw(rng)
        found.extend(value(trial, labels) for trial in predictions[0][:1])
    return float(np.mean(found))


# Curved leaves over cells of accuracies


def curves() -> Iterator[Null]:
    """Smooth functions of accuracies, each held against its value at the true means."""
    for apart in (12.0, 6.0):
        profiles = {
            m: 60 + (apart if m in "cd" else 0.0) + shift for m, shift in zip("abcd", (0, 3, 0, 3), strict=True)
        }
        means = {_cell(m, d): mean + i for i, d in enumerate("xyz") for m, mean in profiles.items()}
        yield _curve(f"height of a join, groups {apart:g} points apart", _join_height, means)
    source, shifted = (55.0, 62.0, 70.0, 76.0, 83.0, 72.0), (38.0, 44.0, 55.0, 60.0, 71.0, 64.0)
    means = {_cell(m, d): v for d, row in (("x", source), ("y", shifted)) for m, v in zip("abcdef", row, strict=True)}
    yield _curve("residual of a logit fit over five models", _logit_residual, means)
    yield _curve(
        "gap closed, 10 of 20 points",
        _gap_closed,
        {_cell(m, "x"): v for m, v in zip("abc", (70.0, 60.0, 80.0), strict=True)},
    )


def _curve(name: str, function: Callable[[Array], float], means: dict[Cell, float]) -> Null:
    of = tuple(Linear(((where, 1.0),)) for where in means)
    truth = function(np.array(list(means.values())))
    return Null(name, Curve(function, of, truth, label=name), means, BOTH, interval=True)


def _cell(model: str, dataset: str) -> Cell:
    return Cell(FEW_SHOT, model, dataset)


def _join_height(values: Array) -> float:
    """Average linkage of models a, b with c, d over three datasets."""
    a, b, c, d = values.reshape(3, 4).T
    return float(np.mean([np.linalg.norm(one - other) for one in (a, b) for other in (c, d)]))


def _logit_residual(values: Array) -> float:
    """How far the sixth model lies above the line through the others' logits: shifted against source accuracy."""
    x, y = np.log(values / (100 - values)).reshape(2, 6)
    slope, intercept = np.polyfit(x[:5], y[:5], 1)
    return float(y[5] - slope * x[5] - intercept)


def _gap_closed(values: Array) -> float:
    """The share of the gap between the second and the third model that the first closes."""
    return float((values[0] - values[1]) / (values[2] - values[1]))


# A corpus score as BLEU is one: a geometric mean of ratios of sums, with a penalty for short answers


def _corpus(sentences: int) -> Statistic:
    orders = np.arange(1, 5)

    def draw(rng: np.random.Generator) -> Drawn:
        length = rng.integers(8, 30, (sentences, 1))
        ease = rng.beta(6, 4, (sentences, 1))
        models = []
        for _ in range(2):
            quality = np.clip(ease + rng.normal(0, 0.08, (sentences, 1)), 0.05, 0.98)
            answer = np.maximum(length - rng.integers(0, 4, (sentences, 1)), 4)
            possible = answer - orders + 1
            hits = rng.binomial(possible, quality**orders)
            models.append(np.concatenate([hits, possible, answer, length], axis=1)[None])
        return models, np.zeros(sentences)

    def score(sums: Array) -> Array:
        with np.errstate(divide="ignore"):
            precision = np.exp(np.log(sums[..., :4] / sums[..., 4:8]).mean(axis=-1))
        return precision * np.minimum(1.0, np.exp(1 - sums[..., 9] / sums[..., 8]))

    def counts(predictions: NDArray, labels: NDArray) -> NDArray:
        return predictions

    def truth() -> float:
        return _averaged(draw, lambda sums, labels: float(score(sums.sum(axis=0).astype(np.float64))))

    return Statistic(
        f"corpus score as BLEU, {sentences} sentences",
        of_sums(counts, score),
        (0.0, 1.0),
        draw,
        functools.cache(truth),
    )


# F1 over all rows and labels together: a ratio of sums


def _micro_f1(rows: int, trials: int, classes: int = 6) -> Statistic:
    def draw(rng: np.random.Generator) -> Drawn:
        labels = rng.random((rows, classes)) < 0.3
        hard = rng.standard_normal((rows, 1))
        models = []
        for _ in range(2):
            own = rng.standard_normal((rows, 1))
            luck = _luck(rng, trials)[:, None]
            noise = rng.standard_normal((trials, rows, classes))
            models.append(labels ^ (0.6 * hard + 0.4 * own + 0.7 * noise + luck > 0.8))
        return models, labels

    def parts(predictions: NDArray, labels: NDArray) -> NDArray:
        hits = 2.0 * (predictions & labels).sum(axis=-1)
        return np.stack([hits, predictions.sum(axis=-1) + np.broadcast_to(labels.sum(axis=-1), hits.shape)], axis=-1)

    def f1(prediction: NDArray, labels: NDArray) -> float:
        right = float(np.logical_and(prediction, labels).sum())
        wrong = float(np.logical_xor(prediction, labels).sum())
        return right / (right + wrong / 2)

    name = f"micro-averaged F1, {rows} rows, {_count(trials)}"
    return Statistic(name, ratio_of_sums(parts), (0.0, 1.0), draw, functools.cache(lambda: _averaged(draw, f1)))


def _luck(rng: np.random.Generator, trials: int) -> Array:
    """What moves whole trials, ``[trials, 1]``; nothing where there is one, which cannot show it."""
    return rng.normal(0, 0.1, (trials, 1)) * (trials > 1)


def _count(trials: int) -> str:
    return "1 trial" if trials == 1 else f"{trials} trials"
