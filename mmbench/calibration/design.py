"""What a design of the calibration is, the registry of them, and what is out of bounds in what they find.

A design draws evidence again and again from a population whose truth is known, has claims judged that are only just
true or only just false there, and counts: how often a 95 % interval holds the truth, how often a verdict is false.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench import stats
from mmbench.registry import Registry

Row = dict[str, Any]
Kind = Literal["real", "printed", "planted", "power"]
KINDS: dict[Kind, str] = {
    "real": "Real digits, resampled",
    "printed": "Printed numbers",
    "planted": "Outcomes planted by a model",
    "power": "What is clearly true or false",
}
BOTH = ("supported", "refuted")
LOW, HIGH = 0.93, 0.97  # of coverage
MOST_FALSE = 0.06  # of verdicts, on each side
SURE = 3.0  # standard errors of a simulated rate


@dataclass(frozen=True)
class Design:
    """One way of drawing evidence. ``ask(runs, seed)`` gives its rows, one for each thing that is asked of it.

    ``runs`` is how often it is drawn for the page. ``low`` is the least coverage that it must reach.
    """

    name: str
    kind: Kind
    ask: Callable[[int, int], list[Row]]
    runs: int
    low: float = LOW
    about: str = ""


def _place(design: Design) -> str:
    """Kinds in their order, and in each the modules of its designs: whichever module happens to be imported first."""
    function = design.ask.func if isinstance(design.ask, functools.partial) else design.ask
    return f"{list(KINDS).index(design.kind)} {function.__module__}"


DESIGNS: Registry[Design] = Registry("design of the calibration", package="mmbench.calibration.designs", order=_place)


def row(
    asked: str,
    p_support: Sequence[float | None] | NDArray[np.float64],
    p_refute: Sequence[float | None] | NDArray[np.float64],
    *,
    false: Iterable[str] = BOTH,
    interval: bool = True,
    **more: Any,
) -> Row:
    """Rates from the p-values of verdicts at the truth.

    ``false`` names the verdicts that are false there. ``interval``: whether one quantity is judged, so that a two-sided
    95 % interval is what both p-values leave above 0.025. ``more`` is kept as it is. A p-value that is None (nothing
    was tested) decides nothing.
    """
    for_it, against = (np.array(p, dtype=np.float64) for p in (p_support, p_refute))
    return {
        "asked": asked,
        "runs": len(for_it),
        "coverage": float(np.mean(np.minimum(for_it, against) > 0.025)) if interval else None,
        "supported": float(np.mean(for_it <= stats.LEVEL)),
        "refuted": float(np.mean(against <= stats.LEVEL)),
        "false": list(false),
        **more,
    }


def noise(rate: float, runs: int, errors: float = SURE) -> float:
    """So many standard errors of a rate seen in so many runs."""
    return errors * math.sqrt(rate * (1 - rate) / runs)


def faults(name: str, rows: Iterable[Mapping[str, Any]], low: float = LOW, errors: float = SURE) -> list[str]:
    """What rows show to be out of bounds by more than ``errors`` standard errors of the simulation itself."""
    return [f"{name}, {each['asked']}: {fault}" for each in rows for fault in _faults(each, low, errors)]


def _faults(each: Mapping[str, Any], low: float, errors: float) -> Iterator[str]:
    coverage, runs = each["coverage"], each["runs"]
    if coverage is not None and coverage < low - noise(low, runs, errors):
        yield f"95 % intervals cover {100 * coverage:.1f} %"
    if coverage is not None and coverage > HIGH + noise(HIGH, runs, errors):
        yield f"95 % intervals cover {100 * coverage:.1f} %, wider than they need be"
    for outcome in each["false"]:
        if each[outcome] > MOST_FALSE + noise(MOST_FALSE, runs, errors):
            yield f"{100 * each[outcome]:.1f} % falsely {outcome}"
