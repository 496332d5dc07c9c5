"""Which network a weights file holds is read from the file, for loading and for a model's identity alike."""

from __future__ import annotations

import dataclasses

import pytest

from mmbench import zoo
from mmbench.errors import CorruptAsset
from mmbench.models.specs import resolve
from mmbench.zoo import weight_files
from mmbench.zoo.frozen import backbone, vit
from mmbench.zoo.frozen.loop import Trainer


def shipped(name, corpus, folder):
    """A model after one step, as its weights file and as the network that was trained."""
    recipe = dataclasses.replace(zoo.RECIPES.get(name), steps=1, batch=6)
    run = Trainer(recipe, corpus)
    run.advance()
    (path,) = weight_files.save(run, folder, seconds=0.0, packed=False)
    return path, run


@pytest.mark.parametrize(
    ("name", "part", "architecture", "layer"),
    [
        ("simclr", "tower", backbone.ARCHITECTURE, "mean over positions"),
        ("dino", "teacher", backbone.ARCHITECTURE, "mean over positions"),
        ("vit", "vit", vit.ARCHITECTURE, "mean over patches"),
        ("beit", "vit", vit.ARCHITECTURE, "mean over patches"),
    ],
)
def test_a_file_plays_the_part_that_was_trained(name, part, architecture, layer, tiny_corpus, tmp_path):
    import torch

    path, run = shipped(name, tiny_corpus, tmp_path)
    entry = resolve(f"zoo:{name}@{path}")
    identity = entry.identity()
    assert identity.architecture.startswith(f"{architecture} (")
    assert identity.layer == layer
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = entry.load().forward(images)
        torch.testing.assert_close(features, run.network[part].eval()(images))
    assert features.shape == (2, entry.dim)


def test_the_two_networks_have_different_identities(tiny_corpus, tmp_path):
    found = [resolve(f"zoo:{name}@{shipped(name, tiny_corpus, tmp_path)[0]}").identity() for name in ("vit", "simclr")]
    assert found[0].architecture != found[1].architecture


def test_classifiers_are_not_shipped(tiny_corpus, tmp_path):
    from safetensors.numpy import load_file

    path, run = shipped("vit", tiny_corpus, tmp_path)
    assert "head" in run.objective.ships["vit"]
    assert {key.partition(".")[0] for key in load_file(path)} == {"vit"}


def test_an_unknown_network_is_refused(tiny_corpus, tmp_path, monkeypatch):
    shipped("vit", tiny_corpus, tmp_path)
    monkeypatch.delitem(weight_files.NETWORKS, vit.ARCHITECTURE)
    with pytest.raises(CorruptAsset, match=r"'vit' are of a network 'mmbench-vit.*zoo builds mmbench-resnet"):
        weight_files.image_tower("vit", tmp_path)


def test_the_digest_is_of_what_a_model_is_made_of(tiny_corpus, tmp_path):
    """Tensors and the metadata that loading reads: the rest, such as the hash of the recipe, may change."""
    path, _ = shipped("dino", tiny_corpus, tmp_path)
    before, identity = weight_files.digest("dino", tmp_path), resolve(f"zoo:dino@{path}").identity()
    weight_files.change_metadata("dino", {"recipe_hash": "0" * 64, "seconds": "7"}, tmp_path)
    assert weight_files.digest("dino", tmp_path) == before
    assert resolve(f"zoo:dino@{path}").identity() == identity
    for changes in ({"words": '["sea"]'}, {"words": '["ship"]'}, {"part": "tower"}, {"architecture": "other"}):
        weight_files.change_metadata("dino", changes, tmp_path)
        after = weight_files.digest("dino", tmp_path)
        assert after != before
        before = after


@pytest.mark.parametrize("change", ["value", "name", "shape", "order"])
def test_another_tensor_gives_another_digest(change, tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    def digest(arrays):
        save_file(arrays, weight_files.path_of("some", tmp_path), metadata={"recipe": "some"})
        return weight_files.digest("some", tmp_path)

    one, other = np.arange(6, dtype=np.float32), np.ones(6, dtype=np.float32)
    before = digest({"a": one, "b": other})
    assert digest({"b": other, "a": one}) == before
    changed = {
        "value": {"a": one + 1, "b": other},
        "name": {"a": one, "c": other},
        "shape": {"a": one.reshape(2, 3), "b": other},
        "order": {"a": other, "b": one},
    }
    assert digest(changed[change]) != before
