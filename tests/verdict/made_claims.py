"""Claims and evidence made up for tests of verdicts; nothing in them was measured."""

from collections.abc import Iterable

import numpy as np

from mmbench.claims import Claim, Place, Printed, Table
from mmbench.errors import Unmeasured
from mmbench.forms import Form
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.scores import Scores
from mmbench.verdict import Measured


def claim(expect: Form, **rest) -> Claim:
    rest = {"protocols": (FEW_SHOT,), "datasets": ("set",), "models": ("a", "b", "c")} | rest
    return Claim("study-claim", "A sentence.", Place("study", "1"), expect, **rest)


def at(model: str, protocol=FEW_SHOT, dataset: str = "set") -> Cell:
    return Cell(protocol, model, dataset)


def print_of(**numbers: Printed) -> dict:
    return {"published": (Table("T", Place("study"), {at(model): number for model, number in numbers.items()}),)}


def scored(outcomes, chance: float = 0.1, metric: str = "accuracy", examples: str = "set", **rest) -> Scores:
    return Scores(np.atleast_2d(np.asarray(outcomes, dtype=np.float32)), metric, examples, chance, **rest)


def right(share: float, of: int = 500, shift: int = 0) -> np.ndarray:
    """Outcomes of which exactly this share is right, from example ``shift`` on."""
    return (np.roll(np.arange(of), shift) < round(share * of)).astype(np.float32)


def measured(scores: dict[Cell, Scores], untrained: dict[Cell, Scores] | None = None) -> Measured:
    def scores_of(wanted: Cell) -> Scores:
        if wanted not in scores:
            raise Unmeasured(f"{wanted} is not there")
        return scores[wanted]

    return Measured(scores_of, untrained=None if untrained is None else untrained.get)


def on_set(cells: Iterable[tuple[str, Scores]]) -> dict[Cell, Scores]:
    return {at(model): scores for model, scores in cells}
