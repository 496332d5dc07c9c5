"""Digests of weights' files: computed once, remembered until the file changes, and compared with what is stated."""

from __future__ import annotations

import hashlib
import os
import time

import pytest

from mmbench import files
from mmbench.errors import CorruptAsset
from mmbench.models import checkpoints


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def wait_until_settled(path):
    while not files.settled(files.stamp(path)):
        time.sleep(0.02)


class TestDigests:
    def test_is_the_sha256_and_is_remembered(self, tmp_path, monkeypatch):
        path = tmp_path / "weights.bin"
        path.write_bytes(b"one")
        wait_until_settled(path)
        assert checkpoints.file_digest(path) == hashlib.sha256(b"one").hexdigest()
        monkeypatch.setattr(hashlib, "file_digest", None)  # a second reading would fail
        assert checkpoints.file_digest(path) == hashlib.sha256(b"one").hexdigest()

    def test_a_changed_file_has_a_new_digest(self, tmp_path):
        path = tmp_path / "weights.bin"
        path.write_bytes(b"one")
        wait_until_settled(path)
        checkpoints.file_digest(path)
        path.write_bytes(b"three")
        assert checkpoints.file_digest(path) == hashlib.sha256(b"three").hexdigest()
        path.write_bytes(b"seven")  # as long as before
        os.utime(path, ns=(1, 1))
        assert checkpoints.file_digest(path) == hashlib.sha256(b"seven").hexdigest()

    def test_another_file_of_the_same_size_and_time_has_a_new_digest(self, tmp_path):
        path = tmp_path / "weights.bin"
        for content in (b"one", b"two"):
            path.write_bytes(content)
            os.utime(path, ns=(1, 1))
            wait_until_settled(path)
            assert checkpoints.file_digest(path) == hashlib.sha256(content).hexdigest()

    def test_a_read_only_cache_only_costs_time(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_bytes(b"one")
        monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "file"))
        assert checkpoints.file_digest(tmp_path / "file") == hashlib.sha256(b"one").hexdigest()

    def test_a_damaged_note_is_not_believed(self, tmp_path, cache):
        path = tmp_path / "weights.bin"
        path.write_bytes(b"one")
        wait_until_settled(path)
        checkpoints.file_digest(path)
        for note in (cache / "models").iterdir():
            note.write_text("{")
        assert checkpoints.file_digest(path) == hashlib.sha256(b"one").hexdigest()

    def test_a_folder_is_identified_by_names_and_contents(self, tmp_path):
        for name in ("a", "b"):
            (tmp_path / name).write_bytes(name.encode())
        files = [tmp_path / "a", tmp_path / "b"]
        before = checkpoints.folder_digest(files)
        assert before == checkpoints.folder_digest(files[::-1])
        (tmp_path / "b").write_bytes(b"other")
        assert checkpoints.folder_digest(files) != before

    def test_places_are_remembered_while_the_file_is_there(self, tmp_path):
        path = tmp_path / "weights.bin"
        assert checkpoints.remembered_place("key") is None
        path.write_bytes(b"one")
        checkpoints.remember_place("key", path)
        assert checkpoints.remembered_place("key") == path
        path.unlink()
        assert checkpoints.remembered_place("key") is None


class TestStatedDigest:
    @pytest.fixture
    def path(self, tmp_path):
        (tmp_path / "w.pt").write_bytes(b"one")
        return tmp_path / "w.pt"

    @pytest.mark.parametrize("digits", [0, 8, 64])
    def test_the_right_one_passes_whole_or_in_part(self, path, digits):
        checkpoints.check_digest(path, hashlib.sha256(b"one").hexdigest()[:digits], "m")

    def test_another_one_is_refused(self, path):
        found = hashlib.sha256(b"one").hexdigest()
        with pytest.raises(CorruptAsset) as caught:
            checkpoints.check_digest(path, "0" * 64, "m")
        assert str(caught.value).startswith(f"m states sha256={'0' * 64}, but {path} has {found}; fetch it again")
