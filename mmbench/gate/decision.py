"""The gate: is a candidate no worse than a base, by a stated margin? Pass, fail or inconclusive, with numbers.

Base and candidate are measured on the same examples with the same draws, so each cell is one paired contrast,
candidate minus base, over crossed trials and examples (``stats.crossed``). Non-inferiority by cell: with gain g and
margin m, "not worse" rejects ``g <= -m`` and "worse" rejects ``g >= -m``, each one-sided.

What is adjusted for the number of cells. A gate that compares a hundred cells must not fail an unchanged model because
one of them had bad luck: "worse" is Holm-adjusted over the cells, so that the chance of any false fail stays within
``level`` whatever the cells share. The overall pass says that *every* cell is not worse: an intersection-union test
(Berger 1982), in which each cell is tested at the full ``level`` without adjustment. ``holm_not_worse`` is reported
for statements about several single cells at once.

Two trainings of one recipe differ by more than an interval within one run shows; the default margins leave room for
that (``mmbench.gate.seed_margins``), and less of it is needed where several seeds of a side are given: their mean is
compared. ``mmbench.calibration.gate_simulation`` says how often the gate is right and wrong.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbench import stats
from mmbench.errors import BadSpec, MMBenchError
from mmbench.metrics import METRICS, USUAL
from mmbench.scores import Scores, joint
from mmbench.words import listed

Decided = Literal["pass", "fail", "inconclusive"]
LEVEL = 0.05
# Of a metric's range: 5 points of accuracy. The least margin of a cell, whatever its seeds do: at the embedded lineup's
# sizes it takes so much to see a loss of twice the margin among 167 cells (reports/calibration.md, "Other margins").
DEFAULT_SHARE = 0.05
DEFAULT_MARGINS: Mapping[str, float] = {name: DEFAULT_SHARE * METRICS.get(name).width for name in USUAL.values()}


def default_margins() -> dict[str, float]:
    """The default share of the range of every registered metric; ``DEFAULT_MARGINS`` are those that were simulated."""
    return {metric.name: DEFAULT_SHARE * metric.width for metric in METRICS}


class NotComparable(MMBenchError):
    """Two cells, or two runs, that no difference can be taken of; names the cell and the part that differs."""


@dataclass(frozen=True)
class Margins:
    """How much worse a candidate may be, per metric, in its printed unit (accuracy in points, F1 between 0 and 1).

    ``by_cell`` holds the margins of single cells, by name, which come from their seeds; a metric in ``given`` has a
    margin that the user chose, and no cell of it another.
    """

    by_metric: Mapping[str, float] = field(default_factory=default_margins)
    by_cell: Mapping[str, float] = field(default_factory=dict)
    given: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for metric, margin in self.by_metric.items():
            _check_margin(metric, margin)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Margins:
        """Margins from ``accuracy=2``, ``f1_samples=0.03``, and the defaults for other metrics.

        A bare number goes to every metric of the one unit whose range it fits in: 2 can be no F1. Raises UnknownName
        with the nearest metric, and BadSpec for what is no number, negative, as wide as the range, or given twice.
        """
        given = printed_units(texts)
        return cls({**default_margins(), **given}, given=frozenset(given))

    def at(self, cell: str, metric: str) -> float:
        """The margin of a cell by its name. Raises BadSpec as ``of``."""
        return self.of(metric) if metric in self.given else self.by_cell.get(cell, self.of(metric))

    def of(self, metric: str) -> float:
        """The margin of ``metric``. Raises BadSpec when there is none, saying how to give it."""
        if metric not in self.by_metric:
            raise BadSpec(f"the gate has no margin for {metric}; give one in its printed unit: {metric}=NUMBER")
        return self.by_metric[metric]


def printed_units(texts: Sequence[str]) -> dict[str, float]:
    """The numbers by metric that ``texts`` give, checked as in Margins.parse; for losses to inject as well."""
    given: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        value = _number(number, text)
        for metric in [name.strip()] if name.strip() else _metrics_of_one_unit(value, text):
            _check_margin(metric, value)
            if metric in given:
                raise BadSpec(f"{text!r}: {metric} is {given[metric]:g} already; give it once")
            given[metric] = value
    return given


def _number(number: str, text: str) -> float:
    try:
        return float(number)
    except ValueError:
        raise BadSpec(f"{text!r} ends in no number; write METRIC=NUMBER, for example accuracy=2") from None


def _metrics_of_one_unit(margin: float, text: str) -> list[str]:
    fitting = [metric for metric in METRICS if 0 <= margin < metric.scale]
    if not fitting:
        ranges = ", ".join(f"{metric.name} from 0 to {metric.width:g}" for metric in METRICS)
        raise BadSpec(f"{text!r} fits no metric: {ranges}")
    if len({metric.unit for metric in fitting}) > 1:
        names = [f"{metric.name}={text}" for metric in fitting]
        raise BadSpec(f"{text!r} could be of several metrics; write {', '.join(names[:-1])} or {names[-1]}")
    return [metric.name for metric in fitting]


def _check_margin(metric: str, margin: float) -> None:
    width = METRICS.get(metric).width
    if not 0 <= margin < width:  # also refuses NaN
        raise BadSpec(f"{metric}={margin:g} is out of range: give at least 0 and less than {width:g}")


@dataclass(frozen=True)
class Compared:
    """One cell, candidate against base, in the metric's printed ``unit``.

    ``difference`` is candidate minus base with its two-sided 95 % interval ``low`` to ``high``. ``p_worse`` is the
    one-sided p-value of "worse by more than the margin", ``p_not_worse`` of its opposite; ``holm_*`` are adjusted over
    the cells of the decision. ``needed_examples`` or ``needed_trials``, each alone and if the difference stayed as it
    is, would decide an inconclusive cell; None where it would not, or where nothing is left to decide. ``seeds`` counts
    the trainings of base and candidate whose means are compared.
    """

    cell: str
    metric: str
    unit: str
    base: float
    candidate: float
    difference: float
    low: float
    high: float
    margin: float
    trials: int
    examples: int
    p_worse: float
    p_not_worse: float
    holm_worse: float
    holm_not_worse: float
    decided: Decided
    needed_examples: int | None = None
    needed_trials: int | None = None
    seeds: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Decision:
    """What the gate says, and every cell it rests on, in the order of the base.

    ``missing`` are cells of the base that the candidate lacks: with any of them the gate does not pass, since a
    candidate that was measured on less is not shown to be no worse. ``confidence`` is 1 - level.
    """

    decided: Decided
    cells: tuple[Compared, ...]
    margins: Margins
    confidence: float
    missing: tuple[str, ...] = ()


Seeds = Scores | Sequence[Scores]


def decide(
    base: Mapping[str, Seeds], candidate: Mapping[str, Seeds], margins: Margins, level: float = LEVEL
) -> Decision:
    """Compare the cells that both have; fail if any cell fails, else pass if every cell of ``base`` passes.

    Either side of a cell may be the scores of several seeds of one recipe: their mean is compared.

    Narrow ``base`` to the cells that count (those of the candidate's role): a cell that ``candidate`` lacks keeps the
    gate from passing. Raises NotComparable when a common cell differs in examples, metric, trials, protocol, reading
    or dataset, or when there is no common cell; BadSpec for a metric without a margin or a level out of range.
    """
    if not 0 < level < 0.5:
        raise BadSpec(f"the gate's level is {level:g}; it must lie between 0 and 0.5, for example 0.05")
    common = [cell for cell in base if cell in candidate]
    if not common:
        raise NotComparable(f"base and candidate have no cell in common: {listed(base)} against {listed(candidate)}")
    sides = {cell: (_seeds(base[cell]), _seeds(candidate[cell])) for cell in common}
    for cell, (old, new) in sides.items():
        for other in (*old[1:], *new):
            check_comparable(cell, old[0], other)
    estimates = [gains(old, [new], margins.at(cell, old[0].metric))[0] for cell, (old, new) in sides.items()]
    p_worse = np.array([estimate.p_below() for estimate in estimates])
    p_not_worse = np.array([estimate.p_above() for estimate in estimates])
    all_decided = settle(p_worse, p_not_worse, level)
    rows = zip(common, estimates, all_decided, stats.holm(p_worse), stats.holm(p_not_worse), strict=True)
    cells = tuple(
        _compared(cell, *sides[cell], margins, estimate, decided, (worse, not_worse))
        for cell, estimate, decided, worse, not_worse in rows
    )
    cells = tuple(_with_needed(c, estimate, level, len(cells)) for c, estimate in zip(cells, estimates, strict=True))
    missing = tuple(cell for cell in base if cell not in candidate)
    return Decision(overall(all_decided, missing), cells, margins, 1 - level, missing)


def gains(base: Seeds, candidates: Sequence[Seeds], margin: float = 0.0) -> stats.Contrasts:
    """How much better each candidate is, plus the margin, in printed units; above 0 it is not worse by the margin.

    Paired by trial and by example: all must have the shape and the examples of ``base``. Several seeds count by their
    mean.
    """
    old, new = _seeds(base), [_seeds(candidate) for candidate in candidates]
    sign = 1.0 if METRICS.get(old[0].metric).higher_is_better else -1.0
    weights = np.zeros((len(new), len(old) + sum(map(len, new))))
    weights[:, : len(old)] = -1.0 / len(old)
    first = len(old)
    for row, seeds in zip(weights, new, strict=True):
        row[first : first + len(seeds)] = 1.0 / len(seeds)
        first += len(seeds)
    return joint([*old, *(scores for seeds in new for scores in seeds)]).contrasts(sign * weights, margin)


def _seeds(scores: Seeds) -> Sequence[Scores]:
    return [scores] if isinstance(scores, Scores) else scores


def settle(p_worse: ArrayLike, p_not_worse: ArrayLike, level: float = LEVEL) -> list[Decided]:
    """What is decided for each cell: "worse" after Holm fails it, "not worse" at the full level passes it."""
    worse = stats.holm(p_worse) <= level
    not_worse = np.asarray(p_not_worse) <= level
    return ["fail" if w else "pass" if n else "inconclusive" for w, n in zip(worse, not_worse, strict=True)]


def overall(decided: Collection[Decided], missing: Collection[str] = ()) -> Decided:
    """Fail if any cell fails, else pass if all pass and none is missing."""
    if "fail" in decided:
        return "fail"
    return "pass" if set(decided) == {"pass"} and not missing else "inconclusive"


def check_comparable(cell: str, base: Scores, candidate: Scores) -> None:
    """Raise NotComparable, naming the cell and the first part that differs."""

    def part(name: str, a: object, b: object, way_out: str) -> None:
        if a != b:
            raise NotComparable(f"{cell}: {name} differs, base {a!r} and candidate {b!r}; {way_out}")

    again = "measure both with one mmbench on one lineup"
    part("metric", base.metric, candidate.metric, again)
    for name, key in (("protocol", "fingerprint"), ("reading", "reading"), ("dataset", "dataset")):
        if key in base.provenance and key in candidate.provenance:
            part(name, base.provenance[key], candidate.provenance[key], again)
    part("number of trials", base.trials, candidate.trials, "they are paired by draw, so both need the same draws")
    part("number of examples", base.outcomes.shape[1], candidate.outcomes.shape[1], again)
    part("digest of the examples", base.examples, candidate.examples, "they are paired by example; " + again)
    part("chance level", round(base.chance, 6), round(candidate.chance, 6), "the labels are not the same; " + again)


def _compared(
    cell: str,
    base: Sequence[Scores],
    candidate: Sequence[Scores],
    margins: Margins,
    estimate: stats.Estimate,
    decided: Decided,
    holm: tuple[float, float],
) -> Compared:
    metric, margin = METRICS.get(base[0].metric), margins.at(cell, base[0].metric)
    old, new = (float(np.mean([scores.mean for scores in side])) for side in (base, candidate))
    sign = 1.0 if metric.higher_is_better else -1.0
    low, high = sorted(sign * (bound - margin) for bound in estimate.interval())
    return Compared(
        cell=cell,
        metric=metric.name,
        unit=metric.unit,
        base=old,
        candidate=new,
        difference=new - old,
        low=low,
        high=high,
        margin=margin,
        trials=base[0].trials,
        examples=base[0].outcomes.shape[1],
        p_worse=estimate.p_below(),
        p_not_worse=estimate.p_above(),
        holm_worse=float(holm[0]),
        holm_not_worse=float(holm[1]),
        decided=decided,
        seeds=(len(base), len(candidate)),
    )


def _with_needed(compared: Compared, estimate: stats.Estimate, level: float, cells: int) -> Compared:
    """What would decide an inconclusive cell, to the side on which it stands; a fail pays for the number of cells."""
    if compared.decided != "inconclusive":
        return compared
    need = stats.needed(estimate, level if estimate.value > 0 else level / cells)

    def count(factor: float | None, now: int) -> int | None:
        return None if factor is None else math.ceil(factor * now)

    return replace(
        compared,
        needed_examples=count(need.examples, compared.examples),
        needed_trials=count(need.trials, compared.trials),
    )


def inject(scores: Scores, loss: float, seed: int = 0) -> Scores:
    """The scores made worse by ``loss`` printed units: proof that a gate can fail.

    Right outcomes are turned wrong example by example, in a seeded order, until the mean has moved by ``loss`` to the
    nearest outcome; pseudo-values of a jackknifed metric all move by ``loss``. Raises BadSpec when ``loss`` is negative
    or more than there is to lose.
    """
    metric = METRICS.get(scores.metric)
    good = scores.outcomes - metric.low if metric.higher_is_better else metric.high - scores.outcomes
    there = float(good.mean(dtype=np.float64)) * scores.scale
    if not 0 <= loss <= there:
        raise BadSpec(f"cannot lose {loss:g}{metric.unit}: {metric.name} has {there:g}{metric.unit} to lose")
    worse = good - np.float32(loss / scores.scale) if metric.jackknifed else _turned(good, loss / scores.scale, seed)
    return replace(scores, outcomes=worse + metric.low if metric.higher_is_better else metric.high - worse)


def _turned(good: NDArray[np.float32], loss: float, seed: int) -> NDArray[np.float32]:
    """Outcomes set to 0 example by example, in a seeded order, until their mean has fallen by ``loss``."""
    order = np.random.default_rng(seed).permutation(good.shape[1])
    by_example = good[:, order].T.ravel()
    lost = np.concatenate([[0.0], np.cumsum(by_example, dtype=np.float64)])
    by_example[: np.abs(lost - loss * good.size).argmin()] = 0
    worse = np.empty_like(good)
    worse[:, order] = by_example.reshape(good.shape[::-1]).T
    return worse
