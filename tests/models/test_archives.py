"""Zip archives that lie about their sizes are refused before they are unpacked; npz files are read without pickle."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch

from mmbench.errors import BadSpec, CorruptAsset
from mmbench.models import archives, checkpoints


def member(array, **changes):
    """The bytes of one ``.npy``; ``changes`` falsify its header."""
    out = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(array) | changes
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue() + array.tobytes()


def archive(path, members, how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", how) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_numpys_own(tmp_path, save):
    rng = np.random.default_rng(0)
    arrays = {
        "a/kernel": rng.standard_normal((3, 3, 2, 4)).astype(np.float32),
        "by columns": np.asfortranarray(rng.standard_normal((3, 5))),
        "half": rng.standard_normal(7).astype(np.float16),
        "one": np.float32(3.5).reshape(()),
    }
    save(tmp_path / "w.npz", **arrays)
    found = archives.read_npz(tmp_path / "w.npz")
    assert list(found) == list(arrays)
    for key, wanted in arrays.items():
        assert found[key].dtype == wanted.dtype
        np.testing.assert_array_equal(found[key], wanted)


class Boom:
    """Makes a folder when it is unpickled."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.flag),)


def test_an_array_of_objects_is_refused_and_not_unpickled(tmp_path):
    flag = tmp_path / "was run"
    np.savez(tmp_path / "w.npz", weights=np.array([Boom(flag)], dtype=object), allow_pickle=True)
    with pytest.raises(BadSpec, match=r"weights.npy is of type object and not of floats; it was not opened"):
        archives.read_npz(tmp_path / "w.npz")
    assert not flag.exists()
    np.load(tmp_path / "w.npz", allow_pickle=True)["weights"]  # the planted liar does lie
    assert flag.exists()


@pytest.mark.parametrize(("change", "words"), [
    ({"shape": (10**6, 10**6)}, r"states the shape \(1000000, 1000000\) of float32, which is 4,000,000,000,000 bytes"),
    ({"shape": (2,)}, r"which is 8 bytes, and has more"),
    ({"descr": "<f8"}, r"of float64, which is 96 bytes, and has 48"),
    ({"descr": "<i4"}, r"is of type int32 and not of floats"),
    ({"shape": (-3, -4)}, r"which is 48 bytes|cannot be read|which is -"),
], ids=["longer", "shorter", "wider", "whole numbers", "negative"])  # fmt: skip
def test_a_header_that_lies_is_told(tmp_path, change, words):
    array = np.zeros((3, 4), np.float32)
    path = archive(tmp_path / "w.npz", {"a.npy": member(array, **change)})
    with pytest.raises((BadSpec, CorruptAsset), match=words):
        archives.read_npz(path)


def test_numpys_own_reader_would_take_a_shorter_header(tmp_path):
    """The reason for a reader of our own: what a header leaves over is not noticed."""
    array = np.arange(12, dtype=np.float32)
    path = archive(tmp_path / "w.npz", {"a.npy": member(array, shape=(2,))})
    np.testing.assert_array_equal(np.load(path)["a"], array[:2])
    with pytest.raises(CorruptAsset, match="which is 8 bytes, and has more"):
        archives.read_npz(path)


def test_damage_is_told(tmp_path):
    path = archive(tmp_path / "w.npz", {"a.npy": member(np.arange(60, dtype=np.float32))})
    whole = path.read_bytes()
    path.write_bytes(whole[:150] + b"\xff" + whole[151:])  # one byte of the numbers
    with pytest.raises(CorruptAsset, match=r"w.npz cannot be read as a NumPy archive \(Bad CRC-32"):
        archives.read_npz(path)
    path.write_bytes(whole[:100])
    with pytest.raises(CorruptAsset, match=r"w.npz cannot be read as a NumPy archive"):
        archives.read_npz(path)
    with pytest.raises(CorruptAsset, match=r"a.npy|magic"):
        archives.read_npz(archive(tmp_path / "other.npz", {"a.npy": b"no array"}))


class TestBombs:
    SIZE = 200_000_000

    @pytest.fixture
    def bomb(self, tmp_path):
        zeros = np.zeros(self.SIZE // 4, np.float32)
        return archive(tmp_path / "bomb.npz", {"a.npy": member(zeros)}, zipfile.ZIP_DEFLATED)

    def refused(self, read, path):
        tracemalloc.start()
        with pytest.raises(CorruptAsset, match=r"bytes that would unpack to 200,0.*so it was not unpacked"):
            read(path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < self.SIZE / 20

    def test_in_a_numpy_archive(self, bomb):
        self.refused(archives.read_npz, bomb)

    def test_in_a_pytorch_checkpoint(self, tmp_path):
        torch.save({"weight": torch.zeros(self.SIZE // 4)}, tmp_path / "plain.pt")
        with zipfile.ZipFile(tmp_path / "plain.pt") as plain:
            members = {name: plain.read(name) for name in plain.namelist()}
        self.refused(checkpoints.read_state_dict, archive(tmp_path / "bomb.pt", members, zipfile.ZIP_DEFLATED))

    def test_that_states_a_small_size(self, bomb):
        """The size in the table of contents is a lie: what is behind it is cut off there, and then fails its check."""
        content = bytearray(bomb.read_bytes())
        at = content.rindex(b"PK\x01\x02")
        content[at + 24 : at + 28] = struct.pack("<I", 1000)
        bomb.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(CorruptAsset):
            archives.read_npz(bomb)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < self.SIZE / 20

    def test_ordinary_weights_are_none(self, tmp_path):
        halves = torch.randn(300, 300, generator=torch.Generator().manual_seed(0)).half().float().numpy()
        np.savez_compressed(tmp_path / "w.npz", w=halves)
        archives.check_sizes(tmp_path / "w.npz")
        archives.check_sizes(archive(tmp_path / "empty.zip", {}))
        (tmp_path / "no.zip").write_bytes(b"text")
        archives.check_sizes(tmp_path / "no.zip")
