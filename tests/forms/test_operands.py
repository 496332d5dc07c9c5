"""The best or worst of a group as an operand, and parts asked of some datasets or protocols only."""

import pytest

from mmbench.conditions import cells_of, constant, mean, printed
from mmbench.forms import BY_BOTH, Above, AtMost, Best, Bottom, Each, On, Scope, Top, Wins
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.spectral import CLUSTERING
from mmbench.protocol import PRINTED, Cell

GROUPS = {"pair": ("a", "b")}
SCOPE = Scope((CLUSTERING,), ("x", "y"), ("a", "b", "c"), GROUPS)


def truth(form, scores, scope=SCOPE):
    """``scores``: model to its values on x and y, under clustering."""
    values = {Cell(CLUSTERING, m, d): v for m, row in scores.items() for d, v in zip("xy", row, strict=True)}
    return form.compile(scope).truth(values)


def test_the_best_is_the_best_mean_not_the_mean_of_the_best():
    scores = {"a": (10, 0), "b": (0, 10), "c": (6, 6)}
    assert truth(Above("c", Top("pair")), scores)
    assert not truth(Above("c", Top("pair"), each=BY_BOTH), scores)


def test_best_and_worst_bracket_the_group_s_mean():
    scores = {"a": (1, 1), "b": (3, 3), "c": (2, 2)}
    assert truth(AtMost(Bottom("pair"), "c"), scores)
    assert truth(AtMost("c", Top(("a", "b"))), scores)
    assert not truth(Above(Bottom("pair"), "c"), scores)
    assert not truth(Above("c", Top("pair")), scores)
    assert truth(AtMost("c", "pair"), scores)


def test_best_against_best_takes_any_winner():
    scope = Scope((CLUSTERING,), ("x", "y"), (), {"pair": ("a", "b"), "rivals": ("c", "d")})
    scores = {"a": (0, 0), "b": (5, 5), "c": (4, 4), "d": (1, 1)}
    assert truth(Above(Top("pair"), Top("rivals")), scores, scope)
    scores["d"] = (6, 6)
    assert not truth(Above(Top("pair"), Top("rivals")), scores, scope)


def test_on_narrows_to_its_datasets():
    scores = {"a": (2, 0), "b": (1, 9), "c": (0, 0)}
    assert truth(On(Best("a"), ("x",)), scores)
    assert not truth(Best("a"), scores)
    asked = cells_of(On(Best("a"), ("x",)).compile(SCOPE))
    assert {cell.dataset for cell in asked} == {"x"}


def test_each_asks_at_every_point():
    part = Wins((Above("a", "b"), Above("a", "c")), at_least=1)
    scores = {"a": (2, 2), "b": (1, 9), "c": (9, 1)}
    assert truth(Each(part), scores)
    scores["c"] = (9, 9)
    assert not truth(Each(part), scores)


def test_a_form_over_printed_numbers_alone_is_asked_once():
    form = Above(printed("n", "all"), constant(3.0))
    node = form.compile(Scope())
    assert len(list(node.leaves())) == 1
    assert node.truth({Cell(PRINTED, "n", "all"): 2.0}) is False


def test_protocols_can_be_narrowed_too():
    both = Scope((CLUSTERING, FEW_SHOT), ("x",))
    asked = cells_of(On(Above("a", "b"), protocols=(FEW_SHOT,)).compile(both))
    assert {cell.protocol for cell in asked} == {FEW_SHOT}


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Above(Top("pair"), "c"), "the best of pair above c"),
        (AtMost("c", Bottom(("a", "b"))), "c at most the worst of a, b"),
        (On(Above("a", "b", by=-0.5), ("x",)), "on x: a above b less 0.5"),
        (Wins((Above("a", "b"),), 1, of="races"), "at least 1 of 1 races"),
        (Each(Above("a", "b"), ("dataset",)), "a above b, for each dataset"),
    ],
)
def test_they_say_themselves(form, words):
    assert form.words() == words


def test_a_mean_weighs_repeated_cells_once_each():
    one, two = printed("k", "1"), printed("k", "2")
    term = mean([one, two, two, constant(8.0)])
    assert term.value({Cell(PRINTED, "k", "1"): 4.0, Cell(PRINTED, "k", "2"): 2.0}) == pytest.approx(4.0)
