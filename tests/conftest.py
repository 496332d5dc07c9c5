"""Hypothesis profiles, and records made up for the tests of several rooms; nothing in them was measured."""

import os

import pytest
from hypothesis import settings

from mmbench.claims import CLAIMS
from mmbench.records.schema import Binding, LineupPart, Record, VerdictPart
from mmbench.records.verdicts import adjusted

from .made_records import cell, model_role, verdict

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.fixture
def make_run(make_record):
    """``make_run(cells, clip="other weights", ...)``: a record whose lineup plays every role of its cells."""

    def make(cells, *, models=(), datasets=(), **weights):
        named = dict.fromkeys(role for part in cells for role in part.models)
        bound = {role: model_role(role, weights.pop(role, "w")) for role in named} | {b.role: b for b in models}
        names = dict.fromkeys(part.dataset for part in cells)
        data = {name: Binding(role=name, spec="flags", digest=f"{name}-1", hashed=True) for name in names}
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
