"""Extraction: one encode per key, the census, and what it refuses."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import subprocess
import sys
from pathlib import Path

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
    stored_twice,
    text_encoder,
)

from mmbench.errors import BadDataset, BadFeatures, BadItem, BadSpec, Unmeasured
from mmbench.features.encode import encode_rows
from mmbench.features.items import item_digests
from mmbench.features.keys import feature_key
from mmbench.features.prepared_images import PreparedImages
from mmbench.features.results import UnreadableItem
from mmbench.features.store import Store, StoreWarning

TEXT = dataclasses.replace(IDENTITY, architecture="letters", preprocess=None)


def same(a, b):
    np.testing.assert_array_equal(a, b)


def test_features_are_those_of_a_plain_loop(store):
    import torch

    encoder, split = image_encoder(), pictures(range(21))
    got = extract(encoder, IDENTITY, split, store, batch_size=8)
    with torch.inference_mode():
        plain = [encoder.module(encoder.prepare(split.images.image(i))[None]).numpy()[0] for i in range(21)]
    np.testing.assert_allclose(got.array, plain, rtol=1e-4, atol=1e-6)
    assert got.array.dtype == np.float32
    assert got.array.shape == (21, 16)
    same(got.rows, np.arange(21))
    assert (got.census.items, got.census.encoded, got.census.fresh) == (21, 21, 21)


def test_each_item_is_encoded_once_whatever_asks_for_it(store):
    encoder, batches = counted(image_encoder())
    first = extract(encoder, IDENTITY, pictures(range(12)), store, batch_size=4)
    shared = pictures([11, 10, 3, 30, 31, 30])  # another dataset: three old items, two new, one of them twice
    second = extract(encoder, IDENTITY, shared, store, batch_size=4)
    third = extract(encoder, IDENTITY, shared, Store(store.root), batch_size=4)
    assert sum(batches) == 12 + 2
    assert (first.census.fresh, second.census.fresh, third.census.fresh) == (12, 2, 0)
    assert sum(store.encoded[first.key].values()) == 14
    assert store.encoded_twice() == []
    assert stored_twice(store) == []
    same(second.array[:3], first.array[[11, 10, 3]])
    same(second.array[3], second.array[5])
    same(second.array, third.array)


def test_the_counter_sees_a_second_encode(store):
    split = pictures(range(3))
    extract(image_encoder(), IDENTITY, split, store)
    for shard in store.root.rglob("*.safetensors"):
        shard.unlink()
    extract(image_encoder(), IDENTITY, split, store)
    assert len(store.encoded_twice()) == 3


def test_stored_twice_sees_an_item_in_two_shards(store):
    split = pictures(range(3))
    shelf = store.shelf(extract(image_encoder(), IDENTITY, split, store).key)
    shelf.append(shelf.shards[0].items[:1], np.zeros((1, 16), np.float32), 0.0, "another run")
    assert len(stored_twice(store)) == 1


def test_a_warm_run_loads_no_encoder(store):
    split = pictures(range(9))
    cold = extract(image_encoder(), IDENTITY, split, store)

    def load():
        raise AssertionError("the encoder was loaded")

    warm = extract(load, IDENTITY, split, Store(store.root))
    same(warm.array, cold.array)
    assert warm.seconds == 0
    assert warm.recorded_seconds == pytest.approx(cold.seconds)
    assert warm.recorded_seconds > 0


def test_a_warm_run_imports_no_torch(store):
    split = sentences(5)
    extract(text_encoder(), TEXT, split, store, modality="text")
    script = f"""
