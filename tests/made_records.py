"""Parts of records made up for tests; nothing in them was measured."""

import numpy as np

from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell, Roles
from mmbench.records.cells import cell_part
from mmbench.records.schema import Binding, CellPart, LineupPart, VerdictPart
from mmbench.records.verdicts import adjusted
from mmbench.scores import Scores

EVIL = "<script>alert('x')</script>|`*_[y](javascript:z)\n# head"


def verdict(claim="devillers2021-made-up", outcome="supported", evidence="measured", **rest):
    base = {"estimate": 4.0, "low": 1.0, "high": 7.0, "p_support": 0.01, "p_refute": 0.99}
    numbers = {} if outcome == "unmeasured" else base
    return {"claim": claim, "study": claim.split("-")[0], "evidence": evidence, "outcome": outcome} | numbers | rest


def cell(model, dataset, mean, protocol="few_shot_5", probe="prototypes", **rest):
    return CellPart(
        protocol=protocol, probe=probe, fingerprint=f"{protocol}-print", reading="paper", models=tuple(Roles.of(model)),
        dataset=dataset, metric="accuracy", unit="%", trials=(mean - 1, mean + 1), mean=mean, low=mean - 2,
        high=mean + 2, chance=10.0, examples=500, seconds=0.5, **rest,
    )  # fmt: skip


PREPROCESS = {"size": 64, "resize": 64, "mean": [0.5, 0.5, 0.5], "interpolation": "bicubic"}


def measured(model="clip", dataset="cub", accuracy=0.6, *, seed=0, metric="accuracy", examples=400, **made):
    """A cell with outcomes: equal seeds share their luck, so a better accuracy is right wherever a worse one is."""
    drawn = np.random.default_rng(seed).random((10, examples)) < accuracy
    scores = Scores(drawn.astype(np.float32), metric, f"examples of {dataset}", 0.1, made)
    return CellPart.model_validate(cell_part(Cell(FEW_SHOT, model, dataset), scores, fresh=True))


def model_role(role, weights="w", *, preprocess=PREPROCESS, **identity):
    known = {"architecture": "small", "layer": "last", "preprocess": preprocess, "versions": {}} | identity
    return Binding(role=role, spec=f"zoo:{role}", digest=f"{role}-{weights}", identity=known, hashed=True)


def evil_record(make_record):
    """A record whose every name tries to leave its place in a page."""
    binding = Binding(role=EVIL, spec=EVIL, stand_in_for=EVIL, note=EVIL, credit=EVIL)
    part = verdict(f"devillers2021-{EVIL}", reason=EVIL, missing=[EVIL], settle=EVIL, note=EVIL, binding=EVIL)
    return make_record(
        lineup=LineupPart(name=EVIL, note=EVIL, models=(binding,), datasets=(binding,), changed=(EVIL,)),
        cells=(cell(EVIL, "cub", 60.0), cell("clip", EVIL, 50.0)),
        verdicts=tuple(VerdictPart(**p) for p in adjusted([part])),
        label=EVIL,
        machine=make_record().machine.model_dump() | {"cpu": EVIL},
        versions={EVIL: EVIL},
    )


def lineup_with(record, bound):
    """The record's lineup with one model role more."""
    return record.lineup.model_copy(update={"models": (*record.lineup.models, bound)})
