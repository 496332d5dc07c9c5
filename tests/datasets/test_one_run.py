"""Within a run a dataset is found and loaded once, and what is loaded is what its identity says."""

import contextlib
import dataclasses
import os
from types import SimpleNamespace

import datasets
import numpy as np
import paper_data
import pytest
from PIL import Image

from mmbench import files
from mmbench.datasets import declared
from mmbench.datasets.declared import files_identity
from mmbench.datasets.one_run import once_a_run
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, MissingAsset


@pytest.fixture
def table(tmp_path, own_notes):
    (tmp_path / "t.csv").write_text("split,text,label\ntrain,x,a\ntest,y,b\n")
    return resolve(f"table:{tmp_path / 't.csv'}?text=text&label=label")


def counting(entry):
    """The entry, and how often it was identified and loaded."""
    calls = {"identity": 0, "load": 0}

    def counted(name):
        def asked():
            calls[name] += 1
            return getattr(entry, name)()

        return asked

    return dataclasses.replace(entry, identity=counted("identity"), load=counted("load")), calls


def test_it_is_listed_twice_and_loaded_once(table):
    """Once for the keys of all cells and once to see that it is the same after it was loaded."""
    entry, calls = counting(table)
    run = once_a_run(entry).entry
    assert len({run.identity() for _ in range(30)}) == 1
    assert calls == {"identity": 1, "load": 0}
    assert all(run.load() is run.load() for _ in range(3))
    assert calls == {"identity": 2, "load": 1}
    assert (run.identity(), run.load().classes) == (table.identity(), ("a", "b"))


def test_a_table_that_is_edited_during_a_run_is_refused(table, tmp_path):
    run = once_a_run(table).entry
    run.identity()
    (tmp_path / "t.csv").write_text("split,text,label\ntrain,x,b\ntest,y,a\n")
    for _ in range(2):
        with pytest.raises(BadDataset, match=r"t\.csv changed during this run: its files are no longer those that the"):
            run.load()
    assert once_a_run(table).entry.load().classes == ("a", "b")


