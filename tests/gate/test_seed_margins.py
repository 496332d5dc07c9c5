"""Margins from seeds on record, and means over several seeds: the rule by hand, and what is refused or said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.errors import BadSpec
from mmbench.gate.comparison import gate_records
from mmbench.gate.decision import Margins, NotComparable, decide, gains
from mmbench.gate.pairing import first_seeds
from mmbench.gate.seed_margins import FACTOR, seed_margin, with_seeds
from mmbench.records.cells import scores_of
from mmbench.records.files import read_record, save_record

from ..made_records import PREPROCESS, measured, model_role


def with_sd(part, sd):
    return part.model_copy(update={"seed_sd": sd})


@pytest.mark.parametrize(
    ("metric", "sd", "seeds", "margin"),
    [
        ("accuracy", 0.0, (1, 1), 5.0),  # never less than 5 % of the range
        ("accuracy", 4.0, (1, 1), 12.0),
        ("accuracy", 4.0, (4, 4), 6.0),  # SD^2 / 4 a side
        ("accuracy", 4.0, (1, 3), 9.8),  # 12 * sqrt((1 + 1/3) / 2)
        ("accuracy", 60.0, (1, 1), 50.0),  # never more than half of the range
        ("f1_samples", 0.03, (1, 1), 0.09),
        ("f1_samples", 0.0, (1, 1), 0.05),
    ],
)
def test_the_rule(metric, sd, seeds, margin) -> None:
    assert FACTOR == 3.0
    assert seed_margin(metric, sd, seeds) == pytest.approx(margin, rel=0.005)


@given(st.floats(0, 30), st.integers(1, 9), st.integers(1, 9))
def test_more_seeds_never_widen_a_margin(sd, old, new) -> None:
    assert seed_margin("accuracy", sd, (old, new)) <= seed_margin("accuracy", sd) + 1e-9
    assert seed_margin("accuracy", sd, (old, new)) == seed_margin("accuracy", sd, (new, old))


def test_a_cell_has_the_margin_of_its_seeds_unless_the_user_chose_one(make_run) -> None:
    base = make_run([with_sd(measured("clip", "cub"), 4.0), measured("clip", "mnist", seed=1)])
    candidate = make_run(base.cells, clip="next")
    found = gate_records(base, candidate)
    assert [cell.margin for cell in found.decision.cells] == [12.0, 5.0]
    assert any(
        "margins of 1 of 2 cells are 5 % of the metric's range: the base has no measured" in n for n in found.notes
    )
    chosen = gate_records(base, candidate, Margins.parse(["accuracy=2"]))
    assert [cell.margin for cell in chosen.decision.cells] == [2.0, 2.0]
    assert not any("of the metric's range" in note for note in chosen.notes)


def test_the_bases_seeds_count_and_not_the_candidates(make_run) -> None:
    part = measured("clip", "cub")
    found = gate_records(make_run([part]), make_run([with_sd(part, 9.0)], clip="next"))
    assert [cell.margin for cell in found.decision.cells] == [5.0]


def test_a_margin_given_by_cell_stays(make_run) -> None:
    part = with_sd(measured("clip", "cub"), 4.0)
    margins = with_seeds(Margins(by_cell={str(part): 7.0}), {str(part): part}, {str(part): (1, 1)})
    assert margins.at(str(part), "accuracy") == 7.0
    assert margins.at("another", "accuracy") == 5.0


def test_seed_sd_is_kept_in_a_record(make_run, tmp_path) -> None:
    record = make_run([with_sd(measured("clip", "cub"), 4.0), measured("bit_m", "cub", seed=1)])
    read = read_record(save_record(record, tmp_path))
    assert {part.model: part.seed_sd for part in read.cells} == {"clip": 4.0, "bit_m": None}


# Several seeds


def test_a_mean_of_seeds_is_a_contrast_with_equal_weights(make_run) -> None:
    scores = [scores_of(measured("clip", "cub", a, seed=s)) for a, s in ((0.6, 0), (0.5, 1), (0.7, 2), (0.65, 3))]
    base, new = scores[:2], scores[2:]
    found = gains(base, [new], 5.0)[0]
    assert found.value == pytest.approx(np.mean([s.mean for s in new]) - np.mean([s.mean for s in base]) + 5.0)
    stacked = [np.mean([s.outcomes for s in side], axis=0) for side in (base, new)]
    difference = (stacked[1] - stacked[0]).mean(axis=0)
    assert found.examples == pytest.approx((100 * difference).var(ddof=1) / difference.size, rel=1e-5)


@pytest.fixture
def trainings(make_run):
    """Records of trainings of clip with these accuracies, each with its own luck."""

    def make(*accuracies, first=0):
        return [
            make_run([measured("clip", "cub", a, seed=first + n)], clip=f"w{first + n}")
            for n, a in enumerate(accuracies)
        ]

    return make


def test_records_of_further_seeds_are_averaged(trainings) -> None:
    (base,), (bad, *others) = trainings(0.6), trainings(0.4, 0.7, 0.7, first=5)
    assert gate_records(base, bad).decision.decided == "fail"
    found = gate_records(base, bad, candidate_seeds=others)
    assert found.decision.decided == "pass"
    assert found.decision.cells[0].seeds == (1, 3)
    assert any("means over seeds: 1 cells with 1 of the base and 3 of the candidate" in note for note in found.notes)
    back = gate_records(bad, base, base_seeds=others)
    assert back.decision.cells[0].seeds == (3, 1)


def test_seeds_within_a_record_are_averaged_and_are_no_cells_of_their_own(make_run) -> None:
    cells = [measured("clip", "cub", 0.4), measured("clip#2", "cub", 0.8, seed=1)]
    roles = (model_role("clip", "a"), model_role("clip#2", "b").model_copy(update={"seed_of": "clip"}))
    several = make_run(cells, models=roles)
    assert [str(part) for part in first_seeds(several)] == ["few_shot[clip, cub]"]
    found = gate_records(make_run([measured("clip", "cub", 0.6)]), several)
    assert [(c.cell, c.seeds, c.decided) for c in found.decision.cells] == [("few_shot[clip, cub]", (1, 2), "pass")]
    assert found.added == ()


def test_a_planted_loss_is_taken_from_every_seed(trainings) -> None:
    base, *others = trainings(0.6, 0.6, 0.6)
    found = gate_records(base, base, candidate_seeds=others, base_seeds=others, losses={"accuracy": 10.0})
    assert found.decision.cells[0].difference == pytest.approx(-10.0, abs=0.1)


def test_the_same_seeds_on_both_sides_are_compared_not_set_apart(trainings) -> None:
    base, other = trainings(0.6, 0.6)
    assert gate_records(base, base, base_seeds=[other], candidate_seeds=[other]).same == ()


def test_a_training_of_the_base_is_no_seed_of_the_candidate(trainings) -> None:
    """It would halve a loss: 10 points of the candidate's own pass as 5."""
    base, bad, other = trainings(0.6, 0.5, 0.5)
    assert gate_records(base, bad, candidate_seeds=[other]).decision.decided == "fail"
    for candidate, seeds in ((bad, [base]), (base, [bad]), (base, [bad, other])):
        with pytest.raises(
            NotComparable, match=r"few_shot\[clip, cub\]: 1 of the candidate's . trainings are the base's"
        ):
            gate_records(base, candidate, candidate_seeds=seeds)
    with pytest.raises(NotComparable, match="1 of the candidate's 1 trainings are the base's"):
        gate_records(base, bad, base_seeds=[bad])


def test_a_seed_with_other_preprocessing_or_other_examples_is_refused(make_run, trainings) -> None:
    (base,) = trainings(0.6)
    other = make_run(base.cells, models=(model_role("clip", "x", preprocess=PREPROCESS | {"size": 96}),))
    with pytest.raises(NotComparable, match=r"preprocessing differs.*clip size 64 and 96"):
        gate_records(base, base, candidate_seeds=[other])
    fewer = make_run([measured("clip", "cub", 0.6, examples=300)], clip="y")
    with pytest.raises(NotComparable, match="number of examples differs, base 400 and candidate 300"):
        gate_records(base, base, candidate_seeds=[fewer])
    fields = base.cells[0].model_copy(update={"paired_by": "others"})
    with pytest.raises(NotComparable, match="digest of the examples differs"):
        decide({"a": scores_of(base.cells[0])}, {"a": [scores_of(base.cells[0]), scores_of(fields)]}, Margins())


def test_a_bad_margin_by_name_is_still_refused() -> None:
    with pytest.raises(BadSpec, match="out of range"):
        Margins.parse(["accuracy=100"])
