"""Datasets cut to the items that a file lists, or to all others: what is not found is counted, nothing else changes."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.datasets.entry import Dataset as Loaded
from mmbench.datasets.entry import DatasetEntry, Split
from mmbench.datasets.groups import grouped
from mmbench.datasets.images import ArrayImages
from mmbench.datasets.notes import DatasetWarning
from mmbench.datasets.specs import resolve
from mmbench.datasets.subsets import subset
from mmbench.errors import BadDataset, BadSpec, MissingAsset

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)


def part(first):
    ids = tuple(str(first + row) for row in range(6))
    things = [["a"], ["a"], ["b"], ["b"], ["c"], ["d"]]
    labels = np.arange(6, dtype=np.int64) % 3
    return Split(ids, labels, ArrayImages(PIXELS), tuple(f"film {item}" for item in ids), grouped(things, "persons"))


def made():
    return Loaded("films", ("x", "y", "z"), {"train": part(0), "test": part(10)})


FILMS = DatasetEntry("films", made, lambda: "1", 3, {"train": 6, "test": 6}, ("image", "text"))


@pytest.fixture
def listed(tmp_path):
    def write(*ids):
        file = tmp_path / "ids.txt"
        file.write_text("\n".join(ids) + "\n")
        return file

    return write


def silent(entry):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return entry.load()


def test_the_items_that_a_file_lists(listed):
    dataset = silent(subset(FILMS, listed("12", "1", "11", "3")))
    train, test = dataset.split("train"), dataset.split("test")
    assert (train.ids, test.ids) == (("1", "3"), ("11", "12"))  # in the order of the dataset
    assert test.labels.tolist() == [1, 2]
    assert test.texts == ("film 11", "film 12")
    assert np.array_equal(np.asarray(test.images.image(1)), PIXELS[2])
    assert test.images.digest(1) == part(10).images.digest(2)
    assert dataset.classes == ("x", "y", "z")
    assert test.groups is None  # persons a and b: no two of these share one


def test_all_items_but_those(listed):
    dataset = silent(subset(FILMS, listed("11", "10"), without=True, of="test"))
    assert dataset.split("test").ids == ("12", "13", "14", "15")
    assert dataset.split("train").digest() == part(0).digest()
    assert dataset.split("test").groups.of.tolist() == [1, 1, 2, 3]


@given(st.sets(st.sampled_from([str(10 + row) for row in range(6)]), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_the_two_sides_make_the_whole(tmp_path_factory, ids):
    file = tmp_path_factory.mktemp("ids") / "ids"
    file.write_bytes(pickle.dumps(sorted(ids), protocol=3))
    inside = subset(FILMS, file, of="test").load().split("test")
    outside = subset(FILMS, file, without=True, of="test").load().split("test")
    assert set(inside.ids) == ids
    assert sorted((*inside.ids, *outside.ids)) == list(part(10).ids)


def test_ids_of_no_item_and_ids_given_twice_are_counted(listed):
    with pytest.warns(DatasetWarning) as told:
        subset(FILMS, listed("10", "99", "10", "98", "99"), of="test", name="older crawl").load()
    assert [str(each.message) for each in told] == [
        "older crawl: 2 ids of ids.txt are of no item: '99', '98'",
        "older crawl: 2 ids stand in ids.txt more than once: '10', '99'",
    ]


def test_a_split_without_items_is_refused(listed, tmp_path):
    with pytest.raises(BadDataset) as caught, pytest.warns(DatasetWarning):
        subset(FILMS, listed("tt12", "10"), name="older crawl").load()
    assert str(caught.value) == (
        "older crawl has no item left in 'train': 1 of its 2 ids are of items; an item of films is called '0'; to cut "
        "the test split alone say of=test"
    )
    with pytest.raises(BadDataset, match="no item left in 'test'"):
        subset(FILMS, listed(*part(10).ids), without=True, of="test").load()
    with pytest.raises(MissingAsset, match=r"none.txt does not exist; .* a file of ids: one a line, a JSON list"):
        subset(FILMS, tmp_path / "none.txt").load()


def test_as_a_specification(listed):
    file = listed("mnist5k-test-00000")
    parent = resolve("mnist5k").load().split("test")
    ids = parent.ids[:3]
    file = listed(*ids)
    entry = resolve(f"subset:mnist5k?ids={file}&of=test&test=3")
    assert entry.name == f"subset:mnist5k?ids={file}&of=test&test=3"
    assert entry.load().split("test").ids == ids
    assert resolve(f"subset:mnist5k?without={file}&of=test").load().split("test").ids == parent.ids[3:]
    with pytest.raises(BadDataset, match="has 3 items in 'test', expected 4"):
        resolve(f"subset:mnist5k?ids={file}&of=test&test=4").load()
    for query in ("of=test", f"ids={file}&without={file}"):
        with pytest.raises(BadSpec, match="choose one of ids=FILE and without=FILE"):
            resolve(f"subset:mnist5k?{query}")


def test_the_identity_follows_the_list(listed, own_notes):
    one = subset(FILMS, listed("10")).identity()
    others = {subset(FILMS, listed("10"), without=w, of=of).identity() for w in (False, True) for of in ("all", "test")}
    assert one in others
    assert len(others) == 4
    assert subset(FILMS, listed("10", "11")).identity() not in others
