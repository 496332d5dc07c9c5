"""Dendrogram forms: what holds of scipy's tree, planted tables, refusals, and how often a verdict at a tie is false."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from mmbench.calibration.planted_evidence import plant
from mmbench.claims import Claim, Place
from mmbench.errors import BadForm
from mmbench.forms import Clusters, Form, JoinedBelow, Not, Scope
from mmbench.probes.rdm import RSA
from mmbench.protocol import Cell, Roles
from mmbench.scores import Scores
from mmbench.verdict import Measured, judge, judging

NAMES = tuple("abcdef")
PAIRS = tuple(Roles(*pair) for pair in itertools.combinations(NAMES, 2))
SCOPE = Scope((RSA,), ("imagenet",), PAIRS)
GROUPS = (("a", "b"), ("a", "b", "c"), ("d", "e"))
# Where two joins tie, scipy's order and ours differ, and both trees are right: as good as never with random numbers.
WITHOUT_TIES = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).uniform(-0.2, 0.99, 15).tolist())
CORRELATIONS = st.lists(st.floats(-0.2, 0.99), min_size=15, max_size=15, unique=True)


def cells(names=NAMES):
    return [Cell(RSA, Roles(*pair), "imagenet") for pair in itertools.combinations(names, 2)]


def table(values):
    return dict(zip(cells(), values, strict=True))


def heights(values):
    return squareform(cophenet(linkage(1 - np.array(values), "average")))


@given(CORRELATIONS, st.floats(0.05, 1.2))
def test_joined_below_is_scipys_height(values, height):
    leaf = JoinedBelow(NAMES, ("a", "c", "f"), height).compile(SCOPE)
    found = heights(values)[np.ix_([0, 2, 5], [0, 2, 5])].max()
    assert leaf.margin(table(values)) == pytest.approx(height - found)
    assert leaf.tangent(table(values)).value(table(values)) == pytest.approx(height - found)


@given(CORRELATIONS)
def test_a_group_is_a_cluster_where_scipys_tree_has_it(values):
    """By the sets of leaves under scipy's nodes, which heights are not used for."""
    sets = [frozenset([i]) for i in range(6)]
    for one, other, *_ in linkage(1 - np.array(values), "average"):
        sets.append(sets[int(one)] | sets[int(other)])
    node = Clusters(NAMES, GROUPS).compile(SCOPE)
    for leaf, group in zip(node.leaves(), GROUPS, strict=True):
        assert (leaf.margin(table(values)) > 0) == (frozenset(map(NAMES.index, group)) in sets)


@given(WITHOUT_TIES)
def test_the_parts_are_those_of_the_margin(values):
    forms = (
        JoinedBelow(NAMES, ("a", "c", "f"), 0.3),
        Clusters(NAMES, GROUPS),
        Clusters(NAMES, (("a", "b"),), ("d", "e")),
    )
    for form in (*forms, *map(Not, forms)):
        for leaf in form.compile(SCOPE).leaves():
            parts = leaf.margins(np.array([values]))[0]
            assert (parts.max() if leaf.largest_margin else parts.min()) == pytest.approx(leaf.margin(table(values)))


def test_strangers_narrow_who_must_stay_away():
    """d joins a before b does; b and c never matter."""
    values = [0.5 if {"a", "b"} == {*pair} else 0.9 if {"a", "d"} == {*pair} else 0.1 for pair in PAIRS]
    assert Clusters(NAMES, (("a", "b"),)).compile(SCOPE).truth(table(values)) is False
    assert Clusters(NAMES, (("a", "b"),), strangers=("a", "b", "c", "e")).compile(SCOPE).truth(table(values)) is True


@pytest.mark.parametrize(
    "form",
    [JoinedBelow(NAMES, ("a", "b", "c"), 0.2), Clusters(NAMES, GROUPS), Clusters(NAMES, (("a", "b"),), ("c", "d"))],
    ids=["joined", "groups", "apart"],
)
@pytest.mark.parametrize("satisfied", [True, False])
def test_tables_are_planted(form, satisfied):
    for each in (form, Not(form)):
        node = each.compile(SCOPE)
        assert node.truth(plant(node, satisfied, low=-0.5, high=0.99)) is satisfied


def test_correlations_beyond_one_are_only_redrawn_ones():
    """A redraw may exceed 1: all distances then move together."""
    values = np.array([[1.02, 0.9, *[0.1] * 13]])
    leaf = JoinedBelow(NAMES, ("a", "b"), 0.2).compile(SCOPE)
    assert leaf.margins(values).min() == pytest.approx(0.22)


def test_it_says_itself():
    assert JoinedBelow(NAMES, ("a", "b"), 0.2).words() == (
        "in the dendrogram of 6 models a, b are joined at 0.2 or below"
    )
    assert Clusters(NAMES, (("a", "b"), ("c", "d")), ("e",)).words() == (
        "in the dendrogram of 6 models each is a cluster apart from e: a, b; c, d"
    )


