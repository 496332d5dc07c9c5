"""New hashes for weights that their recipe still trains, and for no others; tensors stay as they are."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmbench import zoo
from mmbench.errors import BadSpec, CorruptAsset, MissingAsset
from mmbench.zoo import weight_files
from mmbench.zoo.fingerprint import recipe_hash, settings_of

SHORT = {"steps": 6, "batch": 4, "warmup": 2}


@pytest.fixture(scope="module")
def trained(tiny_corpus, tmp_path_factory):
    """Two short trainings, finished: ``rn50``, and ``clip`` with its text tower; and their recipes."""
    folder = tmp_path_factory.mktemp("trained")
    recipes = [dataclasses.replace(zoo.RECIPES.get(name), **SHORT) for name in ("rn50", "clip")]
    for recipe in recipes:
        zoo.train(recipe, folder, threads=1, corpus=tiny_corpus, progress=False)
    return folder, recipes


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    for recipe in trained[1]:
        monkeypatch.setitem(zoo.RECIPES._entries, recipe.name, recipe)
    return Path(shutil.copytree(trained[0], tmp_path / "weights"))


def stored(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def tensors(folder, name):
    from safetensors.numpy import load_file

    return load_file(weight_files.path_of(name, folder))


def rewrite(edit_module):
    """As code is rewritten that trains the same: another constant that nothing reads."""
    edit_module("mmbench.zoo.frozen.backbone", "UNREAD = 1")


def test_rewritten_code_gives_new_hashes_and_the_same_tensors(folder, tiny_corpus, edit_module):
    before = {name: (tensors(folder, name), weight_files.digest(name, folder)) for name in ("rn50", "clip", "clip_t")}
    metadata = {name: weight_files.metadata(name, folder) for name in before}
    losses = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    rewrite(edit_module)
    assert [finding.ok for finding in zoo.findings(folder)] == [False] * 3
    assert zoo.restamp((), folder, steps=3, corpus=tiny_corpus) == ["clip", "clip_t", "rn50"]
    assert [finding.ok for finding in zoo.findings(folder)] == [True] * 3
    for name, (arrays, digest) in before.items():
        again = tensors(folder, name)
        assert again.keys() == arrays.keys()
        for key, array in arrays.items():
            assert (again[key].dtype, again[key].tobytes()) == (array.dtype, array.tobytes())
        assert weight_files.digest(name, folder) == digest
        changed = dict(weight_files.metadata(name, folder).items() - metadata[name].items())
        assert set(changed) == {"recipe_hash"}
    assert {path.name: path.read_bytes() for path in folder.glob("*.json")} == losses


def test_only_the_named_are_restamped(folder, tiny_corpus, edit_module):
    rewrite(edit_module)
    assert zoo.restamp(["clip_t"], folder, corpus=tiny_corpus) == ["clip_t"]
    assert {finding.name: finding.ok for finding in zoo.findings(folder)} == {
        "clip": False, "clip_t": True, "rn50": False,
    }  # fmt: skip


def test_what_has_its_hash_is_left_alone(folder, monkeypatch):
    from mmbench.zoo import restamping

    monkeypatch.setattr(restamping, "retrained", lambda *_: pytest.fail("trained again"))
    before = stored(folder)
    assert zoo.restamp((), folder) == []
    assert stored(folder) == before


def test_weights_without_recorded_settings_get_them(folder, tiny_corpus):
    header, _ = weight_files._parts(weight_files.path_of("rn50", folder))
    del header["__metadata__"]["settings"]
    from safetensors.numpy import save_file

    save_file(tensors(folder, "rn50"), weight_files.path_of("rn50", folder), metadata=header["__metadata__"])
    assert zoo.restamp(["rn50"], folder, corpus=tiny_corpus) == ["rn50"]
    assert weight_files.metadata("rn50", folder)["settings"] == settings_of(zoo.RECIPES.get("rn50"))


def refused(folder, tiny_corpus, names=(), **given):
    before = stored(folder)
    with pytest.raises(CorruptAsset) as error:
        zoo.restamp(names, folder, corpus=tiny_corpus, **given)
    assert stored(folder) == before
    return str(error.value)


def test_losses_that_do_not_come_again_are_refused(folder, tiny_corpus, edit_module, monkeypatch):
    """One of two recipes trains otherwise now: no file changes, also not that of the other."""
    from mmbench.zoo.frozen import labels

    loss = labels.Labels.loss
    monkeypatch.setattr(labels.Labels, "loss", lambda self, *given: 1.1 * loss(self, *given))
    rewrite(edit_module)
    message = refused(folder, tiny_corpus)
    assert re.fullmatch(
        r"weights 'rn50': recipe 'rn50' now starts with losses [\d., ]+ and not [\d., ]+; a library it trains with "
        r"behaves otherwise than when they were made \(torch [^)]+\), or the recipe's code does: undo the change, or "
        r"train again with mmbench zoo train rn50",
        message,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 0.1}, "rate 0.002 (now 0.1)"),
        ({"decay": 0.0, "seed": 9}, "decay 0.05 (now 0.0), seed 0 (now 9)"),
        ({"options": {"smoothing": 0.3}}, "options {'smoothing': 0.1} (now {'smoothing': 0.3})"),
    ],
)
def test_other_settings_are_refused_whatever_the_losses(change, said, folder, tiny_corpus, monkeypatch):
    """The first losses hardly show a rate or a decay."""
    recipe = dataclasses.replace(zoo.RECIPES.get("rn50"), **change)
    monkeypatch.setitem(zoo.RECIPES._entries, "rn50", recipe)
    assert refused(folder, tiny_corpus) == (
        f"weights 'rn50' were trained with {said}; restore the settings of recipe 'rn50', or train again: "
        "mmbench zoo train rn50"
    )


def test_unfinished_weights_are_refused(folder, tiny_corpus):
    weight_files.change_metadata("rn50", {"steps": "4", "recipe_hash": "0" * 64}, folder)
    assert refused(folder, tiny_corpus) == ("weights 'rn50' have 4 steps and not 6; train on: mmbench zoo train rn50")


def test_weights_of_no_recipe_are_refused(folder, tiny_corpus):
    weight_files.change_metadata("rn50", {"recipe": "rn51"}, folder)
    assert refused(folder, tiny_corpus) == (
        "weights 'rn50' were trained by recipe 'rn51', which does not exist; remove or rename them"
    )


def test_bad_arguments_are_refused(folder, tiny_corpus):
    with pytest.raises(BadSpec, match="by at least 1 step of training, got 0"):
        zoo.restamp((), folder, steps=0)
    with pytest.raises(MissingAsset, match="no weights of 'clipp'"):
        zoo.restamp(["clipp"], folder)
    (folder / "rn50.json").unlink()
    weight_files.change_metadata("rn50", {"recipe_hash": "0" * 64}, folder)
    with pytest.raises(MissingAsset, match=r"weights 'rn50' have no record of their losses at .*rn50.json"):
        zoo.restamp((), folder, corpus=tiny_corpus)


def test_metadata_is_written_so_that_the_file_is_read_as_before(folder):
    """Any text, also one that moves the tensors; the header stays a multiple of eight bytes."""
    before = tensors(folder, "rn50")
    for text in ("", "é" * 3, "x" * 1001):
        weight_files.change_metadata("rn50", {"note": text}, folder)
        assert weight_files.metadata("rn50", folder)["note"] == text
        assert all(np.array_equal(array, before[key]) for key, array in tensors(folder, "rn50").items())
        raw = weight_files.path_of("rn50", folder).read_bytes()
        assert int.from_bytes(raw[:8], "little") % 8 == 0


@pytest.mark.parametrize("name", weight_files.shipped())
def test_shipped_weights_record_their_settings(name):
    record = weight_files.metadata(name)
    recipe = zoo.RECIPES.get(record["recipe"])
    assert record["recipe_hash"] == recipe_hash(recipe)
    assert json.loads(record["settings"])["steps"] == int(record["steps"])
    assert record["settings"] == settings_of(recipe)
