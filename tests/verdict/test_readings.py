"""Two readings of a claim: three states, and a test of their difference in pairs."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from mmbench.conditions import Curved, cell
from mmbench.forms import Above, All, Correlates
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.verdict import compare_readings, judge, state_of
from mmbench.verdict.readings import WORDS

from .made_claims import claim, measured, right, scored

CODE = FEW_SHOT.code
ABOVE = Above("a", "b")


def readings(paper, code, form=ABOVE):
    """``paper`` and ``code`` are the outcomes of each model under one reading."""
    scores = {Cell(FEW_SHOT, m, "set"): scored(x) for m, x in paper.items()}
    scores |= {Cell(CODE, m, "set"): scored(x) for m, x in code.items()}
    asked, evidence = claim(form), measured(scores)
    verdicts = judge(asked, evidence), judge(asked, evidence, reading="code")
    return verdicts, compare_readings(asked, evidence, *verdicts)


@pytest.mark.parametrize(
    ("paper", "code", "state"),
    [
        ("supported", "supported", "same"),
        ("refuted", "refuted", "same"),
        ("supported", "refuted", "opposite"),
        ("refuted", "supported", "opposite"),
        ("supported", "inconclusive", "open"),
        ("inconclusive", "refuted", "open"),
        ("inconclusive", "inconclusive", "open"),  # open to open confirms nothing
        ("supported", "unmeasured", "not comparable"),
        ("unmeasured", "unmeasured", "not comparable"),
        ("unmeasured", "inconclusive", "not comparable"),
    ],
)
def test_the_states(paper, code, state) -> None:
    assert state_of(paper, code) == state
    assert state in WORDS


def test_opposite_readings_differ_and_the_difference_is_the_codes_less_the_papers() -> None:
    _, found = readings({"a": right(0.8), "b": right(0.6)}, {"a": right(0.6), "b": right(0.75)})
    assert found.state == "opposite"
    assert found.difference == pytest.approx(-35.0, abs=1e-4)
    assert found.low < found.difference < found.high < 0
    assert found.p < 0.001
    assert not found.elsewhere


def test_supported_beside_inconclusive_may_be_a_difference_of_nothing() -> None:
    """The planted liar: two labels that differ, and two margins, of 4 and 2 points, that do not.

    On the paper's reading b loses 20 examples of 500; on the code's it loses 26 and wins 16.
    """
    a, b, moved = right(0.54), right(0.5), right(0.54)
    moved[:26], moved[300:316] = 0, 1
    (paper, code), found = readings({"a": a, "b": b}, {"a": a, "b": moved})
    assert (paper.outcome, code.outcome, found.state) == ("supported", "inconclusive", "open")
    assert found.difference == pytest.approx(-2.0, abs=1e-4)
    assert found.low < 0 < found.high
    assert 0.15 < found.p < 0.27  # by hand 0.20, two-sided: 2 points, standard error sqrt(62) / 5 = 1.57 points


def test_the_same_label_may_hide_a_difference() -> None:
    _, found = readings({"a": right(0.9), "b": right(0.5)}, {"a": right(0.7), "b": right(0.5)})
    assert found.state == "same"
    assert found.p < 0.001


def test_it_is_paired_by_example() -> None:
    """A model moves by 3 points between the readings on its own examples: clear in pairs, lost in separate samples."""
    paper, code = {"a": right(0.6), "b": right(0.5)}, {"a": right(0.57), "b": right(0.5)}
    _, paired = readings(paper, code)
    shuffled = {m: np.random.default_rng(3).permutation(x) for m, x in code.items()}
    _, apart = readings(paper, shuffled)
    assert paired.difference == pytest.approx(apart.difference, abs=1e-4)
    assert paired.p < 0.05 < apart.p


def test_the_comparison_of_the_paper_is_asked_and_another_one_is_named() -> None:
    form = All((ABOVE, Above("a", "c")))
    paper = {"a": right(0.8), "b": right(0.7), "c": right(0.5)}
    _, same = readings(paper, paper, form)
    assert (same.elsewhere, same.difference) == (False, pytest.approx(0.0, abs=1e-6))
    _, other = readings(paper, {"a": right(0.8), "b": right(0.5), "c": right(0.75)}, form)
    assert other.elsewhere
    assert other.difference == pytest.approx(20.0, abs=1e-4)


def test_correlations_are_not_tested_and_it_is_said() -> None:
    xs, ys = (tuple(cell(FEW_SHOT, m, d) for m in "abcdef") for d in ("set", "other"))
    shares = dict(zip("abcdef", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), strict=True))
    cells = [Cell(p, m, d) for p in (FEW_SHOT, CODE) for d in ("set", "other") for m in shares]
    evidence = measured({c: scored(right(shares[str(c.models)]), examples=c.dataset) for c in cells})
    asked = claim(Correlates(xs, ys, 0.7))
    found = compare_readings(asked, evidence, judge(asked, evidence), judge(asked, evidence, reading="code"))
    assert found.difference is None
    assert found.untested == "what decides (a correlation, a rank) is not linear in its cells"


def test_an_unmeasured_reading_is_not_compared() -> None:
    (_, code), found = readings({"a": right(0.8), "b": right(0.5)}, {"a": right(0.8)})
    assert (code.outcome, found.state, found.difference) == ("unmeasured", "not comparable", None)


def test_real_digits_whose_readings_are_exchanged_differ_in_five_percent() -> None:
    """Two neighbour rules are two readings; an exchange of them by a coin for each example makes them equal in truth.

    400 draws: nominal 5 %, simulation error 1.1 points.
    """
    digits, rng = load_digits(), np.random.default_rng(11)
    known, test = np.arange(300), np.arange(300, 1100)

    def outcomes(x, neighbours):
        rule = KNeighborsClassifier(neighbours).fit(x[known], digits.target[known])
        return (rule.predict(x[test]) == digits.target[test]).astype(np.float32)

    real = {m: (outcomes(x, 1), outcomes(x, 9)) for m, x in (("a", digits.data[:, :40]), ("b", digits.data[:, 24:]))}
    found = []
    for _ in range(400):
        coins = rng.random(len(test)) < 0.5
        paper = {m: np.where(coins, *both) for m, both in real.items()}
        code = {m: np.where(coins, *both[::-1]) for m, both in real.items()}
        found.append(readings(paper, code)[1].p <= 0.05)
    assert 0.02 <= np.mean(found) <= 0.083


def test_a_difference_is_not_tested_where_what_decides_may_jump_between_the_readings() -> None:
    """By its tangents the difference would be sure; heights of a dendrogram jump where the tangents see nothing."""

    class Jumps(Above):
        def compile(self, scope):
            terms = tuple(scope.quantity(name) for name in ("a", "b"))
            return Curved(lambda v: float(v[0] - v[1]), terms, 0.0, parts=lambda drawn: drawn[:, [0]] - drawn[:, [1]])

    outcomes = ({"a": right(0.8), "b": right(0.6)}, {"a": right(0.6), "b": right(0.75)})
    _, found = readings(*outcomes, form=Jumps("a", "b"))
    assert found.state == "opposite"
    assert found.p is None
    assert found.untested == "what decides (joins of a dendrogram) may jump between the two"
