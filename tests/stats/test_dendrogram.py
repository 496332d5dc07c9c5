"""Average linkage by joins: scipy's cophenetic distances, heights as means of distances, and what a tie does."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from mmbench.stats.dendrogram import cophenetic, count_of, first_stranger, joins, mask, slope, together

N = 7
PAIRS = list(itertools.combinations(range(N), 2))
DISTANCES = st.lists(st.floats(0.01, 2.0), min_size=len(PAIRS), max_size=len(PAIRS), unique=True).map(np.array)
SETS = st.sets(st.integers(0, N - 1), min_size=2, max_size=N - 1)


@given(DISTANCES, SETS)
def test_heights_are_scipys_cophenetic_distances(distances, members):
    """All of a set are together at its largest cophenetic distance; a stranger comes at the smallest across."""
    apart = squareform(cophenet(linkage(distances, "average")))
    own, others = sorted(members), sorted(set(range(N)) - members)
    tree = list(joins(distances))
    assert together(tree, mask(own)).height == pytest.approx(apart[np.ix_(own, own)].max())
    assert first_stranger(tree, mask(own), mask(others)).height == pytest.approx(apart[np.ix_(own, others)].min())


@given(DISTANCES)
def test_a_height_is_the_mean_distance_across(distances):
    square = squareform(distances)
    for join in joins(distances):
        one, other = ([thing for thing in range(N) if side >> thing & 1] for side in (join.one, join.other))
        assert join.height == pytest.approx(square[np.ix_(one, other)].mean())
        assert join.height == pytest.approx(slope(join, N) @ distances)


@settings(max_examples=30)
@given(DISTANCES, SETS)
def test_the_slope_is_the_derivative(distances, members):
    """By differences so small that no other join comes first."""
    join = together(joins(distances), mask(members))
    for pair, exact in enumerate(slope(join, N)):
        step = np.zeros(len(PAIRS))
        step[pair] = 1e-9
        up, down = (together(joins(distances + sign * step), mask(members)).height for sign in (1, -1))
        if min(np.diff(np.sort(distances))) > 1e-7:
            assert (up - down) / 2e-9 == pytest.approx(exact, abs=1e-4)


def test_a_known_tree():
    """Two and one, then three: 0 and 1 at 1, then 2 at (4 + 6) / 2."""
    tree = list(joins(np.array([1.0, 4.0, 6.0])))
    assert [(join.one | join.other, join.height) for join in tree] == [(0b011, 1.0), (0b111, 5.0)]
    assert count_of(np.zeros(3)) == 3


def test_a_height_jumps_at_a_tie():
    """Which of two equal distances is joined first decides where the third thing comes: average linkage is not
    continuous, so the tangent of a height says nothing about the other side."""
    first = together(joins(np.array([1.0 - 1e-9, 2.0, 1.0])), mask([0, 1])).height
    other = together(joins(np.array([1.0 + 1e-9, 2.0, 1.0])), mask([0, 1])).height
    assert (first, other) == (pytest.approx(1.0), pytest.approx(1.5))


@pytest.mark.parametrize("things", [2, 3, 6, 15])
def test_many_trees_at_once_are_scipys_one_by_one(things):
    """Also of negative distances, which redrawn correlations above 1 give and scipy refuses: heights move along."""
    rows = np.random.default_rng(things).random((60, things * (things - 1) // 2))
    wanted = np.array([cophenet(linkage(row, "average")) for row in rows])
    np.testing.assert_allclose(cophenetic(rows), wanted)
    np.testing.assert_allclose(cophenetic(rows - 0.5), wanted - 0.5)
