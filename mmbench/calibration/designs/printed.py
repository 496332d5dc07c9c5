"""Numbers as papers print them: mean and spread of seeds, a correlation of pairs, a share without a spread."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mmbench.calibration.design import DESIGNS, Design, Row, row
from mmbench.calibration.designs.few_shot import bank
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import cell_of
from mmbench.claims.claim import PLANTED, Claim, Place, Printed
from mmbench.forms import Above, AtLeast, Form
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.verdict import Published, Verdict, judge

Array = NDArray[np.float64]
SHARE = 1000  # examples behind a printed share


def verdict(form: Form, numbers: Mapping[str, Printed]) -> Verdict:
    """The verdict on a form over printed numbers by model."""
    cells = {cell_of(model): number for model, number in numbers.items()}
    protocols = tuple(dict.fromkeys(cell.protocol for cell in cells))
    models = tuple(cell.models for cell in cells)
    claim = Claim(PLANTED, "", Place(PLANTED), form, protocols, ("digits",), models)
    return judge(claim, Published(cells))


def rates(what: str, verdicts: list[Verdict]) -> Row:
    """A row of tested verdicts; ``points`` is the share of those that a sign decided without a test."""
    points = float(np.mean([v.point for v in verdicts]))
    found = row(what, [v.p_support for v in verdicts], [v.p_refute for v in verdicts], interval=points == 0)
    if points:
        found |= {side: float(np.mean([v.outcome == side for v in verdicts])) for side in ("supported", "refuted")}
        found |= {"points": points, "false": []}
    return found


def printed_seeds(seeds: int, decimals: int, runs: int, seed: int) -> list[Row]:
    """Mean and standard deviation over so many draws of shots, rounded as papers round them."""
    found = bank(FEW_SHOT.at(shots=5))
    by_draw = {m: 100 * (each == found.labels).mean(axis=1) for m, each in found.predicted.items()}
    one, other = by_draw
    lead = float(by_draw[one].mean() - by_draw[other].mean())
    verdicts: dict[str, list[Verdict]] = {f"value of {one}": [], f"{one} less {other}": []}
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        drawn = {m: rng.choice(values, seeds) for m, values in by_draw.items()}  # a paper's two rows: not paired
        numbers = {m: _printed(values, decimals) for m, values in drawn.items()}
        forms = (AtLeast(one, float(by_draw[one].mean())), Above(one, other, by=lead))
        for kept, form in zip(verdicts.values(), forms, strict=True):
            kept.append(verdict(form, numbers))
    return [rates(what, each) for what, each in verdicts.items()]


def _printed(values: Array, decimals: int) -> Printed:
    return Printed(round(float(values.mean()), decimals), round(float(values.std(ddof=1)), decimals), len(values))


def correlations(what: str, n: int, runs: int, seed: int) -> list[Row]:
    """A correlation over ``n`` pairs is held against its true value."""
    pairs = {"normal": _normal_pairs, "ink": _ink}[what]()
    true = _pearson(pairs)
    verdicts = []
    for run in range(runs):
        some = pairs[np.random.default_rng([seed, run]).integers(len(pairs), size=n)]
        r = _pearson(some)
        verdicts.append(verdict(AtLeast("r", true), {"r": Printed(r, pairs=n)}))
    return [rates(f"at least {true:.2f}", verdicts)]


def _pearson(pairs: Array) -> float:
    return float(np.corrcoef(pairs[:, 0], pairs[:, 1])[0, 1])


@functools.cache
def _normal_pairs() -> Array:
    """Pairs that are jointly normal, as Fisher assumes, correlated by 0.7."""
    rng = np.random.default_rng(70)
    x, y = rng.standard_normal(200_000), rng.standard_normal(200_000)
    return np.stack([x, 0.7 * x + np.sqrt(1 - 0.49) * y], axis=1)


@functools.cache
def _ink() -> Array:
    """How much ink a digit has in its upper and its lower half."""
    images = mnist().test.pixels.reshape(-1, 2, 98)
    return np.asarray(images.sum(axis=2), dtype=np.float64)


def without_spread(runs: int, seed: int) -> list[Row]:
    """Two equally good models, each printed as a share of other examples, without a spread."""
    verdicts = []
    for run in range(runs):
        hits = np.random.default_rng([seed, run]).binomial(SHARE, 0.7, 2)
        numbers = {m: Printed(100 * count / SHARE) for m, count in zip("ab", hits.tolist(), strict=True)}
        verdicts.append(verdict(Above("a", "b"), numbers))
    return [rates("a tie, by the sign alone", verdicts)]


for _seeds, _decimals in ((3, 1), (5, 1), (10, 1), (5, 0)):
    DESIGNS.add(
        Design(
            f"printed mean and std of {_seeds} seeds, {_decimals} decimals",
            "printed",
            functools.partial(printed_seeds, _seeds, _decimals),
            4000,
            about="draws of 5 shots of real digits, rounded",
        )
    )
for _what, _about in (
    ("normal", "pairs that are jointly normal"),
    ("ink", "ink in the upper and the lower half of real digits"),
):
    for _n in (12, 50):
        DESIGNS.add(
            Design(
                f"printed correlation of {_n} pairs, {_what}",
                "printed",
                functools.partial(correlations, _what, _n),
                4000,
                about=_about,
            )
        )
DESIGNS.add(
    Design(
        "printed share without a spread",
        "printed",
        without_spread,
        1000,
        about=f"right answers of {SHARE}, as a percentage: a verdict by the sign is no test",
    )
)
