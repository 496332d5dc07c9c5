"""The gate on two records: what is compared, what is set apart, and what keeps records from being compared."""

import pytest

from mmbench.errors import BadSpec
from mmbench.gate.comparison import gate_records
from mmbench.gate.decision import Margins, NotComparable
from mmbench.protocol import FEW_SHOT, Roles
from mmbench.records.comparing import adjusted
from mmbench.records.schema import BadRecord, Binding, VerdictPart

from ..made_records import PREPROCESS, measured, model_role, verdict

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
    assert found.decision.outcome == outcome
    assert [cell.cell for cell in found.decision.cells] == ["few_shot[clip, cub]", "few_shot[clip, mnist]"]
    assert found.same == ("few_shot[bit_m, cub]",)
    assert found.decision.cells[0].outcome == outcome


def test_a_record_against_itself_passes_and_a_planted_loss_fails_it(base):
    assert gate_records(base, base, MARGINS).decision.outcome == "pass"
    found = gate_records(base, base, MARGINS, losses={"accuracy": 10.0})
    assert found.decision.outcome == "fail"
    assert {cell.outcome for cell in found.decision.cells} == {"fail"}
    assert all(cell.difference == pytest.approx(-10.0, abs=0.02) for cell in found.decision.cells)
    assert any("planted" in note for note in found.notes)


def test_a_loss_beyond_what_there_is_to_lose_takes_all(make_run):
    base = make_run([measured(accuracy=0.03)])
    found = gate_records(base, base, MARGINS, losses={"accuracy": 50.0})
    assert found.decision.cells[0].candidate == 0.0


def test_a_loss_that_no_cell_can_take_is_refused(base):
    with pytest.raises(BadSpec, match="no cell that is compared has a metric to plant a loss into: f1_samples"):
        gate_records(base, base, MARGINS, losses={"f1_samples": 0.1})


def test_equal_outcomes_of_other_weights_are_compared_not_set_apart(base, make_run):
    found = gate_records(base, make_run(base.cells, clip="next"), MARGINS)
    assert [cell.cell for cell in found.decision.cells] == ["few_shot[clip, cub]", "few_shot[clip, mnist]"]
    assert found.decision.outcome == "pass"


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
    assert found.decision.outcome == "inconclusive"
    assert found.decision.missing == ("few_shot[clip, mnist]", "few_shot[bit_m, cub]")
    assert gate_records(base, candidate, MARGINS, among=["few_shot[clip, cub]"]).decision.outcome == "pass"
    # also when the cells that are there are all the same
    assert gate_records(base, make_run(base.cells[:1]), MARGINS).decision.outcome == "inconclusive"


def test_a_candidate_with_none_of_the_cells_is_inconclusive_where_it_is_known_why(base, make_run):
    among, why = ["few_shot[clip, cub]"], {"few_shot[clip, cub]": "next.pt is not here"}
    found = gate_records(base, make_run([measured("rn50", "cub")]), MARGINS, among=among, reasons=why)
    assert (found.decision.outcome, found.decision.missing) == ("inconclusive", ("few_shot[clip, cub]",))
    with pytest.raises(NotComparable, match="none of the 1 cells asked for is in the base"):
        gate_records(base, base, MARGINS, among=["few_shot[vit, cub]"], reasons={"few_shot[vit, cub]": "new"})


def test_a_failing_cell_is_not_excused_by_a_missing_one(base, make_run):
    found = gate_records(base, make_run([measured("clip", "cub", 0.3)], clip="next"), MARGINS)
    assert found.decision.outcome == "fail"


def test_cells_that_only_the_candidate_has_are_listed(base, make_run):
    found = gate_records(base, make_run([*base.cells, measured("rn50", "cub")]), MARGINS)
    assert (found.decision.outcome, found.added) == ("pass", ("few_shot[rn50, cub]",))


def changed(part, **fields):
    return part.model_copy(update=fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fingerprint": "other"}, r"few_shot\[clip, cub\]: protocol differs"),
        ({"paired_by": "others"}, r"few_shot\[clip, cub\]: digest of the examples differs"),
        ({"chance": 20.0}, r"few_shot\[clip, cub\]: chance level differs"),
    ],
)
def test_cells_made_in_another_way_are_refused(base, make_run, fields, message):
    candidate = make_run([changed(base.cells[0], **fields), *base.cells[1:]])
    with pytest.raises(NotComparable, match=message):
        gate_records(base, candidate, MARGINS)


