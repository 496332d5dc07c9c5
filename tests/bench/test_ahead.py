"""Trainings of planned cells are fitted on a thread of their own, with the weights that asking for them would give."""

import dataclasses
import threading

import numpy as np
import pytest

from mmbench.bench.ahead import Ahead
from mmbench.bench.bench import Bench
from mmbench.bench.lineup_source import LineupSource
from mmbench.errors import BadFeatures
from mmbench.features.store import Store
from mmbench.inputs.entry import FAMILIES
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell, Roles
from mmbench.training.entry import TRAININGS, Fit

from ..tiny_lineup import tiny_lineup

PAIR = Roles("clip", "clip_t")
CELL = Cell(FEW_SHOT, Roles("clip"), "cifar10")
FITS = [Fit("linear_map", PAIR, "cifar10", seed) for seed in (7, 8, 9)]


@pytest.fixture
def source(tmp_path):
    return LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)


@pytest.fixture
def asked(monkeypatch):
    """Cells of the few-shot probe ask for three trainings."""
    family = dataclasses.replace(FAMILIES.get("labelled"), trainings=lambda source, cell: FITS)
    monkeypatch.setitem(FAMILIES._entries, "labelled", family)


def begun(source, cells=(CELL,)):
    ahead = Ahead(source)
    ahead.begin(cells)
    ahead.wait()
    return [cost.name.split()[-1] for cost in source.costs if cost.kind == "training" and cost.fresh]


def test_weights_are_those_that_asking_gives_and_are_fitted_once(source, asked, tmp_path):
    assert begun(source, (CELL, CELL)) == ["7", "8", "9"]
    other = LineupSource(tiny_lineup(), Store(tmp_path / "other"), progress=False)
    for fit in FITS:
        np.testing.assert_array_equal(source.trained(*fit)["weight"], other.trained(*fit)["weight"])
    assert len([cost for cost in source.costs if cost.kind == "training" and cost.fresh]) == 3


def test_it_runs_beside_the_caller_and_takes_up_nothing_after_stop(source, asked, monkeypatch):
    at_work, go_on, trained = threading.Event(), threading.Event(), source.trained

    def slowly(*fit):
        at_work.set()
        assert go_on.wait(30)
        return trained(*fit)

    monkeypatch.setattr(source, "trained", slowly)
    ahead = Ahead(source)
    ahead.begin([CELL])
    assert at_work.wait(30)
    ahead.stop()
    go_on.set()
    ahead.wait()
    assert len([cost for cost in source.costs if cost.kind == "training"]) == 1


def test_what_fails_is_left_for_who_asks_and_the_others_are_fitted(source, asked, monkeypatch):
    real = TRAININGS.get("linear_map").fit

    def fit(inputs, settings, seed, checkpoint):
        if seed == 8:
            raise BadFeatures("seed 8 diverged")
        return real(inputs, settings, seed, checkpoint)

    fit.__module__ = real.__module__
    monkeypatch.setitem(TRAININGS._entries, "linear_map", dataclasses.replace(TRAININGS.get("linear_map"), fit=fit))
    assert begun(source) == ["7", "9"]
    with pytest.raises(BadFeatures, match="seed 8 diverged"):
        source.trained(*FITS[1])


def test_what_cannot_be_stored_or_lacks_its_models_is_not_begun(tmp_path, asked, monkeypatch):
    unknown = LineupSource(tiny_lineup(weights=None), Store(tmp_path), progress=False)
    assert begun(unknown) == []
    nobody = dataclasses.replace(
        FAMILIES.get("labelled"), trainings=lambda source, cell: [FITS[0]._replace(models=Roles("clip", "nobody"))]
    )
    monkeypatch.setitem(FAMILIES._entries, "labelled", nobody)
    assert begun(LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)) == []


@pytest.mark.parametrize("side_by_side", [True, False])
def test_a_bench_begins_once_something_is_measured_and_not_where_work_runs_one_by_one(
    tmp_path, asked, monkeypatch, side_by_side
):
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    begins = []
    monkeypatch.setattr(Ahead, "begin", lambda self, cells: begins.append(list(cells)))
    bench = Bench(tiny_lineup(), Store(tmp_path), progress=False, side_by_side=side_by_side)
    other = dataclasses.replace(CELL, dataset="mnist")
    bench.plan([CELL, other])
    assert begins == []
    bench.scores(other)
    bench.scores(CELL)
    assert begins == ([[CELL, other]] if side_by_side else [[]])
