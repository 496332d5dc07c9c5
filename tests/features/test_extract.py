"""Extraction: one encode per key, the census, and what is kept."""

from __future__ import annotations

import dataclasses
import io
import os
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

from mmbench.datasets.notes import DatasetWarning
from mmbench.features.encode import encode_rows
from mmbench.features.items import item_digests
from mmbench.features.prepared_images import PreparedImages
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


def test_all_digests_at_once(store):
    split = pictures(range(5))
    known = [split.images.digest(i) for i in range(5)]
    split.images.digests = lambda: known
    split.images.digest = None
    assert extract(image_encoder(), IDENTITY, split, store).census.encoded == 5


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


def test_texts_that_are_cut_are_counted_when_they_are_encoded(store):
    encoder, split = text_encoder(), sentences(12)
    encoder.cuts = lambda texts: [text in split.texts[:4] for text in texts]
    with pytest.warns(DatasetWarning) as told:
        extract(encoder, TEXT, split, store, modality="text", name="letters on films")
    shown = ", ".join(map(repr, split.ids[:3]))
    (line,) = (str(each.message) for each in told)
    assert line == f"letters on films: 4 of 12 texts are longer than it reads, and cut: {shown} and 1 more"
    extract(encoder, TEXT, split, store, modality="text")  # stored, so nothing is said again: warnings are errors here
