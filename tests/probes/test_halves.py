"""Halves of test rows: of every class, of whole groups, the same for every model."""

import numpy as np
import pytest

from mmbench.probes import halves

LABELS = np.repeat(np.arange(4), [20, 10, 7, 1])


def test_half_of_every_class_is_drawn():
    found = halves.draw(LABELS, None, 0, "digest")
    assert len(found) == halves.COUNT
    counts = np.array([np.bincount(LABELS[rows], minlength=4) for rows in found])
    assert (counts[:, :2] == [10, 5]).all()
    assert set(counts[:, 2]) == {3, 4}  # of an odd number, the middle one is in half of the halves
    assert (counts[:, 3] == 1).all()  # a class never runs empty
    assert all((np.diff(rows) > 0).all() for rows in found)
    assert len({tuple(rows) for rows in found}) == halves.COUNT


def test_groups_stay_together_and_half_of_them_are_drawn():
    labels = np.repeat([0, 1], 60)
    groups = np.concatenate([np.repeat(np.arange(20), 3), np.repeat(np.arange(20, 30), 6)])
    for rows in halves.draw(labels, groups, 0, "digest"):
        there = np.isin(np.arange(120), rows)
        assert all(len(set(there[groups == g])) == 1 for g in range(30))
        assert len(set(groups[rows])) == 15
        assert np.bincount(labels[rows]).tolist() == [30, 30]


def test_rows_without_a_group_are_drawn_by_themselves():
    groups = np.array([0, 0, 0, 0, *[-1] * 16])
    rows = [set(found) for found in halves.draw(np.zeros(20, dtype=np.int64), groups, 0, "x")]
    assert all(len(found & {0, 1, 2, 3}) in (0, 4) for found in rows)
    assert {len(found & set(range(4, 20))) for found in rows} <= {7, 8, 9}


def test_the_draw_depends_on_the_seed_and_the_examples_alone():
    first = halves.draw(LABELS, None, 0, "digest")
    for one, other in zip(first, halves.draw(LABELS.copy(), None, 0, "digest"), strict=True):
        assert np.array_equal(one, other)
    for changed in ((0, "other"), (1, "digest")):
        again = halves.draw(LABELS, None, *changed)
        assert not all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert halves.seeds(0) != halves.seeds(1)


@pytest.mark.parametrize("classes", [3, 5])
def test_rows_of_several_labels_are_halved_as_one_class(classes):
    several = np.ones((30, classes), dtype=bool)
    assert {len(rows) for rows in halves.draw(several, None, 0, "x")} == {15}
