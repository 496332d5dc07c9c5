"""Files are whole or absent, and a digest belongs to the bytes that lie there now."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from mmbench import files

OLD = 1_500_000_000  # a time long ago


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_the_new_file_takes_the_old_ones_place(tmp_path):
    path = tmp_path / "weights.npy"
    path.write_bytes(b"old")
    with files.atomic(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".npy")
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_raises_leaves_the_old_file(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"old")

    def fail_half_way():
        with files.atomic(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError("power")

    with pytest.raises(RuntimeError, match="power"):
        fail_half_way()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    code = (
        "import sys, time; from pathlib import Path; from mmbench.files import atomic\n"
        "with atomic(Path(sys.argv[1])) as t:\n    t.write_bytes(b'half'); print('written', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"written\n"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert path.read_bytes() == b"old"
    assert [each.name.startswith(files.TEMPORARY) for each in tmp_path.iterdir() if each != path] == [True]


@pytest.mark.parametrize(("durable", "expected"), [(True, ["file", "rename", "folder"]), (False, ["rename"])])
def test_a_durable_file_is_synced_before_the_rename_and_its_folder_after(tmp_path, monkeypatch, durable, expected):
    done, replace = [], files.Path.replace
    kind = lambda handle: "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"  # noqa: E731
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(kind(handle)))
    monkeypatch.setattr(files.Path, "replace", lambda self, to: done.append("rename") or replace(self, to))
    with files.atomic(tmp_path / "weights", durable=durable) as temporary:
        temporary.write_bytes(b"new")
    assert done == expected


def test_the_file_has_the_usual_rights(tmp_path):
    plain, path = tmp_path / "plain", tmp_path / "weights"
    plain.touch()
    with files.atomic(path) as temporary:
        temporary.write_bytes(b"new")
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), files.atomic(tmp_path / "nowhere" / "weights"):
        pass


def wait_until_settled(path):
    while not files.settled(files.stamp(path)):
        time.sleep(0.02)


def test_a_file_is_read_once(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    wait_until_settled(path)
    assert files.sha256_of(path) == sha256(b"one")
    monkeypatch.setattr(hashlib, "file_digest", None)  # a second reading would fail
    assert files.sha256_of(path) == sha256(b"one")


def test_what_was_read_is_remembered_until_the_file_changes(tmp_path):
    path, read = tmp_path / "weights", []
    asked = files.remembered(lambda path: read.append(path) or len(path.read_bytes()))
    for content, times in ((b"one", 1), (b"three", 2)):
        path.write_bytes(content)
        wait_until_settled(path)
        assert [asked(path) for _ in range(3)] == [len(content)] * 3
        assert len(read) == times


@pytest.mark.parametrize("wait", [False, True])
def test_another_file_of_the_same_size_and_time_has_its_own_digest(tmp_path, wait):
    path = tmp_path / "weights"
    for content in (b"one", b"two", b"six"):
        path.write_bytes(content)
        os.utime(path, (OLD, OLD))
        if wait:
            wait_until_settled(path)
        assert files.sha256_of(path) == sha256(content)


def test_a_renamed_file_of_the_same_size_and_time_has_its_own_digest(tmp_path):
    path, other = tmp_path / "weights", tmp_path / "other"
    for each, content in ((path, b"one"), (other, b"two")):
        each.write_bytes(content)
        os.utime(each, (OLD, OLD))
        wait_until_settled(each)
    assert files.sha256_of(path) == sha256(b"one")
    other.replace(path)
    assert files.sha256_of(path) == sha256(b"two")
