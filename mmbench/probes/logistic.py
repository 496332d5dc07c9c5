"""Logistic regression by L-BFGS with a sweep of the regularisation (Radford et al. 2021)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.labelled import Labelled
from mmbench.probes.draws import cut_rows, draw_shots
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.seeds import trial_seeds


@dataclass(frozen=True)
class LogisticSettings(Settings):
    """Radford et al. 2021: L-BFGS, strength swept on a validation cut, then refitted on all training rows.

    ``shots`` None takes every training row. D-17: the code fixes C = 0.316 and sweeps nothing.
    """

    shots: int | None = None
    strengths: tuple[float, ...] = tuple(10.0**e for e in range(-6, 7, 2))
    steps_per_decade: int = 8
    max_iter: int = 1000
    validation: float = 0.2

    def as_code(self) -> LogisticSettings:
        return dataclasses.replace(self, strengths=(0.316,))


Matrix = NDArray[np.float64]
Rows = tuple[NDArray[Any], NDArray[Any]]


def logistic(
    arrays: Labelled, settings: Sequence[LogisticSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Label test rows by multinomial logistic regression on the features as they are.

    A strength is scikit-learn's C: the summed loss is weighted by C against half the squared norm of the weights, the
    intercept goes free. The strength with the best validation accuracy (the smaller C on a tie) is refitted on
    training and validation rows; one strength alone is not swept. Validation rows are the dataset's or a seeded cut of
    the training rows. With ``shots``, a trial is a draw of that many rows a class; the cut then takes its share of each
    class, and one shot, which cannot be cut, takes the middle strength (ours: the paper does not say). Predictions
    int64 ``[trials, m]``. Runs on the CPU in float64 whatever ``device``. Raises NotEnoughShots, naming the class.
    """
    arrays.check("train")
    found = []
    for s in settings:
        predictions = np.empty((trials, len(arrays.test_x)), dtype=np.int64)
        for trial, (train, valid) in enumerate(_splits(arrays, s, trials, seed)):
            strength = choose_strength(train, valid, arrays.classes, s)
            both = (
                train if valid is None else (np.concatenate([train[0], valid[0]]), np.concatenate([train[1], valid[1]]))
            )
            weights = fit(*both, arrays.classes, strength, max_iter=s.max_iter)
            predictions[trial] = predict(arrays.test_x, weights)
        found.append(predictions)
    return found


def _splits(arrays: Labelled, s: LogisticSettings, trials: int, seed: int) -> list[tuple[Rows, Rows | None]]:
    """Training and validation rows of each trial; no validation rows where nothing is swept or can be cut."""
    own = None
    if arrays.valid_x is not None and arrays.valid_y is not None and len(arrays.valid_x):
        own = (arrays.valid_x, arrays.valid_y)
    swept = len(s.strengths) > 1

    def rows(which: NDArray[np.int64]) -> Rows:
        return arrays.train_x[which], arrays.train_y[which]

    everything = np.arange(len(arrays.train_x))
    if s.shots is None:
        if own or not swept:
            return [(rows(everything), own)] * trials
        cuts = [cut_rows(len(everything), s.validation, key) for key in trial_seeds(seed, trials)]
        return [(rows(kept), rows(held)) for kept, held in cuts]
    draws = draw_shots(arrays.train_y, s.shots, trials, seed, arrays.class_names)
    held = max(1, round(s.validation * s.shots))
    if own or not swept or s.shots == 1:
        return [(rows(drawn.ravel()), own) for drawn in draws]
    return [(rows(drawn[:, held:].ravel()), rows(drawn[:, :held].ravel())) for drawn in draws]


