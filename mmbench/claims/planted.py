"""Made-up claims about made-up models, for the tests of the judge and of the plugin. They belong to no paper.

``TRUTH`` is the table behind them: ``liar`` asserts the opposite of it.
"""

from __future__ import annotations

from mmbench.claims.claim import CLAIMS, PLANTED, Claim, Place, Printed, Table
from mmbench.forms import Above, Best, OnPar
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell

PROTOCOL = FEW_SHOT.at(shots=5)
MODELS = ("strong", "weak", "twin")
DATASETS = ("easy", "hard")
TRUTH = {
    Cell(PROTOCOL, model, dataset): mean
    for model, means in {"strong": (90.0, 70.0), "weak": (80.0, 50.0), "twin": (80.0, 50.0)}.items()
    for dataset, mean in zip(DATASETS, means, strict=True)
}
TABLE = Table(
    "Table 0",
    Place(PLANTED, "0", "Table 0"),
    {cell: Printed(mean, 0.5, 5) for cell, mean in TRUTH.items()},
    spread="5 seeds",
    note="invented numbers",
)


def _claim(name: str, says: str, expect: Above | Best | OnPar, published: tuple[Table, ...] = (TABLE,)) -> Claim:
    return CLAIMS.add(
        Claim(
            id=f"{PLANTED}-{name}",
            says=says,
            where=Place(PLANTED, "0", "Table 0"),
            expect=expect,
            protocols=(PROTOCOL,),
            datasets=DATASETS,
            models=MODELS,
            published=published,
        )
    )


ABOVE = _claim("above", "The strong model is above the weak one.", Above("strong", "weak"))
BEST = _claim("best", "The strong model is best on each dataset.", Best("strong", each=("protocol", "dataset")))
ONPAR = _claim("onpar", "The weak model and its twin are on par.", OnPar("weak", "twin", within=5.0))
TIED = _claim("tied", "The weak model is above its twin.", Above("weak", "twin"))
LIAR = _claim("liar", "The weak model is above the strong one.", Above("weak", "strong"))
UNPRINTED = _claim("unprinted", "The strong model is above one that nobody printed.", Above("strong", "ghost"))
