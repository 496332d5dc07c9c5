"""The gate on two records: what is compared, what is set apart, and what keeps records from being compared."""

import pytest

from mmbench.gate.comparison import gate_records
from mmbench.gate.decision import Margins, NotComparable
from mmbench.protocol import Roles
from mmbench.records.schema import Binding, VerdictPart
from mmbench.records.verdicts import adjusted

from ..made_records import measured, model_role, verdict

MARGINS = Margins({"accuracy": 5.0, "f1_samples": 0.05})


@pytest.fixture
def base(make_run):
    return make_run([measured("clip", "cub", 0.6), measured("clip", "mnist", 0.8, seed=1), measured("bit_m", "cub")])


@pytest.mark.parametrize(
    ("accuracy", "outcome"), [(0.7, "pass"), (0.595, "pass"), (0.55, "inconclusive"), (0.4, "fail")]
)
def test_the_candidates_cells_decide_and_the_others_are_set_apart(base, make_run, accuracy, outcome):
    cells = [measured("clip", "cub", accuracy), measured("clip", "mnist", 0.8, seed=1), measured("bit_m", "cub")]
    found = gate_records(base, make_run(cells, clip="next"), MARGINS)
    assert found.decision.decided == outcome
    assert [cell.cell for cell in found.decision.cells] == ["few_shot[clip, cub]", "few_shot[clip, mnist]"]
    assert found.same == ("few_shot[bit_m, cub]",)
    assert found.decision.cells[0].decided == outcome


def test_a_record_against_itself_passes_and_a_planted_loss_fails_it(base):
    assert gate_records(base, base, MARGINS).decision.decided == "pass"
    found = gate_records(base, base, MARGINS, losses={"accuracy": 10.0})
    assert found.decision.decided == "fail"
    assert {cell.decided for cell in found.decision.cells} == {"fail"}
    assert all(cell.difference == pytest.approx(-10.0, abs=0.02) for cell in found.decision.cells)
    assert any("planted" in note for note in found.notes)


def test_a_loss_beyond_what_there_is_to_lose_takes_all(make_run):
    base = make_run([measured(accuracy=0.03)])
    found = gate_records(base, base, MARGINS, losses={"accuracy": 50.0})
    assert found.decision.cells[0].candidate == 0.0


def test_equal_outcomes_of_other_weights_are_compared_not_set_apart(base, make_run):
    found = gate_records(base, make_run(base.cells, clip="next"), MARGINS)
    assert [cell.cell for cell in found.decision.cells] == ["few_shot[clip, cub]", "few_shot[clip, mnist]"]
    assert found.decision.decided == "pass"


def test_unknown_weights_are_never_the_same_model(base, make_run):
    unknown = (model_role("clip").model_copy(update={"digest": None}),)
    runs = [make_run(base.cells, models=unknown) for _ in range(2)]
    assert [cell.cell for cell in gate_records(*runs, MARGINS).decision.cells] == [
        "few_shot[clip, cub]",
        "few_shot[clip, mnist]",
    ]


def test_the_same_weights_with_other_outcomes_are_compared_and_told(base, make_run):
    cells = [measured("clip", "cub", 0.601), *base.cells[1:]]
    found = gate_records(base, make_run(cells), MARGINS)
    assert [cell.cell for cell in found.decision.cells] == ["few_shot[clip, cub]"]
    assert any("same model, other outcomes (few_shot[clip, cub])" in note for note in found.notes)


def test_a_pair_of_towers_is_the_same_model_only_when_both_are(make_run):
    base = make_run([measured(Roles("clip", "clip_t"), "cub")])
    assert gate_records(base, make_run(base.cells), MARGINS).same == ("few_shot[clip+clip_t, cub]",)
    assert gate_records(base, make_run(base.cells, clip_t="next"), MARGINS).same == ()


def test_a_cell_that_the_candidate_lacks_keeps_the_gate_from_passing(base, make_run):
    candidate = make_run([measured("clip", "cub", 0.7)], clip="next")
    found = gate_records(base, candidate, MARGINS)
    assert found.decision.decided == "inconclusive"
    assert found.decision.missing == ("few_shot[clip, mnist]", "few_shot[bit_m, cub]")
    assert gate_records(base, candidate, MARGINS, among=["few_shot[clip, cub]"]).decision.decided == "pass"
    # also when the cells that are there are all the same
    assert gate_records(base, make_run(base.cells[:1]), MARGINS).decision.decided == "inconclusive"


def test_a_candidate_with_none_of_the_cells_is_inconclusive_where_it_is_known_why(base, make_run):
    among, why = ["few_shot[clip, cub]"], {"few_shot[clip, cub]": "next.pt is not here"}
    found = gate_records(base, make_run([measured("rn50", "cub")]), MARGINS, among=among, reasons=why)
    assert (found.decision.decided, found.decision.missing) == ("inconclusive", ("few_shot[clip, cub]",))
    with pytest.raises(NotComparable, match="none of the 1 cells asked for is in the base"):
        gate_records(base, base, MARGINS, among=["few_shot[vit, cub]"], reasons={"few_shot[vit, cub]": "new"})


def test_a_failing_cell_is_not_excused_by_a_missing_one(base, make_run):
    found = gate_records(base, make_run([measured("clip", "cub", 0.3)], clip="next"), MARGINS)
    assert found.decision.decided == "fail"


def test_cells_that_only_the_candidate_has_are_listed(base, make_run):
    found = gate_records(base, make_run([*base.cells, measured("rn50", "cub")]), MARGINS)
    assert (found.decision.decided, found.added) == ("pass", ("few_shot[rn50, cub]",))


def changed(part, **fields):
    return part.model_copy(update=fields)


def test_flips_are_claims_that_both_judged_on_measured_evidence(base):
    def judged(**outcomes):
        parts = [verdict(f"a-{name}", outcome) for name, outcome in outcomes.items()]
        parts += [verdict("a-printed", outcomes["x"], evidence="published")]
        return base.model_copy(update={"verdicts": tuple(VerdictPart(**part) for part in adjusted(parts))})

    found = gate_records(judged(x="supported", y="refuted"), judged(x="refuted", z="refuted"), MARGINS)
    assert [(flip.claim, flip.before.outcome, flip.after.outcome) for flip in found.flips] == [
        ("a-x", "supported", "refuted")
    ]


def test_stand_ins_among_the_compared_cells_are_named(base, make_run):
    flags = Binding(role="cub", spec="flags", stand_in_for="CUB", digest="cub-1")
    other = Binding(role="nobody_compares", spec="x", stand_in_for="y")
    base = make_run(base.cells, datasets=(flags, other))
    assert gate_records(base, base, MARGINS).notes == (
        "stand-ins, which say nothing about a paper: cub (played by: flags)",
    )


def test_what_else_differs_is_noted(base, make_run):
    cells = [changed(part, made_of={"device": "cpu", "precision": "bf16"}) for part in base.cells]
    base = base.model_copy(update={"cells": tuple(changed(p, made_of={"precision": "float32"}) for p in base.cells)})
    candidate = make_run(cells, versions={"mmbench": "0.2.0"})
    notes = gate_records(base, candidate, MARGINS).notes
    assert "precision differs: float32 and bf16" in notes
    assert "versions differ: mmbench 0.1.0 and 0.2.0" in notes
