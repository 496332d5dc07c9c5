"""Extraction: items that cannot be read, encoders that give what they should not, and bad arguments."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from tiny_encoders import (
    IDENTITY,
    counted,
    extract,
    image_encoder,
    pictures,
    prepare,
    sentences,
)

from mmbench.errors import BadDataset, BadFeatures, BadItem, BadSpec, Unmeasured
from mmbench.features.keys import feature_key
from mmbench.features.results import UnreadableItem

TEXT = dataclasses.replace(IDENTITY, architecture="letters", preprocess=None)


def test_unreadable_item_stops_the_run_and_what_was_encoded_stays(store):
    split = pictures(range(20), broken=(13,))
    with pytest.raises(
        UnreadableItem,
        match=r"tiny cannot encode item 'p13' \(row 13 of 20\): picture_13.png: .*; 12 "
        r"items encoded before it stay in the store\. .*on_bad='exclude'",
    ) as caught:
        extract(image_encoder(), IDENTITY, split, store, batch_size=4)
    census = caught.value.census
    assert [left.id for left in census.failed] == ["p13"]
    assert census.excluded == ()
    encoder, batches = counted(image_encoder())
    extract(encoder, IDENTITY, pictures(range(20)), store, batch_size=4)
    assert sum(batches) == 20 - 12


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_items_are_left_out_and_listed(store, workers):
    split = pictures(range(20), broken=(0, 13))
    got = extract(image_encoder(), IDENTITY, split, store, on_bad="exclude", workers=workers, batch_size=4)
    assert [left.row for left in got.census.excluded] == [0, 13]
    assert "picture_13.png" in got.census.excluded[1].reason
    assert got.census.items == got.census.encoded + len(got.census.excluded)
    np.testing.assert_array_equal(got.rows, np.delete(np.arange(20), [0, 13]))
    whole = extract(image_encoder(), IDENTITY, pictures(range(20)), store, batch_size=4)
    np.testing.assert_array_equal(got.array, whole.array[got.rows])


def test_every_row_with_the_content_of_an_unreadable_item_is_left_out(store):
    split = pictures([0, 1, 1, 2], broken=(1, 2))
    got = extract(image_encoder(), IDENTITY, split, store, on_bad="exclude")
    assert [(left.id, left.reason[:30]) for left in got.census.excluded] == [
        ("p1", "picture_1.png: image file is t"),
        ("p2", "the same content as 'p1': pict"),
    ]
    np.testing.assert_array_equal(got.rows, [0, 3])
    np.testing.assert_array_equal(got.array, extract(image_encoder(), IDENTITY, pictures([0, 2]), store).array)


def test_an_item_without_digest_is_a_bad_item(store):
    split = pictures(range(4))
    inner = split.images.digest

    def digest(index):
        if index == 2:
            raise BadItem("picture_2.png is not there")
        return inner(index)

    split.images.digest = digest
    with pytest.raises(BadItem, match=r"row 2 of 4.*picture_2.png is not there"):
        extract(image_encoder(), IDENTITY, split, store)
    assert extract(image_encoder(), IDENTITY, split, store, on_bad="exclude").census.encoded == 3


def test_any_error_of_a_decoder_is_a_bad_item(store):
    split = pictures(range(3))

    def image(index):
        raise SyntaxError("broken PNG file")

    split.images.image = image
    with pytest.raises(BadItem, match="SyntaxError: broken PNG file"):
        extract(image_encoder(), IDENTITY, split, store)
    with pytest.raises(BadDataset, match=r"none of the 3 items can be read; the first: SyntaxError"):
        extract(image_encoder(), IDENTITY, split, store, on_bad="exclude")


def test_a_digest_that_is_none_is_refused(store):
    split = pictures(range(3))
    split.images.digest = lambda index: "abc"
    with pytest.raises(BadDataset, match="not a hex SHA-256 of 64 characters"):
        extract(image_encoder(), IDENTITY, split, store)


def _nan_for(item):
    """An encoder that gives a NaN for one picture of a split; without a state, for it runs on two threads."""
    import torch

    wanted = prepare(item)

    class Nan(torch.nn.Module):
        def forward(self, batch):
            out = batch.flatten(1)[:, :4].clone()
            out[(batch == wanted).flatten(1).all(dim=1), 2] = float("nan")
            return out

    return image_encoder(Nan().eval(), dim=4)


def test_nan_names_model_and_item_and_is_not_stored(store):
    split = pictures(range(12))
    with pytest.raises(BadFeatures, match=r"^resnet gave NaN for item 'p9' \(1 of 4 columns, 1 of 4 items in"):
        extract(_nan_for(split.images.image(9)), IDENTITY, split, store, name="resnet", batch_size=4)
    shelf = store.shelf(feature_key(IDENTITY))
    assert sum(len(shard) for shard in shelf.shards) == 8
    assert all(np.isfinite(shard.rows()).all() for shard in shelf.shards)


def test_wrong_width(store):
    with pytest.raises(
        BadFeatures, match=re.escape("tiny declares dim=2048 but gave 16 columns; is the classifier still attached?")
    ):
        extract(dataclasses.replace(image_encoder(), dim=2048), IDENTITY, pictures(range(2)), store)


def test_unpooled_features(store):
    import torch

    encoder = image_encoder(torch.nn.Identity().eval(), dim=3)
    with pytest.raises(BadFeatures, match=r"shape \[2, 3, 8, 8\], not \[2, 3\]; is its pooling missing\?"):
        extract(encoder, IDENTITY, pictures(range(2)), store)


def test_training_mode_is_refused(store):
    encoder = image_encoder()
    encoder.module[1].train()
    with pytest.raises(BadFeatures, match=r"in training mode \(1\).*call module.eval\(\)"):
        extract(encoder, IDENTITY, pictures(range(2)), store)


def test_weights_that_are_missing_are_the_message_and_not_that_they_are_unknown(store):
    def load():
        raise Unmeasured("the weights are not here; fetch them")

    with pytest.raises(Unmeasured, match="the weights are not here"):  # warnings are errors here
        extract(load, dataclasses.replace(IDENTITY, weights=None), pictures(range(2)), store)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"modality": "text"}, "this split has no texts"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"on_bad": "ignore"}, "on_bad stop or exclude"),
        ({"precision": "int4"}, "precision 'int4' is not known; choose one of float32, bf16, fp16"),
    ],
)
def test_bad_arguments(store, arguments, message):
    with pytest.raises(BadSpec, match=message):
        extract(image_encoder(), IDENTITY, pictures(range(2)), store, **arguments)


def test_encoder_of_the_other_modality(store):
    with pytest.raises(BadSpec, match="letters encodes images but text features were asked of it"):
        extract(image_encoder(), TEXT, sentences(2), store, modality="text")


def test_empty_split(store):
    with pytest.raises(BadDataset, match="no items"):
        extract(image_encoder(), IDENTITY, pictures([]), store)
