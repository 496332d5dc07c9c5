"""Trainings are fitted once, stored under everything that decides them, and resumed after kill -9."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmbench.bench.lineup_source import LineupSource
from mmbench.errors import BadSpec, Unmeasured
from mmbench.features.store import Store, StoreWarning
from mmbench.protocol import Roles
from mmbench.training.entry import TRAININGS
from mmbench.training.linear_map import LinearMapSettings

from ..tiny_lineup import dataset, tiny_lineup, writer

PAIR = Roles("clip", "clip_t")


@pytest.fixture
def source(tmp_path):
    return LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)


def again(source):
    """The same lineup and store in a process that knows nothing yet."""
    return LineupSource(tiny_lineup(), Store(source.store.root), progress=False)


def test_a_seed_is_fitted_once_and_read_back(source):
    first = source.trained("linear_map", PAIR, "cifar10", 7)
    second = again(source)
    for name, values in first.items():
        np.testing.assert_array_equal(second.trained("linear_map", PAIR, "cifar10", 7)[name], values)
    assert [cost.fresh for cost in second.costs if cost.kind == "training"] == [False] * len(first)
    assert not list(Path(source.store.root).rglob("*.partial.safetensors"))
    other = source.trained("linear_map", PAIR, "cifar10", 8)
    assert not np.array_equal(other["weight"], first["weight"])


def test_settings_dataset_and_models_are_in_the_key(source, monkeypatch):
    key = source.training_key("linear_map", PAIR, "cifar10")
    assert key == again(source).training_key("linear_map", PAIR, "cifar10")
    assert source.training_key("linear_map", PAIR, "mnist") != key
    other = dataclasses.replace(TRAININGS.get("linear_map"), settings=LinearMapSettings(epochs=31))
    monkeypatch.setitem(TRAININGS._entries, "linear_map", other)
    assert source.training_key("linear_map", PAIR, "cifar10") != key


@pytest.mark.parametrize("name", ["linear_map", "prefix_map"])
def test_class_names_are_in_the_key(tmp_path, name):
    def key(*classes):
        entry = dataclasses.replace(dataset(), load=lambda: dataclasses.replace(dataset().load(), classes=classes))
        lineup = tiny_lineup({"gpt2": writer()}, {"cifar10": entry})
        source = LineupSource(lineup, Store(tmp_path), progress=False)
        return source.training_key(name, Roles("clip", "gpt2"), "cifar10")

    assert key("red", "green", "blue") == key("red", "green", "blue") != key("red", "green", "azure")


def test_two_trainings_of_one_module_have_two_keys(source, monkeypatch):
    def fit(inputs, settings, seed, checkpoint):
        return {"weight": np.zeros((3, 3), np.float32)}

    fit.__module__ = TRAININGS.get("linear_map").fit.__module__
    zeros = dataclasses.replace(TRAININGS.get("linear_map"), name="zeros", fit=fit)
    monkeypatch.setitem(TRAININGS._entries, "zeros", zeros)
    assert source.trained("linear_map", PAIR, "cifar10", 7)["weight"].any()
    assert not source.trained("zeros", PAIR, "cifar10", 7)["weight"].any()


def test_unknown_weights_are_fitted_and_never_stored(tmp_path):
    source = LineupSource(tiny_lineup(weights=None), Store(tmp_path / "store"), progress=False)
    assert source.training_key("linear_map", PAIR, "cifar10") is None
    with pytest.warns(StoreWarning, match="cannot be identified"):
        assert source.trained("linear_map", PAIR, "cifar10", 0)["weight"].shape == (3, 3)
    assert not (tmp_path / "store" / "trainings").exists()


def test_a_damaged_file_is_named_and_fitted_again(source):
    first = source.trained("linear_map", PAIR, "cifar10", 7)
    (path,) = Path(source.store.root).rglob("trainings/**/7.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(StoreWarning, match=r"7\.safetensors is damaged.*it is fitted again"):
        found = again(source).trained("linear_map", PAIR, "cifar10", 7)
    np.testing.assert_array_equal(found["weight"], first["weight"])


def weights_of(source, seed=7):
    (path,) = Path(source.store.root).rglob(f"trainings/**/{seed}.safetensors")
    return path


def test_weights_name_the_shards_that_they_were_made_from_and_fall_with_them(source):
    first = source.trained("linear_map", PAIR, "cifar10", 7)
    shards = source.shards_by_role(PAIR)
    assert all(shards)
    second = again(source)
    second.trained("linear_map", PAIR, "cifar10", 7)
    assert second.shards_by_role(PAIR) == shards  # so that the scores made with them name them too
    assert [cost.kind for cost in second.costs] == ["training"]
    key, _, name = shards[1][0].partition("/")
    (source.store.shelf(key).folder / f"{name}.damaged").touch()
    with pytest.warns(StoreWarning, match="was made from features that were found damaged since.*fitted again"):
        found = again(source).trained("linear_map", PAIR, "cifar10", 7)
    np.testing.assert_array_equal(found["weight"], first["weight"])


def test_weights_of_another_seed_or_of_a_flipped_bit_are_fitted_again(source):
    wanted = source.trained("linear_map", PAIR, "cifar10", 7)
    source.trained("linear_map", PAIR, "cifar10", 8)
    path, honest = weights_of(source), weights_of(source).read_bytes()
    for forged in (weights_of(source, 8).read_bytes(), honest[:-1] + bytes([honest[-1] ^ 1])):
        path.write_bytes(forged)
        with pytest.warns(StoreWarning, match="its checksum is not the recorded one; it is fitted again"):
            found = again(source).trained("linear_map", PAIR, "cifar10", 7)
        np.testing.assert_array_equal(found["weight"], wanted["weight"])
    third = again(source)
    third.trained("linear_map", PAIR, "cifar10", 7)
    assert not any(cost.fresh for cost in third.costs)


def test_weights_of_an_earlier_version_are_read_unless_they_are_not_finite(source):
    from safetensors.numpy import load_file, save_file

    wanted = source.trained("linear_map", PAIR, "cifar10", 7)
    plain = load_file(weights_of(source))
    save_file(plain, weights_of(source))
    second = again(source)
    np.testing.assert_array_equal(second.trained("linear_map", PAIR, "cifar10", 7)["weight"], wanted["weight"])
    assert not any(cost.fresh for cost in second.costs)
    save_file(plain | {"weight": plain["weight"] * np.nan}, weights_of(source))
    with pytest.warns(StoreWarning, match="is damaged: .*not finite.*fitted again"):
        again(source).trained("linear_map", PAIR, "cifar10", 7)


def test_one_model_alone_is_refused(source):
    with pytest.raises(BadSpec, match=r"training 'linear_map' on cifar10 takes an image encoder and a text encoder"):
        source.trained("linear_map", Roles("clip"), "cifar10", 0)
    with pytest.raises(Unmeasured, match="in the order image, text"):
        source.trained("linear_map", Roles("clip_t", "clip"), "cifar10", 0)


CHILD = """
import sys, time
from mmbench.bench.lineup_source import LineupSource
from mmbench.features.store import Store
from mmbench.protocol import Roles
from mmbench.training import entry
sys.path.insert(0, sys.argv[2])
from tests.tiny_lineup import tiny_lineup

kept = entry.Checkpoint.keep
def slowly(self, state):
    self._every = 0.0
    kept(self, state)
    print("kept", flush=True)
    time.sleep(0.02)
entry.Checkpoint.keep = slowly
source = LineupSource(tiny_lineup(), Store(sys.argv[1]), progress=False)
source.trained("linear_map", Roles("clip", "clip_t"), "cifar10", 7)
print("done", flush=True)
"""


def test_a_fit_that_is_killed_goes_on_and_gives_the_same_weights(tmp_path):
    root = Path(__file__).parents[2]
    peaceful = LineupSource(tiny_lineup(), Store(tmp_path / "peaceful"), progress=False)
    wanted = peaceful.trained("linear_map", PAIR, "cifar10", 7)
    store = tmp_path / "killed"
    command = [sys.executable, "-c", CHILD, str(store), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdout is not None
        for _ in range(5):
            assert child.stdout.readline() == "kept\n"
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert list(store.rglob("7.partial.safetensors"))
    assert not list(store.rglob("trainings/**/7.safetensors"))
    resumed = LineupSource(tiny_lineup(), Store(store), progress=False)
    found = resumed.trained("linear_map", PAIR, "cifar10", 7)
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values)
    assert resumed.store.encoded_twice() == []
