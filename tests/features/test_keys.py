"""Keys of the store: every part counts, what decides nothing does not, and the unknown has none."""

from __future__ import annotations

import dataclasses
import json

import pytest
from tiny_encoders import IDENTITY, extract, image_encoder, pictures

from mmbench.features import keys
from mmbench.features.keys import feature_key


def changes():
    """Every part of a feature's key, changed: (what, identity, modality and options)."""
    other = {
        "weights": "b" * 64,
        "architecture": "tiny-quickgelu",
        "layer": "pool-1",
        "preprocess": None,
        "versions": {"torch": "2.1", "pillow": "10.0"},
    }
    assert set(other) == {field.name for field in dataclasses.fields(IDENTITY)}
    for name, value in other.items():
        yield pytest.param(dataclasses.replace(IDENTITY, **{name: value}), {}, id=f"identity.{name}")
    steps = {
        "size": 7,
        "resize": 9,
        "mean": (0.5, 0.5, 0.4),
        "std": (0.25, 0.25, 0.2),
        "interpolation": "bilinear",
        "fit": "squash",
        "rounding": "down",
        "fill": (9, 9, 9),
    }
    assert set(steps) == {field.name for field in dataclasses.fields(IDENTITY.preprocess)}
    for name, value in steps.items():
        changed = dataclasses.replace(IDENTITY.preprocess, **{name: value})
        yield pytest.param(dataclasses.replace(IDENTITY, preprocess=changed), {}, id=f"preprocess.{name}")
    for name in IDENTITY.versions:
        versions = IDENTITY.versions | {name: "0.0.1"}
        yield pytest.param(dataclasses.replace(IDENTITY, versions=versions), {}, id=f"versions.{name}")
    for options in ({"device": "cuda"}, {"precision": "bf16"}, {"precision": "fp16"}, {"modality": "text"}):
        yield pytest.param(IDENTITY, options, id="-".join(f"{k}.{v}" for k, v in options.items()))


@pytest.mark.parametrize(("identity", "options"), list(changes()))
def test_every_part_of_the_key_misses_when_changed(store, identity, options):
    assert feature_key(identity, **options) != feature_key(IDENTITY)
    split = pictures(range(2))
    extract(image_encoder(), IDENTITY, split, store)
    if "device" not in options and "modality" not in options:  # those two cannot encode a picture here
        assert extract(image_encoder(), identity, split, store, **options).census.fresh == 2


def test_the_key_of_the_output_has_not_changed():
    """Features that were stored before there were layers stay valid."""
    assert feature_key(IDENTITY) == "2593fee69aa112d52130529bed9582a8ee138f21435f5bb4224042687dc6686b"
    assert feature_key(IDENTITY, layer="output") == feature_key(IDENTITY)


def test_every_hidden_layer_has_a_key_of_its_own(monkeypatch):
    found = [feature_key(IDENTITY, layer=layer) for layer in ("output", "first", "last")]
    assert len(set(found)) == 3
    monkeypatch.setattr(keys, "LAYER_SCHEMA", 2)
    again = [feature_key(IDENTITY, layer=layer) for layer in ("output", "first", "last")]
    assert [a == b for a, b in zip(found, again, strict=True)] == [True, False, False]
    assert feature_key(dataclasses.replace(IDENTITY, weights=None), layer="first") is None


def test_a_changed_item_misses(store):
    extract(image_encoder(), IDENTITY, pictures([1, 2]), store)
    assert extract(image_encoder(), IDENTITY, pictures([1, 3]), store).census.fresh == 1


def test_what_does_not_decide_a_feature_is_not_in_its_key(store):
    split = pictures(range(9))
    extract(image_encoder(), IDENTITY, split, store, batch_size=4)
    again = extract(image_encoder(), IDENTITY, split, store, batch_size=3, workers=2, name="other")
    assert again.census.fresh == 0
    assert feature_key(IDENTITY, device="cuda:1") == feature_key(IDENTITY, device="cuda:0")


def test_the_versions_at_hand_are_in_the_key_of_an_identity_that_names_none(monkeypatch):
    silent = dataclasses.replace(IDENTITY, versions={})
    before = feature_key(silent)
    monkeypatch.setattr(keys, "_version", lambda library: "99")
    assert feature_key(silent) != before


def test_unknown_weights_have_no_key():
    unknown = dataclasses.replace(IDENTITY, weights=None)
    assert feature_key(unknown) is None


def test_key_json_says_what_the_key_is(store):
    key = extract(image_encoder(), IDENTITY, pictures(range(2)), store).key
    found = json.loads((store.root / "features" / key[:2] / key / "key.json").read_text())
    assert found["identity"]["architecture"] == "tiny"
    assert found["autocast"] is None
