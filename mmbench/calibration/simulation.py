"""Planted nulls: every form at the edge of its truth, how often a true lead is supported, and methods to be caught.

Outcomes are 0 or 1 from the latent model of ``planted_evidence.planted_scores``: examples differ in difficulty, trials
in luck, and half of both belongs to the model alone, so that differences vary with trials and with examples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.calibration.design import BOTH, Row, row
from mmbench.calibration.planted_evidence import planted_scores
from mmbench.claims.claim import Claim, Place, Printed
from mmbench.conditions import Linear, cell
from mmbench.forms import (
    Above,
    All,
    Best,
    BestRank,
    Chain,
    Correlates,
    Form,
    MeanCorrelates,
    OnPar,
    Ratio,
    Trend,
    Wins,
)
from mmbench.forms import Any as AnyOf
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.scores import Scores
from mmbench.stats.correlations import spearman
from mmbench.verdict import Measured, Published, Verdict, judge

Interval = tuple[float, float]
Method = Callable[[list[NDArray]], Interval]
OWN = 0.5
TRIALS = (2, 3, 5, 10)
EFFECTS = (2.0, 4.0, 6.0, 8.0, 12.0)  # points
CORRELATED = (0.95, 0.2)
# Latent shares of variance by name: (examples, trials).
SHARES = {
    "examples dominate": (0.6, 0.0005),
    "examples and trials": (0.4, 0.004),
    "trials dominate": (0.3, 0.08),
    "trials only": (0.0, 0.05),
}


# Methods that are wrong on purpose


def examples_only(outcomes: list[NDArray]) -> Interval:
    """Every outcome of every trial taken as independent."""
    difference = (outcomes[0] - outcomes[1]).ravel()
    half = 1.96 * difference.std(ddof=1) / math.sqrt(difference.size)
    return float(difference.mean() - half), float(difference.mean() + half)


def percentile_bootstrap(outcomes: list[NDArray], draws: int = 200) -> Interval:
    """Wrong with few trials: trials and examples resampled, percentiles taken."""
    difference = (outcomes[0] - outcomes[1]).astype(np.float64)
    trials, examples = difference.shape
    rng = np.random.default_rng(int(difference.sum()) + 10_000)
    rows = rng.multinomial(trials, np.full(trials, 1 / trials), draws) / trials
    columns = rng.multinomial(examples, np.full(examples, 1 / examples), draws) / examples
    means = np.einsum("bt,bt->b", rows, columns @ difference.T)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


METHODS: dict[str, Method] = {
    "examples only": examples_only,
    "percentile bootstrap": percentile_bootstrap,
}


def wrong(null: Null, runs: int, seed: int = 0) -> Iterator[Row]:
    """How often the 95 % intervals of METHODS hold a difference of two models that is 0."""
    hits = dict.fromkeys(METHODS, 0)
    for scores in planted(null, runs, seed):
        for name, method in METHODS.items():
            low, high = method([s.outcomes for s in scores.values()])
            hits[name] += low <= 0 <= high
    for name, count in hits.items():
        yield {"asked": "difference", "runs": runs, "coverage": count / runs, "false": [], "wrong": name}


# False verdicts


@dataclass(frozen=True)
class Null:
    """A form at the edge of its truth. ``false`` names the verdicts that would be false there."""

    name: str
    form: Form
    means: dict[Cell, float]
    false: tuple[str, ...]
    trials: int = 5
    examples: int = 300
    shares: str = "examples and trials"
    printed: dict[Cell, tuple[float, int]] = field(default_factory=dict)  # true std and n, instead of outcomes
    decimals: int | None = None  # printed numbers are rounded
    interval: bool = False  # whether one quantity is judged, of which both verdicts are false
    wrong: bool = False  # whether METHODS are tried on it too
    asked: str = "verdict"


def _cell(model: str, dataset: str = "set") -> Cell:
    return Cell(FEW_SHOT, model, dataset)


_a, _b = _cell("a"), _cell("b")


def _means(*values: float, dataset: str = "set") -> dict[Cell, float]:
    return {_cell(model, dataset): value for model, value in zip("abcdefgh", values, strict=False)}


def _terms(dataset: str, count: int) -> tuple[Linear, ...]:
    return tuple(cell(FEW_SHOT, model, dataset) for model in "abcdefgh"[:count])


def _correlated(r: float, spread: float) -> dict[Cell, float]:
    """Eight models on two datasets, their true means correlated by exactly ``r``."""
    x = np.linspace(-1, 1, 8)
    raw = np.array([1.0, -1, -1, 1, 1, -1, 1, -1])
    across = raw - raw.mean() - x * (raw @ x) / (x @ x)
    y = r * x / np.linalg.norm(x) + math.sqrt(1 - r * r) * across / np.linalg.norm(across)
    left = _means(*(60 + spread * x), dataset="left")
    return left | _means(*(60 + spread * y * np.linalg.norm(x)), dataset="right")


def _grouped(groups: tuple[int, ...], apart: float, turn: float) -> dict[Cell, float]:
    """Models in groups ``apart`` points from each other, nearly tied within; ``turn`` -1 turns that on one side."""
    near = [0.5 * i for size in groups for i in range(size)]
    far = [40 + apart * group for group, size in enumerate(groups) for _ in range(size)]
    left = _means(*(f + n for f, n in zip(far, near, strict=True)), dataset="left")
    return left | _means(*(f + turn * n for f, n in zip(far, near, strict=True)), dataset="right")


def _rank_correlation(means: dict[Cell, float]) -> float:
    """Spearman's coefficient of the true means of the two datasets."""
    left, right = ([mean for where, mean in means.items() if where.dataset == side] for side in ("left", "right"))
    return float(spearman(np.array(left), np.array(right)))


