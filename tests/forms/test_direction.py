"""What is better by the metric: attack success of 10 % beats 90 %."""

from dataclasses import replace

import pytest

from mmbench.conditions import cell, printed
from mmbench.errors import BadForm, UnknownName
from mmbench.forms import BY_BOTH, POOLED, Above, AtMost, Best, Better, Bottom, Chain, Not, Scope, Top
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.spectral import CLUSTERING
from mmbench.protocol import Cell

ATTACK = replace(FEW_SHOT, name="attack", metric="attack_success")
MODELS = ("weak", "middle", "strong")
SUCCESS = (90.0, 50.0, 10.0)  # of attacks: the strong model is attacked in vain


def truth(form, protocol=ATTACK, values=SUCCESS) -> bool | None:
    scope = Scope((protocol,), ("set",), MODELS, {"all": MODELS})
    return form.compile(scope).truth({Cell(protocol, m, "set"): v for m, v in zip(MODELS, values, strict=True)})


def test_the_best_is_the_one_that_is_attacked_least() -> None:
    assert truth(Best("strong")) is True
    assert truth(Best("weak")) is False
    assert truth(Best("weak"), FEW_SHOT) is True
    assert truth(Not(Best("weak"))) is True


@pytest.mark.parametrize(("by", "expected"), [(39.0, True), (41.0, False)])
def test_a_lead_is_counted_in_the_better_direction(by: float, expected: bool) -> None:
    assert truth(Best("strong", by=by)) is expected
    assert truth(Better("strong", "middle", by=by)) is expected
    assert truth(Better("weak", "middle", by=by), FEW_SHOT) is expected


def test_better_follows_the_metric_and_above_the_number() -> None:
    assert truth(Better("strong", "weak")) is True
    assert truth(Above("strong", "weak")) is False
    assert truth(AtMost("strong", "weak")) is True
    assert truth(Chain(MODELS)) is True


def test_top_and_bottom_of_a_group_follow_the_metric() -> None:
    ten, ninety = cell(ATTACK, "strong", "set"), cell(ATTACK, "weak", "set")
    assert truth(AtMost(Top("all"), ten)) is True
    assert truth(AtMost(ninety, Bottom("all"))) is True
    assert truth(Above(Top("all"), ten)) is False
    assert truth(Above(Top("all"), "middle"), FEW_SHOT) is True
    assert truth(Better(Top("all"), "middle")) is True
    assert truth(Better("middle", Bottom("all"))) is True


def test_quantities_written_out_have_the_direction_of_their_own_protocol() -> None:
    """Not that of the claim's protocols."""
    strong, weak = cell(ATTACK, "strong", "set"), cell(ATTACK, "weak", "set")
    node = Better(strong, weak).compile(Scope((FEW_SHOT,), ("set",)))
    assert node.truth({strong.cells[0]: 10.0, weak.cells[0]: 90.0}) is True


def test_printed_numbers_count_as_better_high() -> None:
    node = Better(printed("a"), printed("b")).compile(Scope())
    assert node.truth({printed("a").cells[0]: 2.0, printed("b").cells[0]: 1.0}) is True


@pytest.mark.parametrize(
    "form", [Above("weak", "strong", each=POOLED), Best("weak", each=POOLED), Above(Top("all"), "weak", each=POOLED)]
)
def test_a_mean_over_metrics_of_opposite_direction_is_refused(form) -> None:
    both = Scope((FEW_SHOT, ATTACK), ("set",), MODELS, {"all": MODELS})
    with pytest.raises(BadForm, match=r"few_shot, attack are taken together.*accuracy is better high and attack_suc"):
        form.compile(both)


def test_opposite_directions_may_be_judged_one_by_one() -> None:
    both = Scope((FEW_SHOT, ATTACK), ("set",), MODELS)
    values = {Cell(FEW_SHOT, "strong", "set"): 80.0, Cell(FEW_SHOT, "weak", "set"): 60.0}
    values |= {Cell(ATTACK, "strong", "set"): 10.0, Cell(ATTACK, "weak", "set"): 90.0}
    for each in (("protocol",), BY_BOTH):
        assert Better("strong", "weak", each=each).compile(both).truth(values) is True


def test_a_comparison_across_metrics_of_opposite_direction_is_refused() -> None:
    with pytest.raises(BadForm, match="taken together"):
        Better(cell(FEW_SHOT, "a", "set"), cell(ATTACK, "a", "set")).compile(Scope())


def test_metrics_of_one_direction_may_be_pooled() -> None:
    both = Scope((FEW_SHOT, CLUSTERING), ("set",), MODELS)
    assert list(Best("weak", each=POOLED).compile(both).leaves())


def test_a_metric_that_is_not_registered_is_named() -> None:
    with pytest.raises(UnknownName, match="no metric named 'acuracy'"):
        truth(Best("weak"), replace(FEW_SHOT, metric="acuracy"))


def test_the_words() -> None:
    assert Better("a", "b", by=2.0, each=BY_BOTH).words() == "a better than b by more than 2, on each dataset"
    assert Better("a", "b", by=-2.0).words() == "a better than b less 2"
