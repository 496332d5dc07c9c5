"""Several layers from one forward pass: each item is encoded once, and every layer is stored under its own key."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny_encoders import (
    IDENTITY,
    counted,
    extract,
    image_encoder,
    layered_encoder,
    pictures,
    sentences,
    stored_twice,
    text_encoder,
)

from mmbench.errors import BadFeatures, BadSpec, UnknownName
from mmbench.features.keys import feature_key
from mmbench.features.store import Shelf, Store, StoreWarning
from mmbench.models.hidden import HiddenLayers, Layer

ALL = ("first", "output", "last")


def same(a, b):
    np.testing.assert_array_equal(a, b)


@pytest.fixture
def two_threads():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_layers_are_those_of_a_plain_loop(store):
    import torch

    encoder, split = layered_encoder(), pictures(range(21))
    found = extract(encoder, IDENTITY, split, store, layers=ALL, batch_size=8)
    assert list(found) == list(ALL)
    parts = encoder.module
    with torch.inference_mode():
        images = torch.stack([encoder.prepare(split.images.image(row)) for row in range(21)])
        wanted = {"first": parts[:3](images).mean((2, 3)), "last": parts[:4](images).mean((2, 3))}
        wanted["output"] = parts(images)
    for layer, features in found.items():
        np.testing.assert_allclose(features.array, wanted[layer], rtol=1e-4, atol=1e-6)
        assert features.array.dtype == np.float32
        assert features.key == feature_key(IDENTITY, layer=layer)


def test_three_layers_encode_each_item_once_and_one_more_layer_once_more(store):
    encoder, batches = counted(layered_encoder())
    split = pictures(range(12))
    two = extract(encoder, IDENTITY, split, store, layers=("output", "first"), batch_size=4)
    assert sum(batches) == 12
    again = extract(encoder, IDENTITY, split, store, layers=("first",), batch_size=4)
    alone = extract(encoder, IDENTITY, split, store, batch_size=4)
    assert sum(batches) == 12
    assert [features.census.fresh for features in (two["first"], again["first"], alone)] == [12, 0, 0]
    three = extract(encoder, IDENTITY, split, store, layers=ALL, batch_size=4)
    assert sum(batches) == 24
    same(three["first"].array, two["first"].array)
    same(three["output"].array, alone.array)
    assert set(store.encoded) == {feature_key(IDENTITY, layer=layer) for layer in ALL}
    assert all(set(counts.values()) == {1} and len(counts) == 12 for counts in store.encoded.values())
    assert store.encoded_twice() == stored_twice(store) == []


def test_the_output_alone_is_that_of_a_run_with_layers(store, tmp_path):
    split = pictures(range(21))
    alone = extract(layered_encoder(), IDENTITY, split, store, batch_size=8)
    both = extract(layered_encoder(), IDENTITY, split, Store(tmp_path / "other"), batch_size=8, layers=ALL)
    same(both["output"].array, alone.array)
    assert both["output"].key == alone.key


def test_an_item_is_encoded_when_any_layer_lacks_it_and_stored_where_it_was_lacking(store):
    encoder, batches = counted(layered_encoder())
    extract(encoder, IDENTITY, pictures(range(8)), store, batch_size=4)
    extract(encoder, IDENTITY, pictures(range(4, 12)), store, layers=("first",), batch_size=4)
    found = extract(encoder, IDENTITY, pictures(range(16)), store, layers=("output", "first"), batch_size=4)
    assert batches == [4, 4, 4, 4, 4, 4, 4]  # 4 to 7 are stored in both, so three batches are left
    assert found["output"].census.fresh == 12
    assert store.encoded_twice() == stored_twice(store) == []


def test_locks_are_taken_in_one_order_so_that_no_two_runs_wait_for_each_other(store, monkeypatch):
    taken, inner = [], Shelf.writing
    monkeypatch.setattr(Shelf, "writing", lambda shelf, what: (taken.append(shelf.key), inner(shelf, what))[1])
    for layers in (ALL, ALL[::-1]):
        extract(layered_encoder(), IDENTITY, pictures(range(2)), Store(store.root / layers[0]), layers=layers)
    assert taken[:3] == taken[3:] == sorted(taken[:3])
    assert len(set(taken)) == 3


def test_two_batches_at_once_keep_their_layers_apart(store, tmp_path, two_threads):
    split = pictures(range(40))
    at_once = extract(layered_encoder(), IDENTITY, split, store, layers=ALL, batch_size=4)
    for layer in ALL:
        one = extract(layered_encoder(), IDENTITY, split, Store(tmp_path / layer), layers=[layer], batch_size=40)
        np.testing.assert_allclose(at_once[layer].array, one[layer].array, rtol=1e-4, atol=1e-6)


def test_layers_share_the_seconds(store):
    cold = extract(layered_encoder(), IDENTITY, pictures(range(9)), store, layers=ALL)
    spent = [features.seconds for features in cold.values()]
    assert spent[0] == pytest.approx(spent[1]) == pytest.approx(spent[2])
    assert spent[0] > 0
    warm = extract(layered_encoder(), IDENTITY, pictures(range(9)), Store(store.root), layers=ALL)
    assert [features.seconds for features in warm.values()] == [0, 0, 0]
    assert [features.recorded_seconds for features in warm.values()] == pytest.approx(spent)


def test_a_run_with_every_layer_stored_loads_no_encoder(store):
    cold = extract(layered_encoder(), IDENTITY, pictures(range(5)), store, layers=ALL)
    warm = extract(lambda: 1 / 0, IDENTITY, pictures(range(5)), Store(store.root), layers=ALL)
    for layer in ALL:
        same(warm[layer].array, cold[layer].array)


def test_a_layer_named_twice_is_given_once(store):
    encoder, batches = counted(layered_encoder())
    found = extract(encoder, IDENTITY, pictures(range(5)), store, layers=["first", "first"])
    assert (list(found), batches) == (["first"], [5])
    assert store.encoded_twice() == []


@pytest.mark.parametrize(("encoder", "known"), [(layered_encoder, "output, first, last"), (image_encoder, "output")])
def test_an_unknown_layer_lists_the_layers_and_touches_no_store(store, encoder, known):
    with pytest.raises(UnknownName) as caught:
        extract(encoder, IDENTITY, pictures(range(2)), store, layers=["output", "firts"], name="tiny on dots")
    assert str(caught.value) == f"no layer of tiny on dots named 'firts'. Known: {known}."
    assert not store.root.exists()


def test_a_text_encoder_has_its_output_only(store):
    identity = dataclasses.replace(IDENTITY, architecture="letters", preprocess=None)
    with pytest.raises(UnknownName, match=r"no layer of letters named 'first'\. Known: output\."):
        extract(text_encoder(), identity, sentences(2), store, modality="text", layers=["first"])
    found = extract(text_encoder(), identity, sentences(2), store, modality="text", layers=["output"])
    assert found["output"].array.shape == (2, 8)


@pytest.mark.parametrize("layers", ["output", [], ()])
def test_layers_that_are_no_sequence_of_names(store, layers):
    message = f"layers must be a sequence of at least one name, such as ['output'], got {layers!r}"
    with pytest.raises(BadSpec) as caught:
        extract(layered_encoder(), IDENTITY, pictures(range(2)), store, layers=layers)
    assert str(caught.value) == message


def test_a_damaged_shard_of_one_layer_is_named_and_only_that_layer_is_written_again(store):
    split = pictures(range(20))
    before = extract(layered_encoder(), IDENTITY, split, store, layers=ALL, batch_size=8)
    files = {layer: sorted(store.shelf(before[layer].key).folder.glob("*.safetensors")) for layer in ALL}
    broken = files["first"][0]
    data = bytearray(broken.read_bytes())
    data[-1] ^= 1
    broken.write_bytes(data)
    encoder, batches = counted(layered_encoder())
    fresh = Store(store.root, shard_items=8)
    with pytest.warns(StoreWarning, match=rf"features of tiny in {broken} are damaged: .* they are encoded again"):
        after = extract(encoder, IDENTITY, split, fresh, layers=ALL, batch_size=8)
    assert 0 < sum(batches) <= 8
    assert set(fresh.encoded) == {before["first"].key}
    for layer in ALL:
        same(after[layer].array, before[layer].array)
    for layer in ("output", "last"):
        assert sorted(fresh.shelf(before[layer].key).folder.glob("*.safetensors")) == files[layer]


def test_an_unreadable_item_is_left_out_of_every_layer(store):
    split = pictures(range(10), broken=(3,))
    found = extract(layered_encoder(), IDENTITY, split, store, layers=ALL, on_bad="exclude", batch_size=4)
    for layer in ALL:
        same(found[layer].rows, np.delete(np.arange(10), 3))
        assert [left.id for left in found[layer].census.excluded] == ["p3"]
        assert found[layer].array.shape[0] == 9


def test_nan_in_a_hidden_layer_names_it_and_is_not_stored_in_any(store):
    import torch

    class Nan(torch.nn.Module):
        def forward(self, batch):
            return batch * float("nan")

    encoder = image_encoder()
    module = torch.nn.ModuleDict({"plain": encoder.module, "nan": Nan()}).eval()

    def forward(batch):
        module["nan"](batch)
        return module["plain"](batch)

    hidden = HiddenLayers({"nan": Layer(module["nan"])}, lambda: forward(torch.zeros(1, 3, 8, 8)))
    broken = dataclasses.replace(encoder, module=module, forward=forward, hidden=hidden)
    with pytest.raises(
        BadFeatures, match=r"^layer 'nan' of tiny gave NaN for item 'p0' \(3 of 3 columns, 5 of 5 items"
    ):
        extract(broken, IDENTITY, pictures(range(5)), store, layers=["output", "nan"])
    assert list(store.root.rglob("*.safetensors")) == []
    assert store.encoded == {}


def test_a_layer_of_another_width_than_the_encoder_declares(store):
    encoder = layered_encoder()
    encoder.hidden.__dict__["widths"] = {"first": 9}
    with pytest.raises(BadFeatures, match="layer 'first' of tiny declares dim=9 but gave 8 columns"):
        extract(encoder, IDENTITY, pictures(range(2)), store, layers=["first"])


def test_layers_of_unknown_weights_are_not_stored(store):
    unknown = dataclasses.replace(IDENTITY, weights=None)
    with pytest.warns(StoreWarning, match="weights of tiny cannot be identified"):
        found = extract(layered_encoder(), unknown, pictures([0, 1, 1]), store, layers=ALL)
    known = extract(layered_encoder(), IDENTITY, pictures([0, 1, 1]), store, layers=ALL)
    for layer in ALL:
        assert found[layer].key is None
        same(found[layer].array, known[layer].array)


def test_lower_precision_is_near_and_is_stored_apart(store):
    full = extract(layered_encoder(), IDENTITY, pictures(range(6)), store, layers=ALL)
    low = extract(layered_encoder(), IDENTITY, pictures(range(6)), store, layers=ALL, precision="bf16")
    for layer in ALL:
        assert low[layer].key != full[layer].key
        assert not np.array_equal(low[layer].array, full[layer].array)
        np.testing.assert_allclose(low[layer].array, full[layer].array, atol=0.02)
