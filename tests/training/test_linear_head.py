"""The linear head as a training: the linear probe's own head, resumed after a kill to the last bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmbench.errors import BadDataset, BadFeatures, Unmeasured
from mmbench.protocol import Roles
from mmbench.training.entry import TRAININGS, Checkpoint
from mmbench.training.heads import LinearSettings, fit_linear
from mmbench.training.linear_head import TrainRows, fit, gather

HERE = Path(__file__).parent
QUICK = LinearSettings(epochs=4, learning_rate=0.01, batch_size=16)


class Memory:
    """Keeps every state; ``load`` gives one of them."""

    def __init__(self, given=None):
        self.given, self.states = given, []

    def load(self):
        return self.given

    def save(self, state):
        self.states.append({name: np.array(values) for name, values in state.items()})


@pytest.fixture
def rows(gaussians):
    arrays = gaussians(train=70)
    return TrainRows(arrays.train_x, arrays.train_y, arrays.class_names)


def test_it_has_the_settings_of_the_linear_probe():
    assert TRAININGS.get("linear_head").settings == LinearSettings()


def test_weights_are_those_of_the_linear_probe(rows):
    weights = fit(rows, QUICK, 11, Checkpoint())
    heads = fit_linear(rows.x, rows.y, 4, QUICK, [11])
    assert {name: values.shape for name, values in weights.items()} == {"weight": (4, 8), "bias": (4,)}
    np.testing.assert_array_equal(weights["weight"], heads.layers[0][0][0])
    np.testing.assert_array_equal(weights["bias"], heads.layers[0][1][0, 0])
    assert (fit(rows, QUICK, 12, Checkpoint())["weight"] != weights["weight"]).any()


@pytest.mark.parametrize("epoch", range(QUICK.epochs))
def test_a_fit_goes_on_from_each_epoch_to_the_same_bits(rows, epoch):
    kept = Memory()
    whole = fit(rows, QUICK, 11, Checkpoint(kept, every=0))
    assert [int(state["done"]) for state in kept.states] == [1, 2, 3, 4]
    rest = Memory(kept.states[epoch])
    again = fit(rows, QUICK, 11, Checkpoint(rest, every=0))
    assert len(rest.states) == QUICK.epochs - epoch - 1
    for name, values in whole.items():
        np.testing.assert_array_equal(again[name], values)


def test_killed_fits_resume_with_an_identical_result(tmp_path):
    if not hasattr(os, "fork"):
        pytest.skip("needs a system with fork and SIGKILL")
    path = os.pathsep.join([str(HERE.parent / "features"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_fit.py"), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,  # some seconds on an idle machine
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["peace"] == found["all"]
    assert len(found["rounds"]) == 4
    for one in found["rounds"]:
        assert one["killed"] == 2
        assert one["kept"] == [1, 1]
        assert 0 < one["epochs"] < found["all"]
        assert one["same"]
        assert one["left"] == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"class_names": ("a",)}, BadDataset, "two classes are the least a probe can tell apart, got ['a']"),
        ({"x": np.full((70, 8), np.nan, np.float32)}, BadFeatures,
         "train features: 70 of 70 rows hold NaN or infinity; check the encoder's precision"),
        ({"x": np.zeros((0, 8), np.float32), "y": np.zeros(0, np.int64)}, BadDataset,
         "the train split has no rows; a head needs at least one"),
        ({"y": np.zeros(69, np.int64)}, BadDataset, "train has 70 feature rows and 69 labels; give one a row"),
    ],
)  # fmt: skip
def test_what_nothing_can_be_fitted_to_is_refused(rows, change, error, message):
    with pytest.raises(error) as found:
        fit(TrainRows(**({"x": rows.x, "y": rows.y, "class_names": rows.class_names} | change)), QUICK, 0, Checkpoint())
    assert str(found.value) == message


def test_several_labels_an_item_are_refused():
    class Several:
        def dataset_entry(self, role):
            return type("Entry", (), {"task": "multi"})

    with pytest.raises(Unmeasured) as found:
        gather(Several(), Roles("clip"), "plotster")
    assert str(found.value) == "a linear head tells single classes apart, and plotster has several labels an item"
