"""A record made up for the report's tests; nothing in it was measured."""

import numpy as np
import pytest

from mmbench.claims import CLAIMS
from mmbench.protocol import FEW_SHOT, Cell
from mmbench.report.cells import cell_part
from mmbench.report.compare import adjusted
from mmbench.report.record import Binding, CellPart, LineupPart, Record, VerdictPart
from mmbench.scores import Scores

EVIL = "<script>alert('x')</script>|`*_[y](javascript:z)\n# head"


def verdict(claim="devillers2021-made-up", outcome="supported", evidence="measured", **rest):
    base = {"estimate": 4.0, "low": 1.0, "high": 7.0, "p_support": 0.01, "p_refute": 0.99}
    numbers = {} if outcome == "unmeasured" else base
    return {"claim": claim, "study": claim.split("-")[0], "evidence": evidence, "outcome": outcome} | numbers | rest


def cell(model, dataset, mean, protocol="few_shot_5", probe="prototypes", **rest):
    return CellPart(
        protocol=protocol, probe=probe, fingerprint=f"{protocol}-print", reading="paper", model=model,
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
    return Binding(role=role, spec=f"zoo:{role}", digest=f"{role}-{weights}", identity=known)


@pytest.fixture
def make_run(make_record):
    """``make_run(cells, clip="other weights", ...)``: a record whose lineup plays every role of its cells."""

    def make(cells, *, models=(), datasets=(), **weights):
        named = dict.fromkeys(role for part in cells for role in part.model.split("+"))
        bound = {role: model_role(role, weights.pop(role, "w")) for role in named} | {b.role: b for b in models}
        data = {part.dataset: Binding(role=part.dataset, spec="flags", digest=f"{part.dataset}-1") for part in cells}
        data |= {b.role: b for b in datasets}
        lineup = LineupPart(name="made", models=tuple(bound.values()), datasets=tuple(data.values()))
        return make_record(cells=tuple(cells), lineup=lineup, verdicts=(), **weights)

    return make


@pytest.fixture
def make_record():
    def make(**changes):
        fields = {
            "label": "made",
            "commit": "0123456789abcdef",
            "dirty": False,
            "machine": {
                "cpu": "a processor",
                "cores": 2,
                "os": "Linux 6",
                "architecture": "x86_64",
                "python": "3.11.7",
            },
            "versions": {"mmbench": "0.1.0"},
            "lineup": LineupPart(
                name="made",
                note="for tests",
                models=(
                    Binding(role="clip", spec="zoo:clip", stand_in_for="CLIP RN50", note="small"),
                    Binding(role="random", spec="zoo:random"),
                ),
                datasets=(
                    Binding(
                        role="cub", spec="flags", stand_in_for="CUB", note="flags", credit="OpenMoji, CC BY-SA 4.0"
                    ),
                ),
            ),
            "started": "2026-01-02T03:04:05Z",
            "seconds": 12.5,
            "cells": (cell("clip", "cub", 60.0), cell("random", "cub", 20.0), cell("clip", "mnist", 90.0)),
            "verdicts": tuple(VerdictPart(**part) for part in adjusted([verdict()])),
        }
        return Record(**(fields | changes))

    return make


@pytest.fixture
def known_claim():
    """A registered claim with published tables and a disagreement."""
    return next(claim for claim in CLAIMS if claim.published and claim.disagreements and claim.expect)
