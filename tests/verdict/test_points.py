"""Signs are no tests: what decides by test, what by sign alone, and where both meet."""

import pytest

from mmbench.claims import CLAIMS, Printed
from mmbench.errors import BadScores
from mmbench.forms import Above, All, Any, AtLeast, OnPar
from mmbench.verdict import Published, judge

from .made_claims import claim, print_of

SPREAD, BARE = {"std": 0.2, "n": 5}, {}
LEADS = All((Above("a", "b"), Above("a", "c")))


def on_print(form, **numbers):
    return judge(claim(form, **print_of(**numbers)), Published())


@pytest.mark.parametrize(("a", "outcome"), [(66, "supported"), (60, "refuted"), (59, "refuted")])
def test_exact_numbers_are_tested_exactly(a, outcome) -> None:
    found = on_print(Above("a", "b"), a=Printed(a, exact=True), b=Printed(60, exact=True))
    assert (found.outcome, found.point) == (outcome, False)
    assert (found.low, found.high) == (a - 60, a - 60)
    assert {found.p_support, found.p_refute} == {0.0, 1.0}


def test_sums_of_exact_decimals_tie_in_spite_of_binary_dust() -> None:
    found = on_print(OnPar("a", "b", within=0.3), a=Printed(0.1, exact=True), b=Printed(0.4, exact=True))
    assert found.outcome == "supported"  # 0.4 - 0.1 is 0.30000000000000004 in binary


def test_exact_numbers_do_not_erase_the_spread_beside_them() -> None:
    near = on_print(AtLeast("a", 60.0), a=Printed(60.1, **SPREAD))
    both = on_print(
        All((AtLeast("a", 60.0), Above("b", "c"))),
        a=Printed(60.1, **SPREAD),
        b=Printed(2, exact=True),
        c=Printed(1, exact=True),
    )
    assert both.outcome == near.outcome == "inconclusive"
    assert both.low == pytest.approx(near.low)  # the other bound pays for two comparisons


def test_a_score_without_spread_is_decided_by_its_sign_and_has_no_p_value() -> None:
    """The planted liar of an audit: a lead of a thousandth without any spread is no test."""
    found = on_print(Above("a", "b"), a=Printed(60.001), b=Printed(60.0, **SPREAD))
    assert (found.outcome, found.point) == ("supported", True)
    assert found.p_support is found.p_refute is found.low is found.high is None
    assert "decided by the sign of the margin, which is no test" in found.note


def test_a_tested_part_that_is_open_keeps_a_conjunction_open() -> None:
    """Before, one number without spread turned the whole claim into signs, and this was supported."""
    close = {"a": Printed(60.1, **SPREAD), "b": Printed(60.0, **SPREAD)}
    found = on_print(LEADS, **close, c=Printed(50.0))
    assert (found.outcome, found.point) == ("inconclusive", False)
    assert found.low < 0 < found.high
    assert "1 of 3 printed numbers have no spread" in found.note
    assert [(part.outcome, part.p_support is None) for part in found.parts] == [
        ("inconclusive", False),
        ("supported", True),
    ]


def test_what_tests_decide_alone_is_no_point() -> None:
    lost = on_print(LEADS, a=Printed(50.0, **SPREAD), b=Printed(60.0, **SPREAD), c=Printed(40.0))
    assert (lost.outcome, lost.point) == ("refuted", False)
    won = on_print(
        Any((Above("a", "b"), Above("a", "c"))), a=Printed(60.0, **SPREAD), b=Printed(50.0, **SPREAD), c=Printed(70.0)
    )
    assert (won.outcome, won.point) == ("supported", False)


def test_a_conjunction_of_a_test_and_a_sign_is_a_point() -> None:
    found = on_print(LEADS, a=Printed(60.0, **SPREAD), b=Printed(50.0, **SPREAD), c=Printed(40.0))
    assert (found.outcome, found.point, found.p_support) == ("supported", True, None)
    by_sign = on_print(LEADS, a=Printed(60.0, **SPREAD), b=Printed(50.0, **SPREAD), c=Printed(70.0))
    assert (by_sign.outcome, by_sign.point) == ("refuted", True)


def test_an_exact_number_with_a_spread_is_refused() -> None:
    with pytest.raises(BadScores, match="an exact number is a count or a size and has no spread"):
        Printed(3, std=0.1, n=5, exact=True)


def test_the_catalogues_counts_are_tests_and_its_bare_scores_are_points() -> None:
    found = {c.id: judge(c, Published()) for c in CLAIMS if c.published and c.expect is not None and not c.made_up}
    exact = {
        "devillers2021-training-size-ordering",
        "devillers2021-visual-vocabulary-counts",
        "bielawski2022-plotster-counts",
    }
    assert {(found[name].outcome, found[name].point, str(found[name].about)) for name in exact} == {
        ("supported", False, "exact numbers")
    }
    for name in ("clip2021-yfcc-filter", "cyclegan2022-data-budget"):
        assert (found[name].outcome, found[name].point) == ("supported", False), name
    points = {name for name, verdict in found.items() if verdict.point}
    assert {"hu2022-wic-clip-above-gpt2", "bielawski2022-clipcap-training-cost", "clip2021-celeba"} <= points
    assert all(found[name].p_support is None for name in points)
    assert found["bielawski2022-size-disadvantage"].outcome == "inconclusive"  # sizes are exact, one lead is open