def test_another_reading_is_another_cell(base, make_run):
    code = changed(base.cells[0], reading="code", fingerprint=FEW_SHOT.code.fingerprint())
    assert str(code) == "few_shot[clip, cub] (code)"
    found = gate_records(base, make_run([code, *base.cells[1:]]), MARGINS)
    assert found.decision.missing == ("few_shot[clip, cub]",)
    with pytest.raises(NotComparable, match="no cell in common"):
        gate_records(base, make_run([code]), MARGINS)


def test_another_dataset_in_the_role_is_refused_even_where_the_outcomes_are_the_same(base, make_run):
    candidate = make_run(base.cells, datasets=[Binding(role="cub", spec="flags", digest="cub-2")])
    with pytest.raises(NotComparable, match=r"dataset differs, base 'cub-1' and candidate 'cub-2'"):
        gate_records(base, candidate, MARGINS)


def test_other_trials_are_refused(base, make_run):
    fewer = measured("clip", "cub", examples=300)
    with pytest.raises(NotComparable, match="number of examples differs"):
        gate_records(base, make_run([fewer, *base.cells[1:]]), MARGINS)


def test_other_preprocessing_is_refused_field_by_field_unless_allowed(base, make_run):
    larger = model_role("clip", "next", preprocess=PREPROCESS | {"size": 96, "interpolation": "bilinear"})
    candidate = make_run(base.cells, models=[larger])
    with pytest.raises(NotComparable, match="clip size 64 and 96, interpolation bicubic and bilinear") as caught:
        gate_records(base, candidate, MARGINS)
    assert "--allow-preprocessing" in str(caught.value)
    assert gate_records(base, candidate, MARGINS, allow_preprocessing=True).decision.outcome == "pass"


def test_preprocessing_of_a_role_that_is_not_compared_does_not_matter(base, make_run):
    other = model_role("rn50", preprocess=PREPROCESS | {"size": 96})
    with_rn50 = make_run([*base.cells, measured("rn50", "cub")], models=[other])
    assert gate_records(base, with_rn50, MARGINS).decision.outcome == "pass"


def test_records_without_outcomes_are_refused_with_the_way_out(base, make_run):
    old = make_run([changed(part, outcomes=None) for part in base.cells])
    for pair, name in (((old, base), "the base"), ((base, old), "the candidate")):
        with pytest.raises(BadRecord, match=f"{name} .* keeps no outcomes by trial and example.*run pytest benchmarks"):
            gate_records(*pair, MARGINS)


def test_a_record_without_cells_says_so(base, make_run):
    empty = make_run([])
    with pytest.raises(NotComparable, match=r"the candidate .* holds no measured cell"):
        gate_records(base, empty, MARGINS)
    with pytest.raises(NotComparable, match=r"the base .* holds no measured cell"):
        gate_records(empty, base, MARGINS)


def test_flips_are_claims_that_both_judged_on_measured_evidence(base):
    def judged(**outcomes):
        parts = [verdict(f"a-{name}", outcome) for name, outcome in outcomes.items()]
        parts += [verdict("a-printed", outcomes["x"], evidence="published")]
        return base.model_copy(update={"verdicts": tuple(VerdictPart(**part) for part in adjusted(parts))})

    found = gate_records(judged(x="supported", y="refuted"), judged(x="refuted", z="refuted"), MARGINS)
    assert [(flip.claim, flip.before.outcome, flip.after.outcome) for flip in found.flips] == [
        ("a-x", "supported", "refuted")
    ]


def test_what_else_differs_is_noted(base, make_run):
    cells = [changed(part, made_of={"device": "cpu", "precision": "bf16"}) for part in base.cells]
    base = base.model_copy(update={"cells": tuple(changed(p, made_of={"precision": "float32"}) for p in base.cells)})
    candidate = make_run(cells, versions={"mmbench": "0.2.0"})
    notes = gate_records(base, candidate, MARGINS).notes
    assert "precision differs: float32 and bf16" in notes
    assert "versions differ: mmbench 0.1.0 and 0.2.0" in notes