EIGHT = _terms("left", 8), _terms("right", 8)
SUPPORTED, REFUTED = ("supported",), ("refuted",)


def nulls() -> Iterator[Null]:
    """Every form at the edge of its truth, and the awkward cases."""
    for trials in TRIALS:
        for shares in SHARES:
            tie = f"difference of two, {trials} trials, {shares}"
            yield Null(tie, Above("a", "b"), _means(60, 60), BOTH, trials=trials, shares=shares, interval=True,
                       wrong=trials == 3)  # fmt: skip
    yield Null("difference of two, 3 trials, trials only, 1,500 examples", Above("a", "b"), _means(60, 60), BOTH,
               trials=3, shares="trials only", examples=1500, interval=True, wrong=True)  # fmt: skip
    yield Null("Ratio at its factor", Ratio("a", "b", 1.5), _means(60, 40), BOTH, interval=True)
    yield Null("OnPar at its edge", OnPar("a", "b", within=5.0), _means(60, 55), BOTH)
    yield Null("Best, two tie at the top", Best("a"), _means(60, 60, 40, 40), BOTH)
    yield Null("Best, all four tie", Best("a"), _means(60, 60, 60, 60), BOTH)
    for name, values in (("two tie at the top", (60, 60, 40, 40)), ("all four tie", (60, 60, 60, 60))):
        ranked = {where: mean for place in ("x", "y", "z") for where, mean in _means(*values, dataset=place).items()}
        yield Null(f"BestRank over three sets, {name}", BestRank("a"), ranked, BOTH)
    yield Null("Chain, one link ties", Chain(("a", "b", "c")), _means(70, 60, 60), BOTH)
    ties = tuple(Above("a", rival) for rival in "bcde")
    yield Null("Any of four ties", AnyOf(ties), _means(60, 60, 60, 60, 60), SUPPORTED)
    yield Null("All of four ties", All(ties), _means(60, 60, 60, 60, 60), BOTH)
    yield Null("Wins 2 of 4, one true, three ties", Wins(ties, 2), _means(60, 45, 60, 60, 60), SUPPORTED)
    yield Null("Wins 2 of 4, two false, two ties", Wins(ties, 2), _means(60, 75, 75, 60, 60), REFUTED)
    yield Null("Trend, flat", Trend((0.0, 1.0, 2.0), _terms("set", 3)), _means(60, 60, 60), BOTH, interval=True)
    group = Above("a", "three")
    yield Null("Group of one against a group of three", group, _means(60, 65, 60, 55), BOTH, interval=True)
    for spread in (20.0, 4.0):
        size = "wide" if spread > 10 else "narrow"
        yield Null(f"Pearson at 0.7, {size} spread", Correlates(*EIGHT, 0.7), _correlated(0.7, spread), BOTH,
                   interval=True)  # fmt: skip
    yield Null("Pearson at 0", Correlates(*EIGHT, 0.0), _correlated(0.0, 10.0), BOTH, interval=True)
    for step in (4.0, 1.0):
        steps = {_cell(m, "left"): 45 + step * i for i, m in enumerate("abcdefgh")}
        steps |= {_cell(m, "right"): 45 + step * v for m, v in zip("abcdefgh", (1, 2, 4, 3, 7, 8, 5, 6), strict=True)}
        rho = _rank_correlation(steps)
        below, above = (Correlates(*EIGHT, limit, method="spearman") for limit in (rho, rho + 0.02))
        yield Null(f"Spearman at {rho:.2f}, steps of {step:g} points", below, steps, REFUTED)
        yield Null(f"Spearman just below its threshold, steps of {step:g} points", above, steps, SUPPORTED)
    for turn, order, false in ((1, "in the same order", REFUTED), (-1, "in opposite order", SUPPORTED)):
        groups = _grouped((4, 4), 20.0, turn)
        form = Correlates(*EIGHT, _rank_correlation(groups) - 0.02 * turn, method="spearman")
        yield Null(f"Spearman of near ties in two groups, {order}", form, groups, false)
    mean_form = MeanCorrelates((Correlates(*EIGHT, 0.0), Correlates(EIGHT[1], EIGHT[0], 0.0)), 0.7)
    yield Null("Mean of correlations at 0.7", mean_form, _correlated(0.7, 10.0), BOTH, interval=True)
    coarse = {_a: (0.03, 5), _b: (0.03, 5)}
    yield Null("Printed, spreads round to 0.0", Above("a", "b"), _means(60.02, 60.02), BOTH, printed=coarse, decimals=1)


