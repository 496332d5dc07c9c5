"""The store when things go wrong: killed runs, damaged shards, full disks, several runs at once; and the scores."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_encoders import IDENTITY, counted, extract, image_encoder, pictures

from mmbench.errors import StoreError
from mmbench.features import shards
from mmbench.features import store as store_module
from mmbench.features.store import Store, StoreWarning, default_root
from mmbench.scores import Scores

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def children(tmp_path_factory):
    """What became of runs that were killed, ran at once, or were refused a file (see children.py)."""
    if not hasattr(os, "fork"):
        pytest.skip("needs a system with fork, SIGKILL and file size limits")
    root = tmp_path_factory.mktemp("children")
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(HERE / "children.py"), str(root)],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,  # some seconds on an idle machine, minutes on a busy one
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {"root": root} | json.loads(done.stdout)


def shard_files(store):
    return sorted(store.root.rglob("*.safetensors"))


# failures


def test_killed_runs_resume_with_an_identical_result(children, capsys, record_property):
    found = children["kill"]
    rounds = found["rounds"]
    kills = sum(r["killed"] for r in rounds)
    record_property("kills", kills)
    with capsys.disabled():
        print(f"\n{kills} runs were killed with SIGKILL, on {len(rounds)} stores, and each store was finished then")
    assert kills >= 50
    assert any(0 < r["fresh"] < found["items"] for r in rounds)  # and some died half way
    for r in rounds:
        assert r["same"]
        assert r["twice"] == 0
        assert r["leftovers"] == []
        assert r["stored"] == sorted(r["stored"])  # nothing finished was lost
        assert r["fresh"] == max(0, found["items"] - 8 * r["stored"][-1])


def test_a_run_killed_between_the_shards_of_two_layers_resumes_with_an_identical_result(children):
    found = children["kill_between_layers"]
    shards, layers = found["shards"], 3
    assert shards == layers * -(-found["items"] // found["shard"])
    assert len(found["rounds"]) == shards
    for number, r in enumerate(found["rounds"]):
        assert r["killed"]
        assert r["stored"] == number  # one layer may have a shard that another lacks
        assert r["written"] == shards - number
        assert r["fresh"] == found["items"] - number // layers * found["shard"]  # items that any layer lacks
        assert r["twice"] == 0
        assert r["same"]


def test_runs_at_once_share_the_work(children):
    found = children["crowd"]
    assert sum(found["fresh"]) == found["items"]
    assert found["results"] == 1
    assert found["twice"] == 0


def test_a_file_that_the_system_refuses(children):
    found = children["refuse"]
    assert f"the store at {children['root'] / 'refuse'} cannot take 8 features of tiny (" in found["message"]
    assert f" bytes): {os.strerror(errno.EFBIG)}; what was finished before stays" in found["message"]
    assert found["fresh"] == found["items"] - found["stored"]
    assert found["same"]


@pytest.mark.parametrize(
    ("number", "reason", "way_out"),
    [
        (errno.ENOSPC, "No space left on device", "free some space, or name a store on another disk"),
        (errno.EACCES, "Permission denied", "make it writable, or name another store"),
    ],
)
def test_full_disk(store, monkeypatch, number, reason, way_out):
    calls = []
    real = os.fsync

    def fsync(handle):
        calls.append(handle)
        if len(calls) > 8:
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreError) as caught:
        extract(image_encoder(), IDENTITY, pictures(range(40)), store, batch_size=8)
    text = str(caught.value)
    assert text.startswith(f"the store at {store.root} cannot take 8 features of tiny (")
    assert f" bytes): {reason}" in text
    assert "what was finished before stays" in text
    assert way_out in text
    assert "--mmbench-store DIR" in text
    monkeypatch.undo()
    kept = sum(len(shards.open_shard(path)) for path in shard_files(store))
    assert 0 < kept < 40
    assert list(store.root.rglob(".writing-*")) == []
    assert extract(image_encoder(), IDENTITY, pictures(range(40)), store, batch_size=8).census.fresh == 40 - kept


def truncated(data):
    return data[: len(data) // 2]


def emptied(data):
    return b""


def flipped(data):
    """One bit of the last row."""
    return data[: -40 * 8] + bytes([data[-40 * 8] ^ 1]) + data[-40 * 8 + 1 :]


def flipped_last(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def bad_header(data):
    return data[:20] + b"\xff" + data[21:]


@pytest.mark.parametrize("damage", [truncated, emptied, flipped, bad_header])
@pytest.mark.parametrize("process", ["same", "new"])
def test_a_damaged_shard_is_named_and_encoded_again(store, damage, process):
    split = pictures(range(24))
    before = extract(image_encoder(), IDENTITY, split, store, batch_size=8)
    victim = shard_files(store)[1]
    victim.write_bytes(damage(victim.read_bytes()))
    encoder, batches = counted(image_encoder())
    again = store if process == "same" else Store(store.root, shard_items=8)
    with pytest.warns(StoreWarning, match=f"features of tiny in .*{victim.name} are damaged: .*encoded again") as said:
        after = extract(encoder, IDENTITY, split, again, batch_size=8)
    assert len(said) == 1
    assert sum(batches) == 8
    np.testing.assert_array_equal(before.array, after.array)
    assert len(shard_files(store)) == 3


def test_silent_rot_is_found(store):
    """A failing disk, or a copy that keeps times, changes bytes and leaves size and time of content as they were."""
    split = pictures(range(8))
    extract(image_encoder(), IDENTITY, split, store)
    (victim,) = shard_files(store)
    rot(victim)
    with pytest.warns(StoreWarning, match="its checksum is"):
        assert extract(image_encoder(), IDENTITY, split, Store(store.root)).census.fresh == 8


def rot(path):
    status = path.stat()
    path.write_bytes(flipped(path.read_bytes()))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_verified_shard_is_not_hashed_again_in_the_same_process(store, monkeypatch):
    split, hashed, verify = pictures(range(8)), [], store_module.verify
    monkeypatch.setattr(store_module, "verify", lambda path: hashed.append(path) or verify(path))
    extract(image_encoder(), IDENTITY, split, store)
    for _ in range(2):
        assert extract(image_encoder(), IDENTITY, split, store).census.fresh == 0
    assert hashed == shard_files(store)


def test_scores_fall_with_the_shards_that_they_were_made_from(store):
    """Also when the damage is found by a later run, and the shard itself has been replaced since."""
    split, key = pictures(range(8)), "9" * 64
    shards_of = extract(image_encoder(), IDENTITY, split, store).shards
    assert shards_of == tuple(f"{path.parent.name}/{path.stem}" for path in shard_files(store))
    store.save_scores(key, some_scores(provenance={"shards": list(shards_of)}))
    store.save_scores("8" * 64, some_scores(provenance={"shards": ["0/1"]}))
    assert store.load_scores(key) is not None
    rot(store.root / "features" / shards_of[0][:2] / f"{shards_of[0]}.safetensors")
    with pytest.warns(StoreWarning, match="its checksum is"):
        extract(image_encoder(), IDENTITY, split, Store(store.root))
    with pytest.warns(StoreWarning, match=r"were made from features that were found damaged since .*measured again"):
        assert Store(store.root).load_scores(key) is None
    assert store.load_scores("8" * 64) is not None


def test_a_shard_is_a_safetensors_file(store):
    from safetensors.numpy import load_file

    got = extract(image_encoder(), IDENTITY, pictures(range(8)), store, batch_size=8)
    (path,) = shard_files(store)
    np.testing.assert_array_equal(load_file(path)["rows"], got.array)


def test_two_widths_under_one_key(store):
    extract(image_encoder(), IDENTITY, pictures(range(4)), store)
    with pytest.raises(StoreError, match=r"gave 8 columns but .* holds 16; two models have the same identity"):
        extract(image_encoder(dim=8), IDENTITY, pictures(range(8)), store)


@given(
    have=st.lists(st.binary(min_size=32, max_size=32), max_size=12, unique=True),
    ask=st.lists(st.binary(min_size=32, max_size=32), max_size=12),
    cuts=st.integers(1, 4),
    data=st.data(),
)
def test_lookup_agrees_with_a_dict(tmp_path_factory, have, ask, cuts, data):
    """Any digests, those with trailing zero bytes too (fixed-width strings drop them when read one by one)."""
    have = list(dict.fromkeys([*have, *(d[:30] + b"\0\0" for d in have[:3])]))
    ask = [*ask, *(data.draw(st.permutations(have)))]
    shelf = Store(tmp_path_factory.mktemp("store")).shelf("k" * 64)
    shelf.folder.mkdir(parents=True)
    for part in np.array_split(np.arange(len(have)), cuts):
        if len(part):
            items = np.frombuffer(b"".join(have[i] for i in part), np.uint8).reshape(-1, 32)
            shelf.append(items, part[:, None].astype(np.float32), 0.0, "rows that know their number")
    rows = shelf.lookup(np.frombuffer(b"".join(ask), np.uint8).reshape(-1, 32))
    plain = {digest: number for number, digest in enumerate(have)}
    assert [row >= 0 for row in rows] == [digest in plain for digest in ask]
    if (rows >= 0).any():
        assert shelf.gather(rows[rows >= 0])[:, 0].tolist() == [plain[d] for d in ask if d in plain]


def test_a_file_system_without_locks(store, monkeypatch):
    import filelock

    def acquire(self, *args, **kwargs):
        raise NotImplementedError("FileSystem does not appear to support flock; use SoftFileLock instead")

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    with pytest.raises(
        StoreError, match=r"a file system without file locks.*features of tiny; name a store on a local"
    ):
        extract(image_encoder(), IDENTITY, pictures(range(2)), store)


def test_a_store_that_can_only_be_read_still_serves(store, monkeypatch):
    split = pictures(range(4))
    before = extract(image_encoder(), IDENTITY, split, store)

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(store_module, "write_atomic", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    after = extract(image_encoder(), IDENTITY, split, Store(store.root))
    np.testing.assert_array_equal(before.array, after.array)
    with pytest.raises(StoreError, match="cannot take features of tiny: Permission denied"):
        extract(image_encoder(), IDENTITY, pictures(range(9)), Store(store.root.parent / "new"))


def test_root_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MMBENCH_STORE", str(tmp_path / "here"))
    assert default_root() == tmp_path / "here"
    monkeypatch.delenv("MMBENCH_STORE")
    assert default_root().parts[-2:] == ("mmbench", "store")
    assert not (tmp_path / "here").exists()


# scores


def some_scores(**changes):
    outcomes = np.random.default_rng(0).random((3, 7), dtype=np.float32)
    provenance = {"weights": "ab", "seconds": 1.5, "nested": {"a": [1, None]}}
    return dataclasses.replace(Scores(outcomes, "accuracy", "digest", 0.1, provenance), **changes)


def test_scores_come_back_as_they_were(store):
    key = "f" * 64
    assert store.load_scores(key) is None
    store.save_scores(key, some_scores())
    got = Store(store.root).load_scores(key)
    np.testing.assert_array_equal(got.outcomes, some_scores().outcomes)
    assert got.outcomes.dtype == np.float32
    for name in ("metric", "examples", "chance", "provenance"):
        assert getattr(got, name) == getattr(some_scores(), name)
    assert got.classes is None
    store.save_scores(key, some_scores(chance=0.5))
    assert store.load_scores(key).chance == 0.5


def test_scores_keep_the_classes_of_their_examples(store):
    classes = np.arange(some_scores().outcomes.shape[1]) % 3
    store.save_scores("e" * 64, some_scores(classes=classes))
    np.testing.assert_array_equal(store.load_scores("e" * 64).classes, classes)
    (path,) = shard_files(store)
    path.write_bytes(bad_header(path.read_bytes()))
    with pytest.warns(StoreWarning, match="are damaged"):
        assert store.load_scores("e" * 64) is None


def test_provenance_takes_numpy_numbers_and_refuses_objects(store):
    store.save_scores("a" * 64, some_scores(provenance={"n": np.int64(3), "path": Path("x")}))
    assert store.load_scores("a" * 64).provenance == {"n": 3, "path": "x"}
    with pytest.raises(TypeError, match=r"provenance holds .* of type object"):
        store.save_scores("b" * 64, some_scores(provenance={"n": object()}))


@pytest.mark.parametrize("damage", [truncated, emptied, bad_header, flipped_last])
def test_damaged_scores_are_named_and_removed(store, damage):
    store.save_scores("c" * 64, some_scores())
    (path,) = shard_files(store)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(StoreWarning, match=rf"stored scores .*{path.name} are damaged: .*; they are measured again"):
        assert store.load_scores("c" * 64) is None
    assert not path.exists()
    assert store.load_scores("c" * 64) is None


def test_scores_under_another_key_are_damaged(store):
    store.save_scores("c" * 64, some_scores())
    (path,) = shard_files(store)
    other = store.root / "scores" / "dd" / f"{'d' * 64}.safetensors"
    other.parent.mkdir()
    path.rename(other)
    with pytest.warns(StoreWarning, match="its checksum is not the recorded one"):
        assert store.load_scores("d" * 64) is None


def test_scores_on_a_full_disk(store, monkeypatch):
    def replace(path, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(StoreError, match=r"cannot take scores cccccccccccc \([\d,]+ bytes\): No space left"):
        store.save_scores("c" * 64, some_scores())
