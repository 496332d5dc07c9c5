"""What items were made from: how groups are given, what is refused, and what derived datasets keep."""

import dataclasses

import numpy as np
import pytest

from mmbench import contract_checks
from mmbench.datasets.derived import masked, renamed, restricted, trained_on
from mmbench.datasets.entry import DATASETS, Split
from mmbench.datasets.groups import Groups, grouped, of_rows
from mmbench.datasets.masks import MASKS
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec


@pytest.mark.parametrize(
    ("things", "expected"),
    [
        (["b", "a", "b"], [0, 1, 0]),
        (["a", None, "a", None], [0, -1, 0, -1]),
        ([("a", "b"), ("b", "c")], [[0, 1], [1, 2]]),
        ([("a", "b", "c"), ("b",)], [[0, 1, 2], [1, -1, -1]]),
        ([("a", "a"), ("a",)], [0, 0]),
        ([["a"], None, ["a", "c"]], [[0, -1], [-1, -1], [0, 1]]),
    ],
)
def test_groups_from_what_items_were_made_of(things, expected):
    found = grouped(things, "persons")
    assert found.of.tolist() == expected
    assert found.of.dtype == np.int64
    assert (found.kind, len(found)) == ("persons", len(things))


@pytest.mark.parametrize("things", [["a", "b"], [None, None], [("a", "b"), ("c", "d")], [("a", "a"), ("b", "b")], []])
def test_items_that_share_nothing_have_no_groups(things):
    assert grouped(things, "persons") is None


@pytest.mark.parametrize(
    ("of", "kind", "message"),
    [
        ([0, 0], "persons", "must be int64 .n. or .n, k., got list"),
        (np.zeros(3), "persons", r"got float64 \[3\]"),
        (np.zeros((2, 5), np.int64), "persons", r"joins 2 to 4 things, got groups of shape \[2, 5\]"),
        (np.array([0, 0, -2]), "persons", "numbered from 0 .-1: none., got -2"),
        (np.array([0, 0]), " ", "plural word"),
        (np.arange(3), "persons", "no two of 3 items share one of their persons; leave the groups out"),
    ],
)
def test_other_groups_are_refused(of, kind, message):
    with pytest.raises(BadDataset, match=message):
        Groups(of, kind)


def test_too_many_things_and_too_few_items_are_refused():
    with pytest.raises(BadDataset, match="an item is made of 5 films; groups hold at most 4"):
        grouped([tuple("abcde"), ("a",)], "films")
    with pytest.raises(BadDataset, match="expected groups for each of 3 items, got them for 2"):
        Split(("x", "y", "z"), np.zeros(3, np.int64), groups=grouped(["a", "a"], "films"))


@pytest.mark.parametrize(
    ("name", "width", "number"), [("categories", None, 194), ("sentiment", 2, 87), ("posters", 3, 135)]
)
def test_drawings_that_several_items_show(name, width, number):
    """Views of one concept; pairs of two; posters of up to three: as the ids of their items say."""
    split = DATASETS.get(name).load().split("test")
    assert split.groups.kind == "concepts"
    assert (split.groups.of.shape[1] if width else None) == width
    assert len(np.unique(split.groups.of[split.groups.of >= 0])) == number


def test_views_of_one_drawing_have_one_group():
    split = DATASETS.get("categories").load().split("test")
    drawings = [item.rsplit("-", 1)[0] for item in split.ids]
    for drawing in set(drawings):
        rows = [row for row, shown in enumerate(drawings) if shown == drawing]
        assert len(set(split.groups.of[rows])) == 1


@pytest.mark.parametrize("name", ["concepts", "flags", "clothing", "mnist5k", "title_cards", "street_digits"])
def test_items_that_are_independent_in_their_classes_have_no_groups(name):
    assert DATASETS.get(name).load().split("test").groups is None


# Datasets made of others


def same(found, expected):
    assert found.kind == expected.kind
    assert np.array_equal(found.of, expected.of)


def test_derived_datasets_keep_the_groups_of_their_items():
    parent = DATASETS.get("categories")
    whole = parent.load().split("test")
    for entry in (masked(parent, MASKS.get("grey")), renamed(parent, [f"c{i}" for i in range(8)], where="names")):
        same(entry.load().split("test").groups, whole.groups)
    same(trained_on(parent, tested_on=parent).load().split("test").groups, whole.groups)
    classes = parent.load().classes[2:4]
    some = restricted(parent, classes).load().split("test")
    rows = [whole.ids.index(item) for item in some.ids]
    assert len(rows) == 150
    same(some.groups, of_rows(whole.groups, rows))


def test_variants_of_a_poster_pair_and_have_the_same_groups():
    plain, bare = (DATASETS.get(name).load().split("test") for name in ("posters", "posters_title_masked"))
    assert plain.digest() == bare.digest()
    same(plain.groups, bare.groups)


def test_a_part_in_which_nothing_is_shared_has_no_groups():
    groups = grouped(["a", "a", "b", "c"], "persons")
    assert of_rows(groups, [1, 2, 3]) is None
    assert of_rows(None, [0]) is None
    same(of_rows(groups, [0, 1, 3]), Groups(np.array([0, 0, 2]), "persons"))


# From files


CSV = """split,text,kind,person,group
train,a,x,p,1
train,b,y,q,2
test,c,x,p,1
test,d,y,p,
test,e,y,q|p,1
test,f,y,r,
"""


def test_a_table_gives_groups_by_a_column(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text(CSV)
    usual = resolve(f"table:{file}?text=text&label=kind")
    by_person = resolve(f"table:{file}?text=text&label=kind&group=person")
    same(usual.load().split("test").groups, Groups(np.array([0, -1, 0, -1]), "values of 'group'"))
    several = Groups(np.array([[0, -1], [0, -1], [1, 0], [2, -1]]), "values of 'person'")
    same(by_person.load().split("test").groups, several)
    assert by_person.load().split("train").groups is None
    assert usual.identity() != by_person.identity()
    with pytest.raises(BadDataset, match="line 2 has no column 'persons'"):
        resolve(f"table:{file}?text=text&label=kind&group=persons").load()
    with pytest.raises(BadSpec):
        resolve(f"table:{file}?text=text&label=kind&groups=person")


def test_a_list_in_a_table_of_json_names_several_things(tmp_path):
    file = tmp_path / "t.jsonl"
    rows = ['"text": "a", "kind": "x", "group": ["p", "q"]', '"text": "b", "kind": "y", "group": ["q"]']
    file.write_text("\n".join('{"split": "test", ' + row + "}" for row in rows))
    found = resolve(f"table:{file}?text=text&label=kind").load().split("test").groups
    assert found.of.tolist() == [[0, 1], [1, -1]]


# The contract


def broken(entry, groups):
    dataset = entry.load()
    test = dataclasses.replace(dataset.split("test"), groups=groups)
    changed = dataclasses.replace(dataset, splits=dataset.splits | {"test": test})
    return dataclasses.replace(entry, load=lambda: changed)


def test_the_contract_looks_at_groups():
    entry = DATASETS.get("categories")
    contract_checks.groups_fit(entry)
    of = entry.load().split("test").groups.of
    with pytest.raises(AssertionError, match="one word"):
        contract_checks.groups_fit(broken(entry, Groups(of, "drawings")))
    most = np.where(np.arange(len(of)) < 400, 0, 1 + np.arange(len(of)))
    with pytest.raises(AssertionError, match="is in most items"):
        contract_checks.groups_fit(broken(entry, Groups(most, "concepts")))