GROUPS = {"three": ("b", "c", "d")}


def claim_of(null: Null) -> Claim:
    """The null's form as a claim over its own cells."""
    datasets = tuple(dict.fromkeys(c.dataset for c in null.means))
    models = tuple(dict.fromkeys(c.models for c in null.means))
    return Claim("null", null.name, Place("null"), null.form, (FEW_SHOT,), datasets, models, GROUPS)


def planted(null: Null, runs: int, seed: int = 0) -> Iterator[dict[Cell, Scores]]:
    """Fresh outcomes for every run."""
    example_share, trial_share = SHARES.get(null.shares, (0.4, 0.0))
    for run in range(runs):
        yield planted_scores(
            null.means,
            seed=seed + run,
            trials=null.trials,
            examples=null.examples,
            example_share=example_share,
            trial_share=trial_share,
            own=OWN,
        )


def verdicts(null: Null, runs: int, seed: int = 0) -> Iterator[Verdict]:
    """The null judged ``runs`` times on fresh evidence."""
    claim = claim_of(null)
    if null.printed:
        for run in range(runs):
            yield judge(claim, Published(_print(null, np.random.default_rng(seed + run))))
    else:
        for scores in planted(null, runs, seed):
            yield judge(claim, Measured(scores.__getitem__))


def _print(null: Null, rng: np.random.Generator) -> dict[Cell, Printed]:
    out = {}
    for where, mean in null.means.items():
        std, n = null.printed[where]
        seeds = mean + std * rng.standard_normal(n)
        value, spread = float(seeds.mean()), float(seeds.std(ddof=1))
        if null.decimals is not None:
            value, spread = round(value, null.decimals), round(spread, null.decimals)
        out[where] = Printed(value, spread, n)
    return out


def ask(null: Null, runs: int, seed: int = 0) -> list[Row]:
    """The row of a null, and those of wrong methods where a difference of two models is asked about."""
    p = [(v.p_support, v.p_refute) for v in verdicts(null, runs, seed)]
    found = row(null.asked, *zip(*p, strict=True), false=null.false, interval=null.interval)
    return [found, *(wrong(null, runs, seed) if null.wrong else ())]


def powers() -> Iterator[tuple[str, Null]]:
    """Leads and correlations that are clearly true or false, by what they are."""
    for trials in TRIALS:
        for effect in EFFECTS:
            lead = Null("", Above("a", "b"), _means(60 + effect, 60), (), trials=trials)
            yield f"lead of {effect:g} points, {trials} trials", lead
    methods: tuple[Literal["pearson", "spearman"], ...] = ("pearson", "spearman")
    for method in methods:
        for r in CORRELATED:
            means = _correlated(r, 20.0)
            truth = r if method == "pearson" else _rank_correlation(means)
            clear = Null("", Correlates(*EIGHT, 0.7, method=method), means, ())
            yield f"{method} truly {truth:.2f}, at least 0.7", clear