def choose_strength(train: Rows, valid: Rows | None, classes: int, s: LogisticSettings) -> float:
    """The strength to use: the only one, the middle one without validation rows, or else the winner of the sweep.

    The sweep tries ``strengths``, then halves the spacing around the best until ``steps_per_decade`` is reached:
    the parametric binary search of Radford et al. Each fit starts from the fit of the nearest smaller strength; the
    optimum is unique.
    """
    exponents = sorted(float(np.log10(c)) for c in s.strengths)
    if valid is None or len(exponents) == 1:
        return float(10 ** exponents[len(exponents) // 2])
    fits: dict[float, Matrix] = {}

    def accuracy(exponent: float) -> float:
        if exponent not in fits:
            below = [e for e in fits if e < exponent]
            start = fits[max(below)] if below else None
            fits[exponent] = fit(*train, classes, 10**exponent, max_iter=s.max_iter, start=start)
        return float((predict(valid[0], fits[exponent]) == valid[1]).mean())

    return float(10 ** binary_search(accuracy, exponents, 1 / s.steps_per_decade))


def binary_search(score: Callable[[float], float], points: Sequence[float], finest: float) -> float:
    """The point with the highest score (the lowest such point): first of ``points``, then at half the spacing on both
    sides of the best, and again, until the spacing is at most ``finest``. Never outside the range of ``points``.
    """
    scores = {p: score(p) for p in sorted(points)}
    spacing = max(np.diff(sorted(points)))
    while spacing > finest * (1 + 1e-9):
        spacing /= 2
        peak = max(scores, key=lambda p: (scores[p], -p))
        for p in (peak - spacing, peak + spacing):
            if min(points) <= p <= max(points) and p not in scores:
                scores[p] = score(p)
    return max(scores, key=lambda p: (scores[p], -p))


def fit(
    x: NDArray[Any],
    y: NDArray[Any],
    classes: int,
    strength: float,
    *,
    max_iter: int = 1000,
    tolerance: float = 1e-4,
    start: Matrix | None = None,
) -> Matrix:
    """Weights and, in the last column, intercepts float64 ``[classes, d + 1]`` for rows ``x`` ``[n, d]``.

    Minimises scikit-learn's objective; ``tolerance`` bounds the largest slope of the mean loss, as its ``tol``. With
    two classes the first one's logit is 0, as there. With fewer rows than columns the fit runs in the rows' span,
    which holds the optimum.
    """
    from scipy.optimize import minimize

    rows = np.asarray(x, dtype=np.float64)
    span = np.linalg.qr(rows.T)[0] if len(rows) < rows.shape[1] else None
    rows = rows if span is None else rows @ span
    free = 1 if classes == 2 else classes
    first = np.zeros((free, rows.shape[1] + 1))
    if start is not None:
        start = start[-free:]
        first[:, :-1] = start[:, :-1] if span is None else start[:, :-1] @ span
        first[:, -1] = start[:, -1]
    hot = np.eye(classes)[y]
    decay = 1 / (strength * len(rows))

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        w = flat.reshape(free, -1)
        logits = rows @ w[:, :-1].T + w[:, -1]
        if classes == 2:
            logits = np.hstack([np.zeros_like(logits), logits])
        logits -= logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        value = -np.mean(((logits - total) * hot).sum(axis=1)) + decay / 2 * (w[:, :-1] ** 2).sum()
        slope = ((np.exp(logits - total) - hot) / len(rows))[:, -free:]
        gradient = np.hstack([slope.T @ rows + decay * w[:, :-1], slope.sum(axis=0)[:, None]])
        return float(value), gradient.ravel()

    options = {"maxiter": max_iter, "gtol": tolerance, "ftol": 64 * np.finfo(float).eps, "maxls": 50}
    best = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(free, -1)
    if span is not None:
        best = np.hstack([best[:, :-1] @ span.T, best[:, -1:]])
    return best if classes > 2 else np.vstack([np.zeros_like(best), best])


def predict(x: NDArray[Any], weights: Matrix) -> NDArray[np.int64]:
    """Likeliest class of each row of ``x`` ``[m, d]``."""
    return (np.asarray(x, dtype=np.float64) @ weights[:, :-1].T + weights[:, -1]).argmax(axis=1)


PROBES.add(
    Probe(
        "logistic",
        logistic,
        LogisticSettings,
        title="Regularised logistic regression",
        about="L-BFGS, regularisation swept on validation rows, then refitted",
    )
)
LOGISTIC = PROTOCOLS.add(Protocol("logistic", "logistic", LogisticSettings(), trials=1))
