"""Clusters of a dendrogram at their border: true correlations at which one group is complete just as a stranger comes.

The tree of the means seen jumps there, so a verdict that trusted it would be false in half of the runs.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np

from mmbench.calibration.design import DESIGNS, Design, Row, row
from mmbench.claims import Claim, Place
from mmbench.forms import Clusters
from mmbench.probes.rdm import RSA
from mmbench.protocol import Cell, Roles
from mmbench.scores import Scores
from mmbench.verdict import Measured, Verdict, judge

NAMES = ("a", "b", "c", "d")
PAIRS = tuple(itertools.combinations(NAMES, 2))
CLASSES, ERROR = 100, 0.03  # jackknifed over so many classes; standard error of each correlation
# a and b are asked to be a cluster. One tie: a is as near to c as to b. Two: so is b to d. All: no two are nearer.
TRUE: dict[str, dict[tuple[str, str], float]] = {
    "one tie": {("a", "b"): 0.8, ("a", "c"): 0.8},
    "two ties": {("a", "b"): 0.8, ("a", "c"): 0.8, ("b", "d"): 0.8},
    "all tied": dict.fromkeys(PAIRS, 0.2),
}


def at_the_border(ties: str, runs: int, seed: int) -> list[Row]:
    found = [_verdict(ties, np.random.default_rng([seed, run])) for run in range(runs)]
    p = [v.p_support for v in found], [v.p_refute for v in found]
    return [row("a, b are a cluster", *p, interval=False)]


def _verdict(ties: str, rng: np.random.Generator) -> Verdict:
    noise = rng.standard_normal((len(PAIRS), 1, CLASSES)) * ERROR * np.sqrt(CLASSES)
    scores = {
        Cell(RSA, Roles(*pair), "imagenet"): Scores(
            (TRUE[ties].get(pair, 0.2) + each).astype(np.float32), RSA.metric, "classes", 0.0
        )
        for pair, each in zip(PAIRS, noise, strict=True)
    }
    models = tuple(cell.models for cell in scores)
    claim = Claim(
        "planted-cluster", "", Place("planted"), Clusters(NAMES, (("a", "b"),)), (RSA,), ("imagenet",), models
    )
    return judge(claim, Measured(scores.__getitem__))


for _ties in TRUE:
    DESIGNS.add(
        Design(
            f"cluster of a dendrogram, {_ties}",
            "planted",
            functools.partial(at_the_border, _ties),
            200,
            about="four models; the claim is at its border, so both verdicts are false",
        )
    )
