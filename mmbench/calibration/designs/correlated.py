"""Correlations of models' accuracies between datasets: eight real encoders on three sets of real digits."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Literal

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.digit_pool import Population, mnist, small_digits
from mmbench.calibration.resampling import Bank, cell_of, judged, predictions
from mmbench.conditions import Linear
from mmbench.forms import Correlates, Form, MeanCorrelates
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.scores import Scores
from mmbench.stats.correlations import pearson, spearman

MODELS = ("pixels", "pca4", "pca8", "pca16", "pca32", "random16", "random64", "random256")
DATASETS = ("mnist", "noisy", "small")
PAIRS = tuple(itertools.combinations(DATASETS, 2))
TRIALS, EXAMPLES = 5, 300
JUST = 0.02  # of a rank correlation, which moves in steps


@functools.cache
def banks() -> dict[str, Bank]:
    """Few-shot predictions of all encoders on each dataset."""
    big, small, rng = mnist(), small_digits(), np.random.default_rng(8)
    noisy = Population(big.train.noisy(1, rng), big.test.noisy(1, rng), big.encoders)
    return {name: _bank(p) for name, p in zip(DATASETS, (big, noisy, small), strict=True)}


def _bank(population: Population) -> Bank:
    pool = population.train.a_class(40, np.random.default_rng(40))
    many = dataclasses.replace(FEW_SHOT, trials=200)
    inputs = {m: population.inputs(m, pool, population.test) for m in MODELS}
    return Bank({m: predictions(many, x, 0).astype(np.int8) for m, x in inputs.items()}, population.test.labels)


def drawn(rng: np.random.Generator) -> dict[tuple[str, str], Scores]:
    """Scores of every model on every dataset; the examples of the datasets are others."""
    return {
        (m, name): dataclasses.replace(scores, examples=name)
        for name, bank in banks().items()
        for m, scores in bank.draw(rng, TRIALS, EXAMPLES).items()
    }


def form(method: Literal["pearson", "spearman"], of: tuple[tuple[str, str], ...], off: float = 0.0) -> Form:
    """At least as much correlation, on average over pairs of datasets, as there truly is, less or more by ``off``."""
    terms = {d: tuple(Linear(((cell_of((m, d)), 1.0),)) for m in MODELS) for d in DATASETS}
    true = {d: np.array([bank.means[m] for m in MODELS]) for d, bank in banks().items()}
    measure = spearman if method == "spearman" else pearson
    threshold = float(np.mean([measure(true[x], true[y]) for x, y in of])) + off
    parts = tuple(Correlates(terms[x], terms[y], threshold, method=method) for x, y in of)
    return parts[0] if len(parts) == 1 else MeanCorrelates(parts, threshold)


def correlated(method: Literal["pearson", "spearman"], pairs: int, runs: int, seed: int) -> list[Row]:
    """Rank correlations are asked once just below the truth and once just above: they cannot lie at it."""
    evidence = [drawn(np.random.default_rng([seed, run])) for run in range(runs)]
    of = PAIRS[-pairs:]
    if method == "pearson":
        at = form(method, of)
        return [judged(f"coefficient at {_threshold(at):.2f}", [(at, scores) for scores in evidence])]
    rows = []
    for off, where, false in ((-JUST, "just below", ["refuted"]), (JUST, "just above", ["supported"])):
        at = form(method, of, off)
        cases = [(at, scores) for scores in evidence]
        rows.append(judged(f"threshold {where} {_threshold(at) - off:.2f}", cases, false=false, interval=False))
    return rows


def _threshold(of: Form) -> float:
    assert isinstance(of, Correlates | MeanCorrelates)
    return of.threshold


_ABOUT = f"accuracies of {len(MODELS)} encoders under prototypes of 5 shots, {TRIALS} draws, {EXAMPLES} examples"
DESIGNS.add(Design("Pearson of two datasets", "real", functools.partial(correlated, "pearson", 1), 400, about=_ABOUT))
DESIGNS.add(Design("Mean of three Pearson's", "real", functools.partial(correlated, "pearson", 3), 400, about=_ABOUT))
DESIGNS.add(Design("Spearman of two datasets", "real", functools.partial(correlated, "spearman", 1), 200, about=_ABOUT))
