"""Scores under the right key and with the right checksum are believed only if they are about the cell."""

import dataclasses
import json

import numpy as np
import pytest

from mmbench.bench import examples
from mmbench.bench.bench import Bench
from mmbench.errors import MissingAsset
from mmbench.features import score_files
from mmbench.features.keys import digest_of, feature_parts
from mmbench.features.store import Store, StoreWarning
from mmbench.inputs.entry import FAMILIES
from mmbench.probes.mlp import MLP_HEAD
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.spectral import CLUSTERING
from mmbench.protocol import Cell

from ..tiny_lineup import colours, tiny_lineup

CELL = Cell(FEW_SHOT.at(shots=5), "clip", "cifar10")


def bench(tmp_path, cell=CELL):
    entry, calls = colours()
    made = Bench(tiny_lineup({"clip": entry}), Store(tmp_path / "store"), progress=False)
    return made, calls


def forge(made, scores, cell=CELL):
    key = made._key(cell)
    made.store.write(made.store._score_path(key), score_files.packed(key, scores), "forged scores")
    return scores


def changed(scores, **provenance):
    return dataclasses.replace(scores, provenance=scores.provenance | provenance)


def fewer(scores):
    return dataclasses.replace(scores, outcomes=scores.outcomes[:, 1:], classes=scores.classes[1:])


FORGED = {
    "number of examples": fewer,
    "ids of the examples": lambda s: dataclasses.replace(s, examples="0" * 64),
    "classes": lambda s: dataclasses.replace(s, classes=s.classes[::-1].copy()),
    "number of trials": lambda s: dataclasses.replace(s, outcomes=s.outcomes[:1]),
    "metric": lambda s: dataclasses.replace(s, metric="f1_samples"),
    "chance level": lambda s: dataclasses.replace(s, chance=0.0),
    "groups": lambda s: dataclasses.replace(s, groups=np.zeros(53, np.int64), grouped_by="drawings"),
    "share of the training pool": lambda s: dataclasses.replace(s, pool=0.5),
    "number of halves": lambda s: dataclasses.replace(s, halves=np.ones(2, np.float32)),
    "fingerprint": lambda s: changed(s, fingerprint="0" * 16),
    "dataset": lambda s: changed(s, dataset="another"),
    "weights": lambda s: changed(s, models={"colours": "others"}),
    "device": lambda s: changed(s, device="cuda"),
    "precision": lambda s: changed(s, precision="bf16"),
    "code": lambda s: changed(s, code="0" * 64),
    "seconds": lambda s: changed(s, seconds=-1.0),
    "time": lambda s: changed(s, measured=7),
    "features (000000000000)": lambda s: changed(s, shards=["0" * 64 + "/" + "1" * 64]),
    "features (no list of shards)": lambda s: changed(s, shards={"a": 1}),
    "features (../../etc)": lambda s: changed(s, shards=["../../etc"]),
}


@pytest.mark.parametrize("what", FORGED)
def test_scores_of_something_else_are_named_and_measured_again(tmp_path, what):
    first, _ = bench(tmp_path)
    honest = first.scores(CELL)
    forge(first, FORGED[what](dataclasses.replace(honest, outcomes=1 - honest.outcomes)))
    again, _ = bench(tmp_path)
    shown = what.removesuffix(")") if what != "features (../../etc)" else "features (.."
    with pytest.warns(StoreWarning, match="are not of this cell: they have other .*measured again") as said:
        found = again.scores(CELL)
    assert shown in str(said[0].message)
    np.testing.assert_array_equal(found.outcomes, honest.outcomes)
    assert not bench(tmp_path)[0].fresh(CELL)


@pytest.mark.parametrize("what", ["ids of the examples", "classes"])
def test_that_is_so_without_notes_too(tmp_path, monkeypatch, what):
    first, _ = bench(tmp_path)
    honest = first.scores(CELL)
    forge(first, FORGED[what](honest))
    monkeypatch.setattr(examples, "cache_dir", lambda: tmp_path / "another machine")
    with pytest.warns(StoreWarning, match=f"other {what}"):
        bench(tmp_path)[0].scores(CELL)


@pytest.mark.parametrize("protocol", [FEW_SHOT.at(shots=5), MLP_HEAD.code, CLUSTERING])
def test_honest_scores_are_read_back_without_a_look_at_the_dataset(tmp_path, protocol):
    cell = Cell(protocol, "clip", "cifar10")
    first, _ = bench(tmp_path)
    first.scores(cell)
    again, calls = bench(tmp_path)
    assert not again.fresh(cell)
    assert again.source._loaded == {}
    assert calls == []


def test_a_wrong_note_is_mended_and_rejects_nothing(tmp_path):
    first, _ = bench(tmp_path)
    first.scores(CELL)
    (path,) = (tmp_path / "own notes" / "examples").iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"count": 7}))
    assert not bench(tmp_path)[0].fresh(CELL)
    assert json.loads(path.read_text())["count"] == 53
    path.write_text("{")
    assert not bench(tmp_path)[0].fresh(CELL)


def test_a_dataset_that_is_not_here_is_said_and_the_rest_is_checked(tmp_path, monkeypatch):
    first, _ = bench(tmp_path)
    honest = first.scores(CELL)

    def gone(role):
        raise MissingAsset("blocks is gone")

    def elsewhere():
        monkeypatch.setattr(examples, "cache_dir", lambda: tmp_path / "another machine")
        made, _ = bench(tmp_path)
        monkeypatch.setattr(made.source, "dataset", gone)
        return made

    made = elsewhere()
    with pytest.warns(StoreWarning, match="without a look at their examples, since the dataset is not here: blocks"):
        assert not made.fresh(CELL)
    forge(first, changed(honest, fingerprint="0" * 16))
    with pytest.warns(StoreWarning, match="other fingerprint"):
        assert elsewhere().fresh(CELL)


def test_features_of_another_layer_of_the_model_are_its_own(tmp_path):
    first, _ = bench(tmp_path)
    honest = first.scores(CELL)
    model = first.source.model("clip")
    for parts, fresh in (
        (feature_parts(first.source.identity(model), "image", layer="blocks.1"), False),
        (feature_parts(dataclasses.replace(first.source.identity(model), weights="others"), "image"), True),
    ):
        key = digest_of(parts)
        folder = first.store.shelf(key).folder
        folder.mkdir(parents=True)
        (folder / "key.json").write_text(json.dumps(parts))
        forge(first, changed(honest, shards=[*honest.provenance["shards"], f"{key}/{'1' * 64}"]))
        if fresh:
            with pytest.warns(StoreWarning, match="other features"):
                assert bench(tmp_path)[0].fresh(CELL)
        else:
            assert not bench(tmp_path)[0].fresh(CELL)


def test_the_other_families_of_ours_are_gathered_to_know_their_examples():
    """Their truth needs vectors, images or texts; what they gather is stored, and the examples are noted once."""
    ours = {family.name for family in FAMILIES if family.gather.__module__.startswith("mmbench.")}
    gathered = {"words", "meant", "forms", "fused", "items", "operations", "paired", "pictures", "translated"}
    assert ours - examples._BARE.keys() == gathered | {"two_image_sets", "two_spaces"}
