"""Comparisons whose sides know nothing: marked, with the outcome unchanged, and only those."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mmbench.conditions import cell
from mmbench.forms import Above, All, AtLeast, Correlates, OnPar
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.verdict import judge

from .made_claims import at, claim, measured, on_set, right, scored

ABOVE = Above("a", "b")
ATTACK = replace(FEW_SHOT, name="attack", metric="attack_success")


def verdict(form, untrained=None, **scores):
    return judge(claim(form), measured(on_set(scores.items()), untrained))


@pytest.mark.parametrize(
    ("a", "b", "outcome", "marked"),
    [
        (0.10, 0.02, "supported", True),  # the planted liar: a real lead between two that know nothing
        (0.02, 0.10, "refuted", True),
        (0.10, 0.10, "inconclusive", True),
        (0.12, 0.02, "supported", True),  # 2 points above chance, within the noise of 500 examples
        (0.14, 0.02, "supported", False),
        (0.80, 0.10, "supported", False),
        (0.10, 0.80, "refuted", False),
        (0.80, 0.79, "inconclusive", False),
    ],
)
def test_a_comparison_is_marked_where_both_sides_are_at_chance(a, b, outcome, marked) -> None:
    found = verdict(ABOVE, a=scored(right(a)), b=scored(right(b, shift=40)))
    assert found.outcome == outcome
    assert found.uninformative == ("neither side is better than chance" if marked else "")
    assert found.at_chance == marked
    assert ("UNINFORMATIVE: neither side is better than chance" in found.explain()) is marked


@pytest.mark.parametrize(("a", "b", "marked"), [(0.9, 1.0, True), (0.5, 0.9, False), (0.9, 0.5, False)])
def test_where_less_is_better_chance_is_a_high_score(a, b, marked) -> None:
    """An attack that fools every image leaves no more than chance, 0.9 of 1 where a constant answer is right in 0.1."""
    scores = {at(m, ATTACK): scored(right(x), 0.9, "attack_success") for m, x in (("a", a), ("b", b))}
    found = judge(claim(Above("b", "a"), protocols=(ATTACK,)), measured(scores))
    assert bool(found.uninformative) is marked


def test_sides_that_are_no_better_than_the_untrained_network() -> None:
    """0.3 is far above chance, and so is the untrained network."""
    scores = {"a": scored(right(0.32, shift=40)), "b": scored(right(0.3, shift=40))}
    untrained = {at(m): scored(right(0.31)) for m in "ab"}
    found = verdict(ABOVE, untrained, **scores)
    assert found.uninformative == "neither side is better than the untrained network"
    assert not verdict(ABOVE, **scores).uninformative
    assert not verdict(ABOVE, untrained, a=scored(right(0.6)), b=scores["b"]).uninformative


def test_one_side_at_chance_and_the_other_no_better_than_untrained() -> None:
    untrained = {at(m): scored(right(0.31)) for m in "ab"}
    found = verdict(ABOVE, untrained, a=scored(right(0.3)), b=scored(right(0.1)))
    assert found.uninformative == "neither side is better than chance or the untrained network"


def test_the_untrained_network_is_compared_on_the_same_examples() -> None:
    """A lead of 3 points on the same examples is clear in pairs, and lost in the noise of two separate samples."""
    a, b = scored(right(0.33)), scored(right(0.3))
    paired = verdict(ABOVE, {at(m): scored(right(0.3)) for m in "ab"}, a=a, b=b)
    apart = verdict(ABOVE, {at(m): scored(right(0.3), examples="others") for m in "ab"}, a=a, b=b)
    assert (paired.uninformative, bool(apart.uninformative)) == ("", True)


def test_a_threshold_has_one_side_and_is_not_marked() -> None:
    assert not verdict(AtLeast("a", 20.0), a=scored(right(0.1))).uninformative


def test_the_comparison_that_decides_is_marked_and_all_are_counted() -> None:
    scores = {"a": scored(right(0.1)), "b": scored(right(0.08, shift=30)), "c": scored(right(0.6))}
    lost = verdict(All((ABOVE, Above("a", "c"))), **scores)
    assert (lost.outcome, lost.uninformative, lost.at_chance) == ("refuted", "", 1)
    assert "uninformative comparisons: 1 of 2" in lost.explain()
    tied = verdict(All((OnPar("a", "b", within=5), Above("c", "a"))), **scores)
    assert tied.uninformative == "neither side is better than chance"


def test_a_correlation_says_nothing_where_one_list_is_at_chance() -> None:
    xs, ys = (tuple(cell(FEW_SHOT, m, d) for m in "abcdef") for d in ("set", "other"))

    def scores(shares, dataset):
        return {
            at(m, dataset=dataset): scored(right(x), examples=dataset) for m, x in zip("abcdef", shares, strict=True)
        }

    rising, flat = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), (0.1, 0.09, 0.1, 0.08, 0.1, 0.09)
    form = Correlates(xs, ys, 0.7)
    assert not judge(claim(form), measured(scores(rising, "set") | scores(rising, "other"))).uninformative
    found = judge(claim(form), measured(scores(rising, "set") | scores(flat, "other")))
    assert found.uninformative == "no cell of a list is better than chance"


def test_an_unmeasured_verdict_is_not_marked() -> None:
    assert not verdict(ABOVE, a=scored(right(0.1))).uninformative


def answers(x, labels, known, test):
    """The nearest mean of each class, of real digits."""
    means = np.stack([x[known][labels == k].mean(axis=0) for k in range(10)])
    return ((x[test][:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)


def test_real_digits_are_marked_where_the_truth_was_shuffled_and_never_where_it_was_not() -> None:
    """Two halves of the picture as two encoders; answers to other pictures than those that are asked know nothing.

    A side that knows nothing is wrongly found better than chance in at most 5 %, so at least 90 % are marked, with a
    simulation error of 2.1 points over 200 draws.
    """
    digits, rng = load_digits(), np.random.default_rng(7)
    halves = digits.data[:, :32], digits.data[:, 32:]
    marked = {True: 0, False: 0}
    for _ in range(200):
        order = rng.permutation(len(digits.target))
        known, test = order[:100], order[100:500]
        given = [answers(x, digits.target[known], known, test) for x in halves]
        for shuffled in marked:
            truth = rng.permutation(digits.target[test]) if shuffled else digits.target[test]
            share = np.bincount(truth).max() / len(truth)
            a, b = (scored(answer == truth, share) for answer in given)
            marked[shuffled] += bool(verdict(ABOVE, a=a, b=b).uninformative)
    assert marked[True] >= 180 - 2 * 4.2
    assert marked[False] == 0
