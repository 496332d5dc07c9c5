import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from mmbench.probes.labelling import class_first, one_to_one, overlap

COUNTS = st.integers(2, 7).flatmap(lambda k: arrays(np.int64, (k, k), elements=st.integers(0, 50)))


def hits(counts, names):
    return counts[names, np.arange(counts.shape[1])].sum()


def test_two_classes_in_one_cluster():
    # D-04b: classes of 10 and 9 rows share cluster 0; cluster 1 is empty of both
    labels, clusters = np.repeat([0, 1], [10, 9]), np.zeros(19, dtype=int)
    counts = overlap(labels, clusters, 2)
    assert counts.tolist() == [[10, 0], [9, 0]]
    paper, code = one_to_one(counts), class_first(counts)
    assert (paper[clusters] == labels).mean() == pytest.approx(10 / 19)
    assert (code[clusters] == labels).mean() == pytest.approx(9 / 19)  # the higher class number has the cluster


def test_a_cluster_that_no_class_takes_is_named_0_by_the_code():
    counts = np.array([[5, 0, 0], [4, 0, 3], [0, 1, 0]])
    assert class_first(counts).tolist() == [1, 2, 0]  # cluster 2 goes to class 0, though its rows are of class 1
    assert one_to_one(counts).tolist() == [0, 2, 1]


def test_ties_go_to_the_lower_class_then_cluster():
    assert one_to_one(np.full((3, 3), 4)).tolist() == [0, 1, 2]
    assert class_first(np.full((3, 3), 4)).tolist() == [2, 0, 0]


@given(COUNTS)
def test_one_to_one_names_each_cluster_once(counts):
    assert sorted(one_to_one(counts)) == list(range(len(counts)))


@given(COUNTS)
def test_greedy_lies_between_half_the_best_matching_and_the_best(counts):
    best = counts[linear_sum_assignment(counts, maximize=True)].sum()
    assert best / 2 <= hits(counts, one_to_one(counts)) <= best


@given(COUNTS)
def test_code_names_as_the_slow_walk_does(counts):
    """The released walk over all pairs: classes are closed, clusters are not."""
    taken = {}
    for label, cluster in sorted(np.ndindex(counts.shape), key=lambda pair: -counts[pair]):
        taken.setdefault(label, cluster)
    names = [max((c for c, k in taken.items() if k == cluster), default=0) for cluster in range(len(counts))]
    assert class_first(counts).tolist() == names


@hypothesis_settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_renamed_clusters_keep_their_classes_where_no_overlaps_tie(seed):
    rng = np.random.default_rng(seed)
    counts, names = rng.permutation(25).reshape(5, 5), rng.permutation(5)
    for label in (one_to_one, class_first):
        np.testing.assert_array_equal(label(counts[:, names]), label(counts)[names])


@hypothesis_settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_one_to_one_does_not_depend_on_class_numbers(seed):
    rng = np.random.default_rng(seed)
    counts, names = rng.permutation(25).reshape(5, 5), rng.permutation(5)
    moved = np.empty_like(counts)
    moved[names] = counts
    np.testing.assert_array_equal(one_to_one(moved), names[one_to_one(counts)])
