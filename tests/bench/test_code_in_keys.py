"""Scores and weights are stored under the code that made them, or not at all."""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
import time

import numpy as np
import pytest

from mmbench.bench.bench import Bench
from mmbench.bench.keys import cell_key, code_digest
from mmbench.bench.lineup_source import LineupSource
from mmbench.bench.solving import probe_of
from mmbench.features.store import Store, StoreWarning
from mmbench.metrics import METRICS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell, Roles
from mmbench.training.entry import TRAININGS

from ..tiny_lineup import tiny_lineup

CELL = Cell(FEW_SHOT, "clip", "cifar10")
RIGHT = "def outcome(predictions, labels):\n    return SCALE * (predictions == labels[None]).astype('float32')"
FIT = "def fit(inputs, settings, seed, checkpoint):\n    return {'weight': numpy.full((3, 3), SCALE, 'float32')}"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Imports a user's module of this text; ``edited`` changes its file, with a date in the future."""
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "lab_code_in_keys.py"

    def imported(text):
        path.write_text(text)
        return importlib.import_module(path.stem)

    def edited(text):
        path.write_text(text)
        os.utime(path, (later := time.time() + 10, later))

    imported.edited = edited
    yield imported
    sys.modules.pop(path.stem, None)


def stored(bench, folder="scores"):
    return list(bench.store.root.glob(f"{folder}/**/*.safetensors"))


def test_a_metric_whose_file_was_edited_after_its_import_is_measured_and_not_stored(lab, tmp_path, monkeypatch):
    """Else the scores of the code that runs would be those of the code that was written since."""
    accuracy = METRICS.get("accuracy")
    half = lab(f"SCALE = 0.5\n{RIGHT}")
    monkeypatch.setitem(METRICS._entries, "accuracy", dataclasses.replace(accuracy, outcome=half.outcome))
    lab.edited(f"SCALE = 1.0\n{RIGHT}")
    once = Bench(tiny_lineup(), Store(tmp_path / "store"), progress=False)
    with pytest.warns(StoreWarning, match="'prototypes' by 'accuracy' are not stored: .* was changed while this proc"):
        assert 40 < once.scores(CELL).mean <= 50
    assert stored(once) == []


def test_a_metric_whose_file_is_edited_later_in_the_run_is_stored_as_what_ran(lab, tmp_path, monkeypatch):
    accuracy = METRICS.get("accuracy")
    half = lab(f"SCALE = 0.5\n{RIGHT}")
    monkeypatch.setitem(METRICS._entries, "accuracy", dataclasses.replace(accuracy, outcome=half.outcome))
    once = Bench(tiny_lineup(), Store(tmp_path / "store"), progress=False)
    assert once.fresh(CELL)
    lab.edited(f"SCALE = 1.0\n{RIGHT}")
    assert 40 < once.scores(CELL).mean <= 50
    assert len(stored(once)) == 1


def test_a_training_whose_file_was_edited_after_its_import_is_fitted_and_not_stored(lab, tmp_path, monkeypatch):
    ours = lab(f"import numpy\nSCALE = 0.5\n{FIT}")
    training = dataclasses.replace(TRAININGS.get("linear_map"), fit=ours.fit)
    monkeypatch.setitem(TRAININGS._entries, "linear_map", training)
    lab.edited(f"import numpy\nSCALE = 1.0\n{FIT}")
    source = LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)
    with pytest.warns(StoreWarning, match="weights of the training 'linear_map' are not stored: .*run again"):
        assert source.trained("linear_map", Roles("clip", "clip_t"), "cifar10", 7)["weight"].max() == 0.5
    assert stored(source, "trainings") == []


def test_what_chance_gives_is_stored_and_so_in_the_key(lab):
    accuracy, probe = METRICS.get("accuracy"), probe_of(FEW_SHOT)
    level = lab("def level(labels):\n    return 0.25").level
    assert code_digest(probe, dataclasses.replace(accuracy, chance_of=level)) != code_digest(probe, accuracy)
    for name, value in {"scale": 1.0, "unit": "", "high": 2.0, "higher_is_better": False, "about": "x"}.items():
        assert code_digest(probe, dataclasses.replace(accuracy, **{name: value})) == code_digest(probe, accuracy)


def test_what_an_example_is_decides_what_is_stored_and_is_in_the_key(tmp_path):
    source = LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)
    accuracy, probe = METRICS.get("accuracy"), probe_of(FEW_SHOT)
    by_class = dataclasses.replace(accuracy, over="classes")
    assert cell_key(source, CELL, probe, by_class) != cell_key(source, CELL, probe, accuracy)


class Kept:
    def __init__(self, *things):
        self.things = things

    def __call__(self, predictions, labels):
        return (predictions == labels[None]).astype(np.float32)


def test_what_an_object_keeps_is_in_the_key_and_what_cannot_be_told_is_not_stored():
    accuracy, probe = METRICS.get("accuracy"), probe_of(FEW_SHOT)
    one, two = (code_digest(probe, dataclasses.replace(accuracy, outcome=Kept(number))) for number in (1, 2))
    assert None not in (one, two)
    assert one != two
    with pytest.warns(StoreWarning, match=r"not stored: .*test_code_in_keys\.Kept keeps a builtins\.object"):
        assert code_digest(probe, dataclasses.replace(accuracy, outcome=Kept(object()))) is None
