"""Files are whole or absent, and a digest belongs to the bytes that lie there now."""

from __future__ import annotations

import errno
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
    (left,) = [each for each in tmp_path.iterdir() if each != path]
    assert left.name.startswith(files.TEMPORARY)
    theirs = tmp_path / f"{files.TEMPORARY}elsewhere-1-00-weights"  # of another machine, perhaps still writing
    ours = tmp_path / files.own_name()  # of a process that runs: this one
    for each in (theirs, ours):
        each.touch()
    files.sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {path, theirs, ours}
    os.utime(theirs, (OLD, OLD))
    with files.atomic(tmp_path / "another"):  # once in a process is enough
        pass
    assert theirs.exists()
    files._swept.clear()
    with files.atomic(path) as temporary:
        temporary.write_bytes(b"new")
    assert set(tmp_path.iterdir()) == {path, ours, tmp_path / "another"}


def test_folders_of_killed_processes_are_removed(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from mmbench.files import temporary_folder\n"
        "with temporary_folder(Path(sys.argv[1]), '.pip-') as t:\n"
        "    (t / 'half.whl').write_bytes(b'half'); print('written', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"written\n"
    child.kill()
    child.communicate()
    assert len(list(tmp_path.rglob("half.whl"))) == 1
    with files.temporary_folder(tmp_path, ".pip-") as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_only_plain_files_of_bounded_size_are_read(tmp_path):
    """A pipe without a writer, or a device without end, would be read for ever."""
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    assert files.read_plain(path, 4) == b"1234"
    with pytest.raises(files.NotPlain, match="it has 4 bytes, and no more than 3 are read"):
        files.read_plain(path, 3)
    with pytest.raises(files.NotPlain, match="a folder stands there"):
        files.read_plain(tmp_path, 3)
    with pytest.raises(FileNotFoundError):
        files.read_plain(tmp_path / "none", 3)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(files.NotPlain, match="a pipe stands there"):
            files.read_plain(tmp_path / "pipe", 3)
        with pytest.raises(files.NotPlain, match="a device stands there"):
            files.read_plain(files.Path("/dev/zero"), 3)


@pytest.mark.parametrize("parse", [files.parse_json, lambda text: files.parse_toml(f"x = {text}".encode())])
@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, "1" * 5000, "[", "nonsense"])
def test_what_cannot_be_parsed_is_a_value_error(parse, text):
    with pytest.raises(ValueError, match=r"."):
        parse(text)


def test_toml_behind_a_byte_order_mark_is_read():
    assert files.parse_toml(b"\xef\xbb\xbfa = 1\n") == {"a": 1}


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_takes_no_name_that_is_taken(tmp_path, monkeypatch, links):
    """Also on file systems without hard links, such as exFAT."""

    def refused(source, target):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if not links:
        monkeypatch.setattr(os, "link", refused)
    path, written = tmp_path / "0001.json", tmp_path / "written"
    written.write_bytes(b"first")
    files.put_new(written, path)
    assert path.read_bytes() == b"first"
    written.write_bytes(b"second") if not links else None
    with pytest.raises(FileExistsError):
        files.put_new(written, path)
    assert path.read_bytes() == b"first"
    assert written.exists()


def test_a_whole_text_replaces_a_file_and_is_written_into_what_is_none(tmp_path):
    path = tmp_path / "page.md"
    files.write_whole(path, "old")
    files.write_whole(path, "caf\udce9")
    assert path.read_bytes() == b"caf\\udce9"
    (tmp_path / "link").symlink_to(path)
    files.write_whole(tmp_path / "link", "new")
    assert (path.read_bytes(), (tmp_path / "link").is_symlink()) == (b"new", True)
    files.write_whole(files.Path(os.devnull), "gone")
    assert not files.Path(os.devnull).is_file()


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


def test_two_writes_within_one_tick_of_the_clock_have_two_digests(tmp_path, monkeypatch):
    path, now = tmp_path / "weights", time.time_ns()
    monkeypatch.setattr(files, "stamp", lambda path: files.Stamp(3, now, now, 1))
    for content in (b"one", b"two"):
        path.write_bytes(content)
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
