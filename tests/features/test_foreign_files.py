"""Files of the store that mmbench did not write: a right checksum, or a pipe in place of a file, earns no belief."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
from tiny_encoders import IDENTITY, extract, image_encoder, pictures

from mmbench.errors import StoreError
from mmbench.features import score_files
from mmbench.features.store import Store, StoreWarning
from mmbench.scores import Scores


def shard_files(store):
    return sorted((store.root / "features").rglob("*.safetensors"))


def some_scores():
    outcomes = np.random.default_rng(0).random((3, 7), dtype=np.float32)
    return Scores(outcomes, "accuracy", "digest", 0.1, {"weights": "ab"})


def written_as(folder, tensors, **metadata):
    """A file with a right checksum, whatever it holds."""
    from safetensors.numpy import save

    data = tensors if isinstance(tensors, bytes) else save(tensors, metadata or {"seconds": "1.0"})
    path = folder / f"{hashlib.sha256(data).hexdigest()}.safetensors"
    path.write_bytes(data)
    return path


def header(**arrays):
    text = json.dumps({"__metadata__": {"seconds": "1.0"}} | arrays).encode()
    return len(text).to_bytes(8, "little") + text + bytes(96)


ITEM = np.full((1, 32), 7, np.uint8)
ARRAYS = {"items": {"dtype": "U8", "shape": [1, 32], "data_offsets": [0, 32]}}
FORGED = {
    "not finite": ({"rows": np.full((1, 16), np.nan, np.float32), "items": ITEM}, "not finite"),
    "other arrays": ({"rows": np.zeros((1, 16)), "items": ITEM}, "other arrays"),
    "no rows": ({"items": ITEM}, "rows"),
    "time below zero": ({"rows": np.zeros((1, 16), np.float32), "items": ITEM, "seconds": "-1"}, "took -1.0 seconds"),
    "endless header": ((1 << 62).to_bytes(8, "little") + b"{}", "its header says that it has"),
    "deep header": ((200_000).to_bytes(8, "little") + b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "list": ((2).to_bytes(8, "little") + b"[]", "header cannot be read"),
    "offsets beyond": (header(rows={"dtype": "F32", "shape": [1, 16], "data_offsets": [64, 128]}, **ARRAYS), "lies at"),
    "huge shape": (header(rows={"dtype": "F32", "shape": [1, 1 << 60], "data_offsets": [0, 0]}, **ARRAYS), "lies at"),
    "negative": (header(rows={"dtype": "F32", "shape": [1, -16], "data_offsets": [0, 64]}, **ARRAYS), "-16 where"),
    "other width": ({"rows": np.zeros((1, 3), np.float32), "items": ITEM}, "it has 3 columns and the others have 16"),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_shard_with_a_right_checksum_is_not_believed_for_it(store, forged):
    split = pictures(range(8))
    before = extract(image_encoder(), IDENTITY, split, store)
    content, reason = FORGED[forged]
    seconds = {"seconds": content.pop("seconds", "1.0")} if isinstance(content, dict) else {}
    path = written_as(shard_files(store)[0].parent, dict(content) if seconds else content, **seconds)
    with pytest.warns(StoreWarning, match=rf"{path.name} are damaged: .*{reason}"):
        after = extract(image_encoder(), IDENTITY, split, Store(store.root))
    np.testing.assert_array_equal(before.array, after.array)
    assert not path.exists()


def a_folder(path):
    path.mkdir()


def a_pipe(path):
    os.mkfifo(path)


def a_link_to_itself(path):
    path.symlink_to(path)


@pytest.mark.parametrize("make", [a_folder, a_pipe, a_link_to_itself])
def test_what_is_no_file_in_the_place_of_one_is_set_aside(store, make):
    """A pipe without a writer would be waited for, without end."""
    split = pictures(range(8))
    before = extract(image_encoder(), IDENTITY, split, store)
    store.save_scores("c" * 64, some_scores())
    (shard,), (scores,) = shard_files(store), (store.root / "scores").rglob("*.safetensors")
    for path in (shard, scores):
        path.unlink()
        make(path)
    with pytest.warns(StoreWarning, match="encoded again"):
        after = extract(image_encoder(), IDENTITY, split, Store(store.root))
    np.testing.assert_array_equal(before.array, after.array)
    with pytest.warns(StoreWarning, match="are damaged: .*; they are measured again"):
        assert Store(store.root).load_scores("c" * 64) is None
    store.save_scores("c" * 64, some_scores())
    assert store.load_scores("c" * 64) is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda record: record | {"metric": "no_such_metric"}, "no metric named 'no_such_metric'"),
        (lambda record: record | {"metric": ["accuracy"]}, "its metric is"),
        (lambda record: record | {"provenance": [1]}, r"its provenance is \[1\]"),
        (lambda record: record | {"chance": float("nan")}, "its chance level is nan"),
        (lambda record: record | {"pool": "all"}, "its pool is 'all'"),
        (lambda record: [record], "no table"),
        (lambda record: {name: record[name] for name in record if name != "examples"}, "it lacks 'examples'"),
        (lambda record: "[" * 100_000, "its record is no JSON"),
    ],
)
def test_scores_with_a_right_checksum_are_not_believed_for_it(store, monkeypatch, change, reason):
    dumps = json.dumps
    made = lambda record, **options: (  # noqa: E731
        found if isinstance(found := change(record), str) else dumps(found, **options)
    )
    monkeypatch.setattr(score_files.json, "dumps", made)
    store.save_scores("c" * 64, some_scores())
    monkeypatch.undo()
    with pytest.warns(StoreWarning, match=f"are damaged: .*{reason}"):
        assert store.load_scores("c" * 64) is None


@pytest.mark.parametrize("root", ["file", "loop", "d" * 300, "~nobody-has-this-name/x", "a\0b"])
def test_what_can_be_no_store_is_refused_in_one_line(tmp_path, root):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StoreError, match=r"the store at .* cannot be read: |there is no store at ") as caught:
        Store(root if root.startswith("~") else tmp_path / root).shelf("0" * 64).refresh()
    assert "--mmbench-store DIR" in str(caught.value)
