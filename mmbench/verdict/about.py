"""What a verdict is about: the networks, examples and training rows that its interval speaks of.

An interval says how far a result may move when something is drawn again. Which things are drawn again differs from
verdict to verdict, so it is said beside each interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mmbench.claims.claim import Printed
from mmbench.protocol import Cell
from mmbench.scores import Scores

# Probes of ours that learn nothing from training rows. A probe of a user's own counts as one that does. This is no
# field of Probe, because the program of ``probes`` is part of every cell's key.
WITHOUT_TRAINING = frozenset({"cka", "rdm", "spectral", "zero_shot"})
THIS_POOL, FRESH_POOLS = "this training pool", "fresh training pools"
SIGN_ONLY = "numbers without spread: the sign only"
EXACT = "exact numbers"
NO_EXAMPLES = "its test examples are not in the interval"


@dataclass(frozen=True)
class About:
    """What is drawn again in a verdict's interval; a field is empty where it does not apply.

    Measured: ``networks`` ("these networks"), ``examples`` ("600 examples", "219 drawings"), ``training`` ("this
    training pool", "fresh training pools"). Published: ``printed`` ("the paper's seeds (n = 5)", exact numbers, or
    numbers without spread), and ``left_out`` says what print leaves out of the interval.
    """

    networks: str = ""
    examples: str = ""
    training: str = ""
    printed: str = ""
    left_out: str = ""

    def __str__(self) -> str:
        """One short phrase; empty where nothing was judged."""
        said = ", ".join(filter(None, (self.networks, self.examples, self.training, self.printed)))
        return "; ".join(filter(None, (said, self.left_out)))


def about_scores(scores: Iterable[Scores], probes: Iterable[str], networks: str) -> About:
    """What an interval over these measured cells is about. ``probes`` are those of the cells, in the same order."""
    found = list(zip(scores, probes, strict=True))
    if not found:
        return About()
    # one trial has no spread, from which that of fresh pools would follow
    pools = [each.pool if each.trials > 1 else None for each, probe in found if probe not in WITHOUT_TRAINING]
    fresh = all(pool is not None for pool in pools)
    return About(
        networks, _examples([each for each, _ in found]), (FRESH_POOLS if fresh else THIS_POOL) if pools else ""
    )


def about_print(numbers: Mapping[Cell, Printed], cells: Iterable[Cell], bare: Iterable[Cell]) -> About:
    """What an interval over these printed numbers is about; ``bare`` are the cells without a spread."""
    asked = [cell for cell in cells if cell in numbers]
    if not asked:
        return About()
    if set(asked) & set(bare):
        return About(printed=SIGN_ONLY)
    found = [numbers[cell] for cell in asked]
    seeds = sorted({number.n for number in found if number.std is not None and number.se is None and number.n})
    said = []
    if seeds:
        said.append(f"the paper's seeds (n = {_span(seeds)})")
    if any(not number.exact and (number.std is None or number.se is not None) for number in found):
        said.append("standard errors that follow from print")
    return About(printed=" and ".join(said) or EXACT, left_out=NO_EXAMPLES if seeds else "")


def _examples(scores: Iterable[Scores]) -> str:
    """``219 drawings of each of 2 datasets and 600 examples``: independent units, counted once for each set of them."""
    counts: dict[str, dict[str, int]] = {}
    for each in scores:
        counts.setdefault(_unit(each), {})[each.examples] = _units(each)
    return " and ".join(_counted(unit, list(found.values())) for unit, found in counts.items())


def _unit(scores: Scores) -> str:
    if scores.groups is not None:
        return scores.grouped_by or "groups"
    return "classes" if scores.definition.over == "classes" else "examples"


def _units(scores: Scores) -> int:
    """Independent things: groups, and the examples that are in none (negative) as one each."""
    if scores.groups is None:
        return scores.outcomes.shape[1]
    groups = scores.groups.reshape(len(scores.groups), -1)
    return len(np.unique(groups[groups >= 0])) + int((groups < 0).all(axis=1).sum())


def _counted(unit: str, counts: list[int]) -> str:
    where = f" of each of {len(counts)} datasets" if len(counts) > 1 else ""
    return f"{_span(sorted(set(counts)))} {unit}{where}"


def _span(numbers: list[int]) -> str:
    """``5``, or ``3 to 10``, of sorted numbers."""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
