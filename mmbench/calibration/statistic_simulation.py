"""Simulations of statistics that are no means: jackknifed metrics, and curved leaves judged by their tangent.

Every design draws test sets from a known population and asks at the true value: "is the statistic above it", "is it
below", and the same of the difference of two models that are equally good. Both answers are false there, so each should
come in at most 5 % of runs, and a 95 % interval should hold the truth in 95 %. Populations and true values are made
with numpy and scipy alone, without the metrics that are checked.

The true value of a correlation of dissimilarities is that of independent pairs of classes. For the other statistics it
is the mean over test sets of the same size: NMI on few rows lies above NMI on many, for every model alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import stats
from mmbench.calibration.simulation import BOTH, Null, verdicts
from mmbench.conditions import Linear
from mmbench.forms import Curve
from mmbench.metrics import METRICS, Jackknifed, of_sums, ratio_of_sums
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell

Array = NDArray[np.float64]
Drawn = tuple[list[NDArray], NDArray]  # predictions of two models, labels
PAIRS = 400_000  # of classes, for a true correlation
SETS = 4000  # for a true mean


@dataclass(frozen=True)
class Design:
    """A population of test sets. ``draw`` gives predictions ``[trials, ...]`` of two equal models, and labels."""

    name: str
    outcome: Jackknifed
    bounds: tuple[float, float]
    draw: Callable[[np.random.Generator], Drawn]
    truth: Callable[[], float]


def simulate(design: Design, runs: int, seed: int = 0) -> list[dict[str, Any]]:
    """Two rows: the statistic of one model against its true value, and the difference of two against 0."""
    true = design.truth()
    found = np.empty((runs, 2, 2))
    bounds = stats.Range(*design.bounds, pseudo=True)
    for run in range(runs):
        predictions, labels = design.draw(np.random.default_rng([seed, run]))
        joint = stats.crossed([stats.Sample(design.outcome(each, labels), range=bounds) for each in predictions])
        asked = joint.contrasts([[1.0, 0.0], [1.0, -1.0]], [-true, 0.0])
        found[run] = np.stack([asked.p_above(), asked.p_below()], axis=1)
    asked_of = (f"{design.name}: value", f"{design.name}: difference of two models")
    return [row(name, found[:, i, 0], found[:, i, 1]) for i, name in enumerate(asked_of)]


def row(name: str, p_above: Array, p_below: Array) -> dict[str, Any]:
    """Rates from p-values at the truth: what a verdict would be, and whether a 95 % interval holds it."""
    return {
        "statistic": name,
        "runs": len(p_above),
        "coverage": float(np.mean(np.minimum(p_above, p_below) > 0.025)),
        "supported": float(np.mean(p_above <= stats.LEVEL)),
        "refuted": float(np.mean(p_below <= stats.LEVEL)),
    }


def designs() -> Iterator[Design]:
    """All of them: correlations over 10 to 40 classes, a corpus score over sentences, scores over rows."""
    for distance, width, alike in (("euclidean", 8, 0.8), ("squared", 4, 0.9), ("cosine", 8, 0.6)):
        for classes in (10, 20, 40):
            yield _rdm("rdm_pearson", distance, width, alike, classes)
    yield _rdm("rdm_spearman", "euclidean", 8, 0.8, 10)
    yield _rdm("rdm_spearman", "cosine", 8, 0.6, 20)
    for sentences in (50, 300):
        yield _corpus(sentences)
    for rows, trials in ((100, 1), (300, 1), (300, 5)):
        yield _micro_f1(rows, trials)
    for rows, trials in ((100, 1), (300, 1), (300, 5)):
        yield _partition("nmi", _nmi, rows, trials)
    yield _partition("adjusted_rand", _rand, 300, 1)
    yield _partition("mean_per_class", _per_class, 300, 1)


def _of(metric: str) -> tuple[Jackknifed, tuple[float, float]]:
    found = METRICS.get(metric)
    assert isinstance(found.outcome, Jackknifed)
    return found.outcome, (found.low, found.high)


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


def simulate_curve(null: Null, runs: int, seed: int = 0) -> dict[str, Any]:
    """One row for a curved leaf, judged as a claim."""
    p = np.array([(v.p_support, v.p_refute) for v in verdicts(null, runs, seed)], dtype=np.float64)
    return row(null.name, p[:, 0], p[:, 1])


def _curve(name: str, function: Callable[[Array], float], means: dict[Cell, float]) -> Null:
    of = tuple(Linear(((where, 1.0),)) for where in means)
    truth = function(np.array(list(means.values())))
    return Null(name, Curve(function, of, truth, label=name), means, BOTH)


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


# Dissimilarities of classes in a reference and in two models equally close to it


def _rdm(metric: str, distance: str, width: int, alike: float, classes: int) -> Design:
    def embeddings(rng: np.random.Generator, count: int, models: int) -> list[Array]:
        shared = rng.standard_normal((count, width))
        own = rng.standard_normal((models, count, width))
        return [shared, *(alike * shared + np.sqrt(1 - alike**2) * own)]

    def draw(rng: np.random.Generator) -> Drawn:
        reference, *models = (_distances(x, distance) for x in embeddings(rng, classes, 2))
        return [np.stack([reference, model])[None] for model in models], np.arange(classes)

    def truth() -> float:
        from scipy.stats import rankdata

        rng = np.random.default_rng(10_000_019)
        ends = zip(embeddings(rng, PAIRS, 1), embeddings(rng, PAIRS, 1), strict=True)
        x, y = (_distance(one, other, distance) for one, other in ends)
        if metric == "rdm_spearman":
            x, y = rankdata(x), rankdata(y)
        return float(np.corrcoef(x, y)[0, 1])

    name = f"{metric}, {distance} distances, {classes} classes"
    return Design(name, *_of(metric), draw, functools.cache(truth))


def _distance(one: Array, other: Array, kind: str) -> Array:
    if kind == "cosine":
        return 1 - (one * other).sum(-1) / (np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1))
    squared = ((one - other) ** 2).sum(-1)
    return np.sqrt(squared) if kind == "euclidean" else squared


def _distances(points: Array, kind: str) -> Array:
    return _distance(points[:, None], points[None], kind)


# A corpus score as BLEU is one: a geometric mean of ratios of sums, with a penalty for short answers


def _corpus(sentences: int) -> Design:
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

    return Design(
        f"corpus score as BLEU, {sentences} sentences",
        of_sums(counts, score),
        (0.0, 1.0),
        draw,
        functools.cache(truth),
    )


# F1 over all rows and labels together: a ratio of sums


def _micro_f1(rows: int, trials: int, classes: int = 6) -> Design:
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
    return Design(name, ratio_of_sums(parts), (0.0, 1.0), draw, functools.cache(lambda: _averaged(draw, f1)))


# Rows assigned to classes


def _partition(
    metric: str, value: Callable[[NDArray, NDArray], float], rows: int, trials: int, classes: int = 10
) -> Design:
    share = np.linspace(1, 2, classes) / np.linspace(1, 2, classes).sum()

    def draw(rng: np.random.Generator) -> Drawn:
        labels = rng.choice(classes, rows, p=share)
        hard = rng.standard_normal(rows)
        models = []
        for _ in range(2):
            own = rng.standard_normal(rows)
            luck = _luck(rng, trials)
            wrong = 0.6 * hard + 0.4 * own + 0.7 * rng.standard_normal((trials, rows)) + luck > 0.6
            models.append(np.where(wrong, rng.integers(0, classes, (trials, rows)), labels))
        return models, labels

    name = f"{metric}, {rows} rows, {_count(trials)}"
    return Design(name, *_of(metric), draw, functools.cache(lambda: _averaged(draw, value)))


def _table(clusters: NDArray, labels: NDArray) -> NDArray[np.int64]:
    size = int(max(clusters.max(), labels.max())) + 1
    return np.bincount(clusters * size + labels, minlength=size * size).reshape(size, size)


def _nmi(clusters: NDArray, labels: NDArray) -> float:
    from scipy.stats import entropy

    table = _table(clusters, labels)
    rows, columns, both = entropy(table.sum(axis=1)), entropy(table.sum(axis=0)), entropy(table.ravel())
    return float(2 * (rows + columns - both) / (rows + columns))


def _rand(clusters: NDArray, labels: NDArray) -> float:
    from scipy.special import comb

    table = _table(clusters, labels)
    rows, columns = comb(table.sum(axis=1), 2).sum(), comb(table.sum(axis=0), 2).sum()
    expected = rows * columns / comb(len(labels), 2)
    return float((comb(table, 2).sum() - expected) / ((rows + columns) / 2 - expected))


def _per_class(predicted: NDArray, labels: NDArray) -> float:
    return float(np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)]))


def _luck(rng: np.random.Generator, trials: int) -> Array:
    """What moves whole trials, ``[trials, 1]``; nothing where there is one, which cannot show it."""
    return rng.normal(0, 0.1, (trials, 1)) * (trials > 1)


def _count(trials: int) -> str:
    return "1 trial" if trials == 1 else f"{trials} trials"
