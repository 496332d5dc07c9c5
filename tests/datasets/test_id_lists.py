"""Lists of ids: lines, JSON, and pickles of a list of texts, which are taken apart and never run."""

import contextlib
import json
import os
import pickle
import pickletools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.datasets.id_lists import read_ids
from mmbench.errors import BadDataset

IDS = ["603", "13", "603", "9999999", "0", "tt01"]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("count", [0, 1, 6, 3_000])
def test_a_pickle_gives_what_unpickling_would(tmp_path, protocol, count):
    ids = (IDS * 500)[:count]
    (tmp_path / "ids").write_bytes(pickle.dumps(ids, protocol=protocol))
    assert list(read_ids(tmp_path / "ids")) == ids


@given(st.lists(st.text(max_size=300) | st.integers(-(2**40), 2**40), max_size=40), st.integers(2, 5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_list_of_texts_and_numbers(tmp_path_factory, ids, protocol, optimised):
    raw = pickle.dumps(ids, protocol=protocol)
    file = tmp_path_factory.mktemp("ids") / "ids"
    file.write_bytes(pickletools.optimize(raw) if optimised else raw)
    assert list(read_ids(file)) == [str(item) for item in ids]


class Runs:
    """Unpickling it makes a folder."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path, protocol):
    file, written = tmp_path / "ids", tmp_path / "written"
    file.write_bytes(pickle.dumps(["603", Runs(written)], protocol=protocol))
    with pytest.raises(BadDataset, match=r"is a pickle of something else than a list of texts .*; write its ids"):
        read_ids(file)
    assert not written.exists()
    pickle.loads(file.read_bytes())  # the test's own: it does run when it is unpickled
    assert written.exists()


@pytest.mark.parametrize(
    "thing", [("603",), {"603"}, {"603": 1}, "603", 603, None, [None], [1.5], [True], [["603"]], [b"603"]]
)
def test_a_pickle_of_something_else_is_refused(tmp_path, thing):
    (tmp_path / "ids").write_bytes(pickle.dumps(thing, protocol=3))
    with pytest.raises(BadDataset, match="is a pickle of something else than a list of texts"):
        read_ids(tmp_path / "ids")


@pytest.mark.parametrize(
    "raw", [b"\x80\x03.", b"\x80\x03](X\x01\x00\x00\x00a.", b"\x80\x03]X\x01\x00\x00\x00a.", b"\x80\x03]]a."]
)
def test_a_pickle_that_ends_with_something_else_is_refused(tmp_path, raw):
    (tmp_path / "ids").write_bytes(raw)
    with pytest.raises(BadDataset, match="something else than a list of texts"):
        read_ids(tmp_path / "ids")


def test_a_list_in_itself_is_refused(tmp_path):
    ids = ["603"]
    ids.append(ids)
    (tmp_path / "ids").write_bytes(pickle.dumps(ids, protocol=3))
    with pytest.raises(BadDataset, match="something else than a list of texts"):
        read_ids(tmp_path / "ids")


@given(st.integers(0, 60), st.integers(0, 255))
@settings(max_examples=80, deadline=None)
def test_a_damaged_pickle_is_refused_or_read(tmp_path_factory, at, byte):
    raw = bytearray(pickle.dumps(IDS, protocol=3))
    raw[min(at, len(raw) - 1)] = byte
    file = tmp_path_factory.mktemp("ids") / "ids"
    file.write_bytes(raw)
    with contextlib.suppress(BadDataset):  # and nothing else is raised
        assert all(isinstance(item, str) for item in read_ids(file))


def test_a_pickle_that_was_cut_is_refused(tmp_path):
    raw = pickle.dumps(IDS, protocol=3)
    for length in range(1, len(raw)):
        (tmp_path / "ids").write_bytes(raw[:length])
        with pytest.raises(BadDataset):
            read_ids(tmp_path / "ids")


def test_lines_and_json(tmp_path):
    file = tmp_path / "ids.txt"
    file.write_bytes(b"\xef\xbb\xbf603\r\n\r\n 13 \r\n")
    assert read_ids(file) == ("603", "13")
    file.write_text(json.dumps(["603", 13]))
    assert read_ids(file) == ("603", "13")
    file.write_text("")
    assert read_ids(file) == ()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'["603", null]', "holds None, expected a JSON list of texts or whole numbers"),
        (b'["603", true]', "holds True, expected"),
        (b'["603"', "is not valid JSON"),
        (b"caf\xe9", "is neither UTF-8 text nor a pickle of protocol 2 or later"),
    ],
)
def test_a_file_of_something_else_is_named(tmp_path, raw, message):
    (tmp_path / "ids").write_bytes(raw)
    with pytest.raises(BadDataset, match=message):
        read_ids(tmp_path / "ids")