@pytest.mark.parametrize(
    ("form", "scope", "message"),
    [
        (
            JoinedBelow(NAMES, ("a", "b"), 0.2),
            Scope((RSA,), ("imagenet",), PAIRS[:-1]),
            "every two of them as a pair, .* among the claim's models; 1 are missing, the first e\\+f",
        ),
        (
            JoinedBelow(NAMES, ("a", "b"), 0.2),
            Scope((RSA,), ("imagenet", "cub"), PAIRS),
            "one protocol on one dataset, found 1 and 2",
        ),
        (JoinedBelow(NAMES, ("a", "z"), 0.2), SCOPE, "some of the models of the dendrogram, .*; found a, z"),
        (JoinedBelow(NAMES, ("a",), 0.2), SCOPE, "two members or more to be joined, found a"),
        (Clusters(NAMES, (NAMES,)), SCOPE, "two members or more and a model apart from them, found a, b"),
        (Clusters(NAMES, (("a", "a"),)), SCOPE, "each once; found a, a"),
    ],
)
def test_what_cannot_be_asked_is_refused(form, scope, message):
    with pytest.raises(BadForm, match=message):
        form.compile(scope)


# Verdicts


def scores_of(values, se, rng, names=NAMES, examples=200):
    """Pseudo-values of classes with these true correlations, each mean with this standard error."""
    errors = rng.standard_normal((len(values), examples)) * se * np.sqrt(examples)
    return {
        cell: Scores((value + error)[None].astype(np.float32), "rdm_pearson", "classes", 0.0)
        for cell, value, error in zip(cells(names), values, errors, strict=True)
    }


def outcome(form: Form, scores, names=NAMES):
    models = tuple(cell.models for cell in scores)
    made = Claim("study-claim", "A sentence.", Place("study"), form, (RSA,), ("imagenet",), models)
    return judge(made, Measured(scores.__getitem__)).outcome


def clear(inside, across):
    return [inside if {*pair} <= {"a", "b", "c"} else across for pair in itertools.combinations(NAMES, 2)]


def test_clear_groups_are_decided_both_ways():
    rng = np.random.default_rng(0)
    form = Clusters(NAMES, (("a", "b", "c"),))
    assert outcome(form, scores_of(clear(0.8, 0.3), 0.02, rng)) == "supported"
    spoilt = [0.9 if {*pair} == {"a", "d"} else r for pair, r in zip(PAIRS, clear(0.5, 0.2), strict=True)]
    assert outcome(form, scores_of(spoilt, 0.02, rng)) == "refuted"
    anyone = scores_of(clear(0.3, 0.8), 0.02, rng)  # all three strangers are nearer, and which comes first is chance
    assert outcome(form, anyone) in ("refuted", "inconclusive")
    joined = JoinedBelow(NAMES, ("a", "b", "c"), 0.4)
    assert outcome(joined, scores_of(clear(0.8, 0.3), 0.02, rng)) == "supported"
    assert outcome(joined, scores_of(clear(0.4, 0.3), 0.02, rng)) == "refuted"


def test_an_order_that_could_be_another_is_left_open():
    """a is nearer to b than to d by a tenth of a standard error: the margin is large, and the tree may be another."""
    values = dict(zip(itertools.combinations(NAMES, 2), [0.1] * 15, strict=True)) | {("a", "b"): 0.802, ("a", "d"): 0.8}
    form = Clusters(NAMES, (("a", "b"),))
    scores = scores_of(values.values(), 0.02, np.random.default_rng(3))
    centred = {
        cell: Scores((s.outcomes - s.outcomes.mean() + v).astype(np.float32), "rdm_pearson", "classes", 0.0)
        for (cell, s), v in zip(scores.items(), values.values(), strict=True)
    }
    node = form.compile(Scope((RSA,), ("imagenet",), tuple(cell.models for cell in centred)))
    assert node.margin({cell: s.mean for cell, s in centred.items()}) > 0.3
    assert outcome(form, centred) == "inconclusive"


def at_a_tie(kind):
    """True correlations of four models at the border of ``a, b are a cluster``, by a tie of two or of more."""
    r = dict.fromkeys(itertools.combinations("abcd", 2), 0.2)
    if kind == "jump":  # a is as near to c as to b, and c is far from b
        r |= {("a", "b"): 0.8, ("a", "c"): 0.8}
    if kind == "all equal":
        r = dict.fromkeys(r, 0.6)
    return list(r.values())


@pytest.mark.parametrize("kind", ["jump", "all equal"])
def test_at_a_tie_few_verdicts_are_false(kind, monkeypatch):
    """At a tie it is neither clearly a cluster nor clearly none; the tangent alone decides nearly every case there."""
    monkeypatch.setattr(judging, "BROKEN_DRAWS", 150)  # for speed
    form, rng, runs = Clusters(tuple("abcd"), (("a", "b"),)), np.random.default_rng(7), 40
    found = [outcome(form, scores_of(at_a_tie(kind), 0.03, rng, "abcd"), "abcd") for _ in range(runs)]
    assert found.count("supported") <= 6  # of 40 at 5 % a side: P of more is 0.3 %
    assert found.count("refuted") <= 8


@pytest.mark.parametrize("form", [JoinedBelow(NAMES, ("a", "b"), 0.3), Clusters(NAMES, (("a", "b"),))])
def test_a_margin_is_said_in_heights_and_its_name_has_no_loose_end(form):
    rng = np.random.default_rng(0)
    r = {pair: 0.9 if pair == Roles("a", "b") else 0.2 for pair in PAIRS}
    scores = {
        cell: Scores((r[cell.models] + rng.normal(0, 0.1, (1, 50))).astype(np.float32), RSA.metric, "classes", 0.0)
        for cell in cells()
    }
    found = judge(
        Claim("planted-unit", "", Place("planted"), form, (RSA,), ("imagenet",), PAIRS), Measured(scores.__getitem__)
    )
    assert found.unit == "of height"
    assert " of height, one-sided" in found.explain()
    assert "joined of 15 quantities" in found.binding
