"""Where two runs differ first: each stage made to differ alone, and stages that a record says nothing about."""

import pytest

from mmbench.records.explaining import STAGES, explain_lines, explain_records, steps
from mmbench.records.files import read_record, save_record
from mmbench.records.outcomes import as_outcomes
from mmbench.records.schema import Binding

from ..made_records import PREPROCESS, measured, model_role

MADE = {
    "items": {"train": "t1", "test": "e1"},
    "preprocessed": {"zoo:clip": "p1"},
    "features": "f1",
    "predictions": "y1",
    "device": "cpu",
    "precision": "float32",
    "code": "c1",
}


def cell(model="clip", dataset="cub", accuracy=0.6, **changes):
    return measured(model, dataset, accuracy, **(MADE | changes))


def states(a, b):
    return {step.stage: step.state for step in steps(a.cells[0], b.cells[0], a, b)}


def test_equal_runs_agree_at_every_stage(make_run):
    a, b = make_run([cell()]), make_run([cell()])
    assert states(a, b) == dict.fromkeys(STAGES, "same")
    (group,) = explain_records(a, b)
    assert (group.step, group.unknown, group.cells) == (None, (), ("few_shot[clip, cub]",))
    assert next(explain_lines(a, b)) == "all 1 cells that both records hold are the same to the metric"


@pytest.mark.parametrize("hashed", [True, False, None])
def test_a_dataset_that_is_the_same_by_a_noted_digest_is_said_to_be(make_run, hashed):
    noted = Binding(role="cub", spec="flags", digest="cub-1", hashed=hashed)
    a, b = make_run([cell(items=None)]), make_run([cell(items=None)], datasets=(noted,))
    first = next(iter(steps(a.cells[0], b.cells[0], a, b)))
    assert first.state == "same"
    assert first.why == "by the identity of cub" + (" as an earlier run noted it" if hashed is False else "")


@pytest.mark.parametrize(
    ("changes", "roles", "stage", "why"),
    [
        ({"items": {"train": "t2", "test": "e1"}}, {}, "item bytes", "cub, train"),
        ({"preprocessed": {"zoo:clip": "p2"}}, {}, "preprocessed tensor", "though declared the same"),
        ({"features": "f2"}, {"clip": "next"}, "features", "weights of clip: clip-w and clip-next"),
        ({"features": "f2", "precision": "bf16"}, {}, "features", "precision: float32 and bf16"),
        ({"features": "f2"}, {}, "features", "though weights, architecture and precision are the same"),
        ({"predictions": "y2"}, {}, "probe", "its predictions"),
        ({"predictions": "y2", "code": "c2"}, {}, "probe", "the code of probes or metrics differs"),
        ({"accuracy": 0.5}, {}, "metric", ""),
    ],
)
def test_each_stage_is_named_when_it_alone_differs(make_run, changes, roles, stage, why):
    later = {"accuracy": 0.5, "predictions": "y2"} if STAGES.index(stage) < 3 else {}  # whatever follows differs too
    a, b = make_run([cell()]), make_run([cell(**later | changes)], **roles)
    (group,) = explain_records(a, b)
    assert (group.step.stage, group.step.state, group.unknown) == (stage, "differs", ())
    assert why in group.step.why
    assert next(explain_lines(a, b)).startswith(f"the runs differ first at: {stage} (1 of 1 cells")


def test_declared_preprocessing_is_named_field_by_field(make_run):
    a = make_run([cell()])
    b = make_run([cell(features="f2")], models=[model_role("clip", preprocess=PREPROCESS | {"size": 96})])
    assert "preprocessed tensor: differs (clip size 64 and 96)" in "\n".join(explain_lines(a, b))


def test_a_dataset_of_another_identity_differs_at_its_items_where_there_are_no_digests(make_run):
    a = make_run([measured()])
    b = make_run([measured()], datasets=[Binding(role="cub", spec="flags", digest="cub-2")])
    (group,) = explain_records(a, b)
    assert str(group.step) == "item bytes: differs (identity of cub: cub-1 and cub-2)"


def test_stages_without_digests_are_unknown_and_the_output_says_so(make_run):
    a, b = make_run([measured()]), make_run([measured(accuracy=0.5)])
    assert states(a, b) == {
        "item bytes": "same",
        "preprocessed tensor": "same",
        "features": "unknown",
        "probe": "unknown",
        "metric": "differs",
    }
    text = "\n".join(explain_lines(a, b))
    assert "the runs differ at, or before: metric" in text
    assert "    before that features: unknown (no digest" in text
    means = (a.cells[0].mean, b.cells[0].mean)
    assert "few_shot[clip, cub] ({:g} and {:g} %)".format(*means) in text


def test_weights_that_differ_are_the_cause_even_without_digests(make_run):
    (group,) = explain_records(make_run([measured()]), make_run([measured(accuracy=0.5)], clip="next"))
    assert str(group.step) == "features: differs (weights of clip: clip-w and clip-next)"


def test_other_weights_with_equal_features_do_not_part_there(make_run):
    (group,) = explain_records(make_run([cell()]), make_run([cell()], clip="next"))
    assert group.step is None


def test_old_records_are_compared_by_their_means(make_run):
    old = [measured().model_copy(update={"outcomes": None, "paired_by": None})]
    (group,) = explain_records(make_run(old), make_run([measured()]))
    assert group.step is None
    (group,) = explain_records(make_run(old), make_run([measured(accuracy=0.5)]))
    assert group.step.stage == "metric"
    assert "means by trial" in group.step.why


def test_outcomes_count_not_how_they_are_kept(make_run, tmp_path):
    run = make_run([measured()])
    again = read_record(save_record(run, tmp_path))
    (group,) = explain_records(run, again)
    assert group.step is None


def test_other_outcomes_of_the_same_means_differ(make_run):
    part = measured()
    moved = part.model_copy(update={"outcomes": as_outcomes(part.outcomes.array[:, ::-1])})
    (group,) = explain_records(make_run([part]), make_run([moved]))
    assert group.step.stage == "metric"


def test_means_stand_in_for_outcomes_that_are_not_here_and_it_is_said(make_run, tmp_path):
    path = save_record(make_run([measured()]), tmp_path)
    path.with_suffix(".safetensors").unlink()
    found = read_record(path)
    *_, metric = steps(found.cells[0], found.cells[0].model_copy(), found, found)
    assert metric.state == "same"
    assert metric.why.startswith("by its means by trial; outcomes by trial and example are missing")


def test_groups_come_in_the_order_of_the_stages(make_run):
    cells = [cell("clip"), cell("bit_m"), cell("rn50")]
    other = [cell("clip", predictions="y2"), cell("bit_m", items={"test": "e2"}), cell("rn50")]
    found = explain_records(make_run(cells), make_run(other))
    assert [group.step.stage if group.step else None for group in found] == ["item bytes", "probe", None]


def test_records_of_other_cells_have_nothing_to_explain(make_run):
    lines = list(explain_lines(make_run([cell("clip")]), make_run([cell("bit_m")])))
    assert lines == ["the records have no cell in common"]