import dataclasses, sys
from mmbench.features.store import Store
from tiny_encoders import IDENTITY, extract, sentences
identity = dataclasses.replace(IDENTITY, architecture="letters", preprocess=None)
got = extract(lambda: 1 / 0, identity, sentences(5), Store({str(store.root)!r}), modality="text")
assert got.census.fresh == 0 and got.array.shape == (5, 8)
assert not {{"torch", "PIL", "rich", "filelock"}} & set(sys.modules), sys.modules.keys()
"""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_recorded_seconds_are_those_of_the_rows_asked_for(store):
    whole = extract(image_encoder(), IDENTITY, pictures(range(8)), store)
    half = extract(image_encoder(), IDENTITY, pictures(range(4)), store)
    assert half.recorded_seconds == pytest.approx(whole.recorded_seconds / 2)


def test_texts(store):
    encoder, batches = counted(text_encoder())
    split = sentences(20)
    got = extract(encoder, TEXT, split, store, modality="text", batch_size=6)
    again = extract(encoder, TEXT, split, store, modality="text", batch_size=6)
    assert batches == [6, 6, 6, 2]
    same(got.array, again.array)
    same(got.array, encode_rows(encoder, split, range(20), batch_size=6))


def test_texts_are_batched_by_length_and_a_resumed_run_has_the_same_batches(store, tmp_path):
    encoder, _ = counted(text_encoder())
    inner, given = encoder.forward, []
    encoder.forward = lambda texts: (given.append(list(texts)), inner(texts))[1]
    split = sentences(20)
    whole = extract(encoder, TEXT, split, store, modality="text", batch_size=6)
    batches, given[:] = list(given), []
    lengths = [len(text) for batch in batches for text in batch]
    assert lengths == sorted(lengths) != [len(text) for text in split.texts]
    resumed = Store(tmp_path / "resumed")
    rows = [split.texts.index(text) for text in batches[1]]
    shelf = resumed.shelf(whole.key)
    with shelf.writing("a run that was killed"):
        shelf.append(item_digests(split, "text")[0][rows], whole.array[rows], 0.0, "a run that was killed")
    same(extract(encoder, TEXT, split, resumed, modality="text", batch_size=6).array, whole.array)
    assert given == [batches[0], batches[2], batches[3]]


def test_decoding_on_threads_gives_the_same_features(store, tmp_path):
    split = pictures(range(70))
    alone = extract(image_encoder(), IDENTITY, split, store, batch_size=16)
    helped = extract(image_encoder(), IDENTITY, split, Store(tmp_path / "other"), batch_size=16, workers=3)
    same(alone.array, helped.array)


def weights(letter):
    return dataclasses.replace(IDENTITY, weights=letter * 64)


def test_images_are_prepared_once_for_encoders_that_prepare_them_alike(store):
    split, alike, cache = pictures(range(21)), image_encoder(), PreparedImages()
    first = extract(alike, IDENTITY, split, store, batch_size=8, prepared_images=cache)
    assert sorted(split.images.decoded) == list(range(21))
    second = extract(image_encoder(), weights("b"), split, store, batch_size=8, prepared_images=cache)
    assert len(split.images.decoded) == 21
    same(second.array, first.array)
    other = image_encoder(prepare=lambda image: prepare(image) / 2)
    third = extract(other, weights("c"), split, store, batch_size=8, prepared_images=cache)
    assert len(split.images.decoded) == 42
    assert not np.allclose(third.array, first.array)


def test_without_a_cache_nothing_is_kept_between_two_calls(store):
    split = pictures(range(5))
    extract(image_encoder(), IDENTITY, split, store)
    extract(image_encoder(), weights("b"), split, store)
    assert sorted(split.images.decoded) == sorted([*range(5), *range(5)])


def test_what_is_kept_of_prepared_images_is_bounded(store):
    cache, split = PreparedImages(sources=2, max_bytes=5 * 3 * 8 * 8 * 4), pictures(range(21))
    extract(image_encoder(), IDENTITY, split, store, prepared_images=cache)
    found = extract(image_encoder(), weights("b"), split, store, prepared_images=cache)
    assert sorted(split.images.decoded) == sorted([*range(21), *range(5, 21)])
    same(found.array, extract(image_encoder(), IDENTITY, split, store).array)
    extract(image_encoder(), IDENTITY, pictures([100]), store, prepared_images=cache)
    assert len(cache.of(split.images, prepare).rows) == 5  # and now the most recent again
    for seed in (101, 102):
        extract(image_encoder(), IDENTITY, pictures([seed]), store, prepared_images=cache)
    assert cache.of(split.images, prepare).rows == {}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_is_near_and_is_stored_apart(store, precision):
    split = pictures(range(6))
    full = extract(image_encoder(), IDENTITY, split, store)
    low = extract(image_encoder(), IDENTITY, split, store, precision=precision)
    assert low.census.fresh == 6
    assert low.array.dtype == np.float32
    assert not np.array_equal(low.array, full.array)
    np.testing.assert_allclose(low.array, full.array, atol=0.02)


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
    same(got.rows, np.delete(np.arange(20), [0, 13]))
    whole = extract(image_encoder(), IDENTITY, pictures(range(20)), store, batch_size=4)
    same(got.array, whole.array[got.rows])


def test_every_row_with_the_content_of_an_unreadable_item_is_left_out(store):
    split = pictures([0, 1, 1, 2], broken=(1, 2))
    got = extract(image_encoder(), IDENTITY, split, store, on_bad="exclude")
    assert [(left.id, left.reason[:30]) for left in got.census.excluded] == [
        ("p1", "picture_1.png: image file is t"),
        ("p2", "the same content as 'p1': pict"),
    ]
    same(got.rows, [0, 3])
    same(got.array, extract(image_encoder(), IDENTITY, pictures([0, 2]), store).array)


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


def test_all_digests_at_once(store):
    split = pictures(range(5))
    known = [split.images.digest(i) for i in range(5)]
    split.images.digests = lambda: known
    split.images.digest = None
    assert extract(image_encoder(), IDENTITY, split, store).census.encoded == 5


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


def test_unknown_weights_are_never_stored_and_a_store_warns_once(store):
    unknown = dataclasses.replace(IDENTITY, weights=None)
    encoder, batches = counted(image_encoder())
    split = pictures([0, 1, 2, 1])
    with pytest.warns(StoreWarning, match="weights of tiny cannot be identified") as said:
        first = extract(encoder, unknown, split, store)
    second = extract(encoder, unknown, split, store)  # warnings are errors here
    assert len(said) == 1
    assert batches == [3, 3]
    assert first.key is None
    assert not store.root.exists()
    same(first.array, second.array)
    same(first.array, extract(encoder, IDENTITY, split, store).array)


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


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("wanted", [True, False])
def test_progress_is_shown_on_a_terminal_when_wanted(store, monkeypatch, wanted):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    extract(image_encoder(), IDENTITY, pictures(range(9)), store, name="[tiny]", progress=wanted)
    assert ("[tiny]: 9 of 9 items" in screen.getvalue()) == wanted


def test_nothing_is_shown_elsewhere(store, capfd):
    extract(image_encoder(), IDENTITY, pictures(range(9)), store)
    assert capfd.readouterr() == ("", "")
