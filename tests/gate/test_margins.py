"""Margins of the gate: the defaults, what is laid over them, and what is refused."""

import pytest

from mmbench.errors import BadSpec, UnknownName
from mmbench.gate.decision import DEFAULT_MARGINS, Margins
from mmbench.metrics import METRICS


def test_every_metric_has_a_default_margin() -> None:
    """Stated are those whose error rates are simulated; any other metric has the same share of its range."""
    assert set(DEFAULT_MARGINS) == {"accuracy", "f1_samples"}
    assert {name: Margins().of(name) for name in ("attack_success", "rdm_pearson")} == {
        "attack_success": 5.0,
        "rdm_pearson": 0.1,
    }
    assert Margins().of("accuracy") == 5.0
    assert Margins().of("f1_samples") == 0.05


def test_margins_given_are_laid_over_the_defaults() -> None:
    found = Margins.parse(["f1_samples=0.03"])
    assert found.of("f1_samples") == 0.03
    assert found.of("accuracy") == DEFAULT_MARGINS["accuracy"]
    assert Margins.parse([]) == Margins()


def test_a_bare_number_is_taken_where_one_unit_only_has_such_a_range() -> None:
    given = Margins.parse(["2"])
    assert {metric.name for metric in METRICS if given.of(metric.name) == 2.0} == {
        metric.name for metric in METRICS if metric.unit == "%"
    }
    assert given.of("f1_samples") == 0.05
    assert given.of("rdm_pearson") == 0.1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["0.5"], "'0.5' could be of several metrics; write accuracy=0.5, "),
        (["0.5"], " mean_per_class=0.5, meteor=0.5, nmi=0.5, "),
        (["200"], "'200' fits no metric: accuracy from 0 to 100, "),
        (["200"], " mean_per_class from 0 to 100, meteor from 0 to 1, nmi from 0 to 1, "),
        (["-1"], "'-1' fits no metric"),
        (["nan"], "'nan' fits no metric"),
        (["accuracy=two"], "'accuracy=two' ends in no number; write METRIC=NUMBER, for example accuracy=2"),
        (["accuracy"], "'accuracy' ends in no number"),
        ([""], "'' ends in no number"),
        (["accuracy=-1"], "accuracy=-1 is out of range: give at least 0 and less than 100"),
        (["accuracy=100"], "accuracy=100 is out of range"),
        (["accuracy=nan"], "accuracy=nan is out of range"),
        (["accuracy=inf"], "accuracy=inf is out of range"),
        (["f1_samples=2"], "f1_samples=2 is out of range: give at least 0 and less than 1"),
        (["accuracy=2", "accuracy=3"], "'accuracy=3': accuracy is 2 already; give it once"),
        (["accuracy=2", "3"], "'3': accuracy is 2 already"),
    ],
)
def test_bad_margins_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(BadSpec) as caught:
        Margins.parse(texts)
    assert message in str(caught.value)


@pytest.mark.parametrize("make", [lambda: Margins.parse(["acuracy=2"]), lambda: Margins({"acuracy": 2.0})])
def test_a_misspelt_metric_is_told_the_nearest(make) -> None:
    with pytest.raises(UnknownName, match=r"no metric named 'acuracy'\. Did you mean 'accuracy'\?"):
        make()
