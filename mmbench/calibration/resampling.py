"""Claims judged at their true edge on evidence that is drawn from a population, run after run.

A design on real data says how the scores of a run are drawn. Two things are asked of every run: whether the first
model reaches its true value, and whether it leads the second by their true difference. Supported and refuted are both
false there.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.bench.solving import outcomes_of
from mmbench.calibration.design import Row, row
from mmbench.claims.claim import PLANTED, Claim, Place
from mmbench.forms import Above, AtLeast, Form
from mmbench.metrics import METRICS
from mmbench.probes.entry import PROBES
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell, Protocol
from mmbench.scores import Scores
from mmbench.verdict import Measured, Verdict, judge

Array = NDArray[np.float64]
Drawn = Mapping[Any, Scores]  # by model, the first two of which are asked about, or by model and dataset
Draw = Callable[[np.random.Generator], Drawn]
Truth = Callable[[], Mapping[str, float]]
FIELDS = ("groups", "halves", "pool")  # that say how far outcomes are independent


def asked(draw: Draw, truth: Truth | None, runs: int, seed: int) -> list[Row]:
    """The rows of a design: value and difference, as judged, and without each of FIELDS that its scores hold.

    ``truth`` gives the true mean of each model in the metric's unit. Without it, the truth of a run is the mean over
    all other runs: for probes whose mean depends on the number of test examples.
    """
    drawn = [draw(np.random.default_rng([seed, run])) for run in range(runs)]
    one, other = list(drawn[0])[:2]
    true = {model: _true(model, drawn, truth) for model in (one, other)}
    used = [name for name in FIELDS if getattr(drawn[0][one], name) is not None]
    rows = []
    for left_out in ("", *used):
        ways = [_without(scores, left_out) for scores in drawn]
        values = [(AtLeast(one, float(at)), scores) for at, scores in zip(true[one], ways, strict=True)]
        leads = [
            (Above(one, other, by=float(a - b)), scores)
            for a, b, scores in zip(true[one], true[other], ways, strict=True)
        ]
        wrong = {"wrong": f"without {left_out}"} if left_out else {}
        rows.append(judged(f"value of {one}", values, **wrong))
        rows.append(judged(f"{one} less {other}", leads, **wrong))
    return rows


def judged(what: str, cases: Sequence[tuple[Form, Drawn]], **more: Any) -> Row:
    """One row: each form judged on its own scores."""
    verdicts = [verdict(form, scores) for form, scores in cases]
    return row(what, [v.p_support for v in verdicts], [v.p_refute for v in verdicts], **more)


def verdict(form: Form, scores: Drawn) -> Verdict:
    """The verdict on a form over scores by model, or by (model, dataset)."""
    cells = {cell_of(key): value for key, value in scores.items()}
    datasets = tuple(dict.fromkeys(cell.dataset for cell in cells))
    models = tuple(dict.fromkeys(cell.models for cell in cells))
    claim = Claim(PLANTED, "", Place(PLANTED), form, (FEW_SHOT,), datasets, models)
    return judge(claim, Measured(cells.__getitem__))


def cell_of(key: str | tuple[str, str]) -> Cell:
    model, dataset = (key, "digits") if isinstance(key, str) else key
    return Cell(FEW_SHOT, model, dataset)


def _true(model: str, drawn: Sequence[Drawn], truth: Truth | None) -> Array:
    """The truth ``[runs]``: the one that is known, or for each run the mean of the others."""
    if truth is not None:
        return np.full(len(drawn), truth()[model])
    means = np.array([scores[model].mean for scores in drawn])
    return (means.sum() - means) / max(len(means) - 1, 1)


def _without(scores: Drawn, name: str) -> Drawn:
    if not name:
        return scores
    empty: dict[str, Any] = {name: None, **({"grouped_by": ""} if name == "groups" else {})}
    return {model: dataclasses.replace(each, **empty) for model, each in scores.items()}


def measured(protocol: Protocol, inputs: Any, seed: int, metric: str = "", **fields: Any) -> Scores:
    """The scores of one cell, made as the bench makes them: the protocol's probe, then its metric."""
    predicted = predictions(protocol, inputs, seed)
    return scored(predicted, inputs.truth, metric or protocol.metric, **fields)


def predictions(protocol: Protocol, inputs: Any, seed: int) -> NDArray[Any]:
    """The probe's predictions ``[trials, examples]``."""
    probe = PROBES.get(protocol.probe)
    settings = [protocol.settings.for_probe()]
    return np.asarray(probe.run(inputs, settings, trials=protocol.trials, seed=seed, device="cpu")[0])


def scored(predicted: NDArray[Any], truth: NDArray[Any], metric: str = "accuracy", **fields: Any) -> Scores:
    """Scores of predictions; all cells of one run have the same examples."""
    how = METRICS.get(metric)
    return Scores(outcomes_of(how, predicted, truth), metric, "digits", how.chance(truth), **fields)


@dataclass(frozen=True, eq=False)
class Bank:
    """Predictions of many trials on a whole population, ``[trials, rows]`` by model, and the truth of the rows.

    A run draws trials and rows from it with replacement, so that the population's own mean is the exact truth.
    ``together`` rows that follow each other are views of one thing: they are drawn together, and are one group.
    """

    predicted: Mapping[str, NDArray[Any]]
    labels: NDArray[Any]
    metric: str = "accuracy"
    together: int = 1

    @functools.cached_property
    def means(self) -> dict[str, float]:
        """The true mean of each model, in the metric's unit. Of scores of single examples only."""
        how = METRICS.get(self.metric)
        found = {m: how.outcome(each, self.labels) for m, each in self.predicted.items()}
        return {m: float(x.mean(dtype=np.float64)) * how.scale for m, x in found.items()}

    def draw(self, rng: np.random.Generator, trials: int, examples: int) -> dict[str, Scores]:
        some = rng.integers(len(next(iter(self.predicted.values()))), size=trials)
        things = rng.integers(len(self.labels) // self.together, size=examples // self.together)
        rows = (things[:, None] * self.together + np.arange(self.together)).ravel()
        fields: dict[str, Any] = {}
        if self.together > 1:
            fields = {"groups": np.repeat(np.arange(len(things)), self.together), "grouped_by": "things"}
        return {
            m: scored(each[some[:, None], rows], self.labels[rows], self.metric, **fields)
            for m, each in self.predicted.items()
        }

    def only(self, rows: NDArray[np.int64]) -> Bank:
        """The bank of a smaller population."""
        return dataclasses.replace(
            self, predicted={m: each[:, rows] for m, each in self.predicted.items()}, labels=self.labels[rows]
        )