def test_what_cannot_be_had_is_asked_for_once(monkeypatch):
    tried = []

    def unreachable(*_, **__):
        tried.append(1)
        raise ConnectionError("no route")

    monkeypatch.delenv("MMBENCH_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    run = once_a_run(resolve(f"hf_dataset:org/name@{'0' * 40}")).entry
    for _ in range(30):
        with pytest.raises(MissingAsset, match="could not be fetched"):
            run.load()
    assert tried == [1]


# -- identity is the bytes -----------------------------------------------------------------------------------------


def same_size_and_time(file, change):
    """Other bytes in the file, of the same number and with the same time of content."""
    before = file.stat()
    whole = bytearray(file.read_bytes())
    change(whole)
    file.write_bytes(bytes(whole))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def last_byte(whole):
    whole[-1] ^= 1


def swap(one, other):
    def change(whole):
        at, there = whole.index(one), whole.index(other)
        whole[at : at + len(one)], whole[there : there + len(other)] = other, one

    return change


def of_folder(root):
    for split in ("train", "test"):
        for row, name in enumerate(("cat", "dog")):
            (root / split / name).mkdir(parents=True)
            Image.fromarray(np.full((4, 4, 3), row, np.uint8)).save(root / split / name / "0.bmp")
    return f"imagefolder:{root}", root / "test" / "dog" / "0.bmp", last_byte


def of_table(root):
    (root / "t.csv").write_text("split,text,label\ntrain,x,a\ntest,y,b\ntest,z,a\n")
    return f"table:{root}/t.csv?text=text&label=label", root / "t.csv", swap(b"y,b", b"z,a")


def of_table_images(root):
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(root / "a.bmp")
    (root / "t.csv").write_text("split,image,label\ntrain,a.bmp,a\ntest,a.bmp,b\n")
    return f"table:{root}/t.csv?image=image&label=label", root / "a.bmp", last_byte


def of_shards(root):
    for split in ("train", "test"):
        cells = {f"{row}.{kind}": part for row in range(2) for kind, part in (("png", b"p"), ("cls", b"%d" % row))}
        paper_data.shard(root / split / "0.tar", cells)
    return f"webdataset:{root}", root / "test" / "0.tar", swap(b"0" + b"\0" * 511, b"1" + b"\0" * 511)


def of_arrow(root):
    cells = [{"bytes": paper_data.png(np.full((3, 3, 3), row, np.uint8)), "path": None} for row in range(2)]
    features = datasets.Features(image=datasets.Image(), label=datasets.Value("string"))
    made = datasets.Dataset.from_dict({"image": cells, "label": ["left", "both"]}, features=features)
    datasets.DatasetDict(train=made, test=made).save_to_disk(root / "hf")
    (file,) = (root / "hf" / "test").glob("*.arrow")
    return f"hf_dataset:{root}/hf", file, swap(b"left", b"both")


@pytest.mark.parametrize("make", [of_folder, of_table, of_table_images, of_shards, of_arrow])
def test_other_bytes_of_the_same_size_and_time_are_another_dataset(tmp_path, own_notes, make, monkeypatch):
    monkeypatch.setattr(files, "_JUST_NOW", 0)  # so that the first identity is noted
    spec, file, change = make(tmp_path)
    before = resolve(spec).identity()
    assert resolve(spec).identity() == before
    same_size_and_time(file, change)
    assert resolve(spec).identity() != before


def test_a_file_that_has_just_changed_is_not_noted(tmp_path, own_notes, monkeypatch):
    """A second write within one tick of the clock would have the same stamp."""
    file = tmp_path / "a.txt"
    file.write_text("one")
    seen = files.stamp(file)
    monkeypatch.setattr("mmbench.datasets.declared.stamp", lambda _: seen)
    monkeypatch.setattr(files, "stamp", lambda _: seen)
    first = files_identity("x", [file], tmp_path, "a layout")
    file.write_text("two")
    assert files_identity("x", [file], tmp_path, "a layout") != first


def test_a_file_that_is_replaced_while_it_is_hashed_is_refused(tmp_path, own_notes, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    whole = files.sha256_of

    def replacing(path):
        found = whole(path)
        (tmp_path / "a").write_text("other")
        return found

    monkeypatch.setattr(files, "sha256_of", replacing)
    with pytest.raises(BadDataset, match=r"/a was replaced while it was read; start the run again"):
        files_identity("x", [tmp_path / "a", tmp_path / "b"], tmp_path, "a layout")


def test_a_damaged_note_is_not_believed(tmp_path, own_notes, monkeypatch):
    monkeypatch.setattr(files, "_JUST_NOW", 0)
    (tmp_path / "a").write_text("a")
    first = files_identity("x", [tmp_path / "a"], tmp_path, "a layout")
    from mmbench.assets import cache_dir

    (noted,) = (cache_dir() / "datasets").glob("*.txt")
    assert noted.read_text() == first
    for damaged in (b"", first[:63].encode(), b"\xff" * 64):
        noted.write_bytes(damaged)
        assert files_identity("x", [tmp_path / "a"], tmp_path, "a layout") == first


def test_files_are_read_again_before_a_decision(tmp_path, own_notes, monkeypatch):
    path = tmp_path / "item"
    path.write_bytes(b"one")
    monkeypatch.setattr(files, "_JUST_NOW", -1)
    first, status = files_identity("things", [path], tmp_path, ""), path.stat()
    path.write_bytes(b"two")
    real = type(path).stat
    monkeypatch.setattr(type(path), "stat", lambda self, **o: status if self == path else real(self, **o))
    monkeypatch.setattr(files, "sha256_of", files.remembered(files.sha256_of.__wrapped__))  # another process
    assert files_identity("things", [path], tmp_path, "") == first  # by its stamp
    with files.hashed_afresh():
        second = files_identity("things", [path], tmp_path, "")
        assert second != first
        monkeypatch.setattr(files.hashlib, "file_digest", None)  # read once in a run
        assert files_identity("things", [path], tmp_path, "") == second
    assert files_identity("things", [path], tmp_path, "") == second  # the note is mended


def test_reading_much_data_shows_a_bar(tmp_path, own_notes, monkeypatch):
    shown = []

    @contextlib.contextmanager
    def bar(what, total, *, wanted, unit):
        shown.append((what.partition(": ")[2], total, wanted, unit))
        yield SimpleNamespace(advance=lambda count: shown.append(count))

    monkeypatch.setattr(declared, "progress_bar", bar)
    for name, size in (("a", 3), ("b", 4)):
        (tmp_path / name).write_bytes(b"x" * size)
    for limit, wanted in ((8, False), (7, True), (4, False)):  # of few bytes; of many; one of a file that shows its own
        monkeypatch.setattr(declared, "BIG", limit)
        shown.clear()
        files_identity(f"things {limit}", [tmp_path / "a", tmp_path / "b"], tmp_path, "")
        assert shown == [("reading 2 files for their digest", 7, wanted, "bytes"), 3, 4]
