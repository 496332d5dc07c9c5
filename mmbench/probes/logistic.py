"""Logistic regression by L-BFGS with a sweep of the regularisation (Radford et al. 2021)."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset, MissingExtra
from mmbench.inputs.labelled import Labelled
from mmbench.probes.draws import cut_rows, draw_shots, drawn_share
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


SMALL = 50_000_000  # multiplications in one pass over the training rows: some milliseconds on one thread
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
    int64 ``[trials, m]``. Runs scikit-learn on the CPU in float64 whatever ``device``.

    Raises NotEnoughShots, naming the class, MissingExtra, and BadDataset when the training rows are of one class.
    """
    arrays.check("train")
    with _one_thread_where_small(arrays):
        return [_predictions(arrays, s, trials, seed) for s in settings]


def _predictions(arrays: Labelled, s: LogisticSettings, trials: int, seed: int) -> NDArray[np.int64]:
    predictions = np.empty((trials, len(arrays.test_x)), dtype=np.int64)
    for trial, (train, valid) in enumerate(_splits(arrays, s, trials, seed)):
        strength = choose_strength(train, valid, arrays.class_names, s)
        both = train if valid is None else (np.concatenate([train[0], valid[0]]), np.concatenate([train[1], valid[1]]))
        predictions[trial] = predict(regression(s, both, strength, arrays.class_names), arrays.test_x)
    return predictions


def _one_thread_where_small(arrays: Labelled) -> contextlib.AbstractContextManager[Any]:
    """Limits BLAS to one thread where a product of features and weights is small.

    L-BFGS asks for thousands of such products. On a busy machine threads wait for each other longer than they compute:
    one report is of 30 s with two threads and 1.2 s with one.
    """
    from threadpoolctl import threadpool_limits

    work = len(arrays.train_x) * arrays.train_x.shape[1] * len(arrays.class_names)
    return threadpool_limits(1, user_api="blas") if work < SMALL else contextlib.nullcontext()


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


def choose_strength(train: Rows, valid: Rows | None, class_names: Sequence[str], s: LogisticSettings) -> float:
    """The strength to use: the only one, the middle one without validation rows, or else the winner of the sweep.

    The sweep tries ``strengths``, then halves the spacing around the best until ``steps_per_decade`` is reached:
    the parametric binary search of Radford et al. Each fit starts from the one before; the optimum is unique.
    """
    exponents = sorted(float(np.log10(c)) for c in s.strengths)
    if valid is None or len(exponents) == 1:
        return float(10 ** exponents[len(exponents) // 2])
    model = regression(s, train, 10 ** exponents[0], class_names)

    def accuracy(exponent: float) -> float:
        return float((predict(refit(model, train, 10**exponent), valid[0]) == valid[1]).mean())

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


def regression(s: LogisticSettings, train: Rows, strength: float, class_names: Sequence[str]) -> Any:
    """scikit-learn's LogisticRegression with L-BFGS, fitted to ``train`` at C = ``strength``.

    Call ``refit`` to fit it again, from where it stands, at another strength. Raises MissingExtra without scikit-learn,
    BadDataset when all training rows are of one class.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise MissingExtra("scikit-learn", "sklearn", "the probe logistic") from None
    labels = np.unique(train[1])
    if len(labels) < 2:
        raise BadDataset(
            f"logistic regression needs training rows of two classes or more, found only {class_names[labels[0]]!r}; "
            "give the training split rows of every class"
        )
    model = LogisticRegression(solver="lbfgs", max_iter=s.max_iter, warm_start=True)
    return refit(model, train, strength)


def refit(model: Any, train: Rows, strength: float) -> Any:
    """``model`` fitted to ``train`` at C = ``strength``, starting from its present weights if it has any."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # The paper's limit on iterations belongs to the protocol; a weak regularisation may reach it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.set_params(C=strength).fit(train[0].astype(np.float64), train[1])


def predict(model: Any, x: NDArray[Any]) -> NDArray[np.int64]:
    """Likeliest class of each row of ``x`` ``[m, d]``."""
    return np.asarray(model.predict(x.astype(np.float64)), dtype=np.int64)


PROBES.add(
    Probe(
        "logistic",
        logistic,
        LogisticSettings,
        unnamed=False,
        costly=True,
        pool=drawn_share,
        title="Regularised logistic regression",
        about="L-BFGS, regularisation swept on validation rows, then refitted",
    )
)
LOGISTIC = PROTOCOLS.add(Protocol("logistic", "logistic", LogisticSettings(), trials=1))
# Accuracy within each class, averaged over classes: Flowers102, Aircraft, Pets and Caltech101 of Radford et al. 2021.
LOGISTIC_PER_CLASS = PROTOCOLS.add(
    Protocol("logistic_per_class", "logistic", LogisticSettings(), metric="mean_per_class", trials=1)
)
# Radford et al. 2021, Fig. 5. The number of draws is ours: the paper prints none.
FEW_SHOT_LOGISTIC = PROTOCOLS.add(Protocol("few_shot_logistic", "logistic", LogisticSettings(shots=1), trials=5))


def few_shot_logistic(shots: int) -> Protocol:
    """Logistic regression on so many examples a class: 1, 2, 4, 8 and 16 in Fig. 5 of Radford et al. 2021."""
    return FEW_SHOT_LOGISTIC.at(shots=shots)
