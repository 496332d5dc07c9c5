"""Features and scores are stored under the code that reads items, loads models and encodes."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mmbench
from mmbench.bench.bench import Bench
from mmbench.bench.code import ENCODING, MODEL_ROOMS
from mmbench.bench.keys import cell_key
from mmbench.bench.lineup_source import LineupSource
from mmbench.bench.solving import probe_of
from mmbench.features.store import Store, StoreWarning
from mmbench.metrics import METRICS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.program import modules_of
from mmbench.protocol import Cell, Roles

from ..tiny_lineup import tiny_lineup

CELL = Cell(FEW_SHOT, "clip", "cifar10")
ROOT = Path(mmbench.__file__).parents[1]
CODE_OF_MODEL = """
import torch
from mmbench.models.entry import Encoder, Identity, ModelEntry, Preprocess

PLAIN = Preprocess(size=4, resize=4, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

def prepare(image):
    import numpy
    return torch.from_numpy(numpy.asarray(image, "float32").transpose(2, 0, 1) / {scale})

def load():
    return Encoder("image", 3, torch.nn.Identity().eval(), lambda batch: batch.mean((2, 3)), prepare)

def entry():
    return ModelEntry("mine", "image", 3, load, lambda: Identity("w", "mine", "mean", PLAIN))
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A user's model of a file, and the file."""
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / f"lab_{tmp_path.name}.py"
    path.write_text(CODE_OF_MODEL.format(scale=255))
    yield importlib.import_module(path.stem).entry(), path
    sys.modules.pop(path.stem)


def test_features_of_a_users_file_that_was_edited_after_its_import_are_not_stored(mine, tmp_path):
    """Neither weights nor preprocessing say that the scale of pixels has changed, and what runs is the old code."""
    entry, path = mine
    path.write_text(CODE_OF_MODEL.format(scale=128))
    os.utime(path, (later := time.time() + 10, later))
    bench = Bench(tiny_lineup({"clip": entry}), Store(tmp_path / "store"), progress=False)
    with pytest.warns(StoreWarning, match="features of mine are not stored: .* was changed while this process runs"):
        assert bench.scores(CELL).mean > 90
    assert not list((tmp_path / "store").rglob("*.safetensors"))


def test_a_loader_that_others_wrap_counts_with_what_it_wraps(mine, tmp_path):
    entry, _ = mine
    source = LineupSource(tiny_lineup({"clip": entry}), Store(tmp_path / "store"), progress=False)
    toy = tiny_lineup().model("clip").entry.load
    keys = {
        source.feature_key(dataclasses.replace(entry, load=load))
        for load in (entry.load, toy, functools.partial(called, entry.load), functools.partial(called, toy))
    }
    assert len(keys) == 4
    assert None not in keys


def called(load, *others):
    return load()


KEYS = """
import sys
from mmbench.bench.bench import Bench
from mmbench.bench.code import ENCODING, MODEL_ROOMS
from mmbench.features.store import Store
from mmbench.metrics import METRICS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.program import modules_of
from mmbench.protocol import Cell
from mmbench.lineups import load_lineup

bench = Bench(load_lineup("embedded"), Store(sys.argv[1]), progress=False)
cell = Cell(FEW_SHOT, "bit_m", "mnist")
print(bench.source.feature_key(bench.lineup.model("bit_m").entry), bench._key(cell))
"""


@pytest.fixture
def keys(tmp_path):
    """``keys({module: text})``: those of a model and a cell where texts stand at the ends of modules of ours."""
    weights = "mmbench/zoo/weights"
    shutil.copytree(ROOT / "mmbench", tmp_path / "mmbench", ignore=shutil.ignore_patterns("weights", "__pycache__"))
    (tmp_path / weights).symlink_to(ROOT / weights)

    def asked(added):
        before = {module: (tmp_path / "mmbench" / module).read_text() for module in added}
        for module, text in added.items():
            (tmp_path / "mmbench" / module).write_text(before[module] + text)
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", KEYS, str(tmp_path / "store")]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        for module, text in before.items():
            (tmp_path / "mmbench" / module).write_text(text)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return asked


def test_an_upgrade_changes_the_keys_of_what_it_would_compute_otherwise(keys):
    before = keys({})
    assert len(before) == 2
    assert "None" not in before
    for added, changed in (
        ({"models/encoders.py": "ADDED = 1\n"}, (True, True)),  # what prepares an image
        ({"datasets/digits.py": "ADDED = 1\n"}, (False, True)),  # what reads the labels
        ({"models/timm.py": "ADDED = 1\n", "models/encoders.py": "# a comment\n"}, (False, False)),
    ):
        assert tuple(a != b for a, b in zip(before, keys(added), strict=True)) == changed, added


def test_what_reads_a_dataset_is_in_the_keys_of_scores_and_trainings(mine, tmp_path):
    """Its identity is a digest of files, and says nothing of how labels are read from them."""
    entry, _ = mine
    known = tiny_lineup().dataset("cifar10").entry
    by_ours = dataclasses.replace(known, load=functools.partial(called, known.load))
    by_theirs = dataclasses.replace(known, load=functools.partial(called, known.load, entry.load))
    sources = [
        LineupSource(tiny_lineup(datasets={"cifar10": each}), Store(tmp_path / "store"), progress=False)
        for each in (by_ours, by_theirs)
    ]
    scores = [cell_key(each, CELL, probe_of(FEW_SHOT), METRICS.get("accuracy")) for each in sources]
    weights = [each.training_key("linear_map", Roles("clip", "clip_t"), "cifar10") for each in sources]
    for keys_of in (scores, weights):
        assert None not in keys_of
        assert len(set(keys_of)) == 2


def test_what_encodes_and_decodes_is_in_the_key():
    """Beside the module of a model's source."""
    found = modules_of(("mmbench.models.zoo", *ENCODING), MODEL_ROOMS)
    named = ("features.encode", "datasets.images", "models.encoders", "models.hidden")
    assert {f"mmbench.{name}" for name in named} <= set(found)


def test_scores_name_the_shards_that_they_were_made_from(tmp_path):
    store = tmp_path / "store"
    bench = Bench(tiny_lineup(), Store(store), progress=False)
    named = bench.scores(CELL).provenance["shards"]
    there = (store / "features").rglob("*.safetensors")
    assert named == sorted(f"{path.parent.name}/{path.stem}" for path in there)
    assert len(named) == 2  # one for each split
    (store / "features" / named[0][:2] / f"{named[0]}.damaged").touch()
    with pytest.warns(StoreWarning, match="were made from features that were found damaged since"):
        assert Bench(tiny_lineup(), Store(store), progress=False).fresh(CELL)
