"""What keeps two records from being compared, each said with the cell or the role that differs."""

import pytest

from mmbench.errors import BadSpec
from mmbench.gate.comparison import gate_records
from mmbench.gate.decision import Margins, NotComparable
from mmbench.gate.pairing import check_outcomes, pair, same_models
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.records.files import read_record, save_record
from mmbench.records.outcomes import BadOutcomes
from mmbench.records.schema import BadRecord, Binding

from ..made_records import PREPROCESS, measured, model_role

MARGINS = Margins({"accuracy": 5.0, "f1_samples": 0.05})
ANY = {"among": None, "allow_preprocessing": False, "losses": {}, "explained": False}


@pytest.fixture
def base(make_run):
    return make_run([measured("clip", "cub", 0.6), measured("clip", "mnist", 0.8, seed=1), measured("bit_m", "cub")])


def test_cells_are_paired_by_name_and_a_planted_loss_is_the_candidates(base, make_run):
    candidate = make_run([*base.cells[1:], measured("rn50", "cub")])
    paired = pair(base, candidate, **(ANY | {"losses": {"accuracy": 10.0}}))
    assert list(paired.new) == ["few_shot[clip, mnist]", "few_shot[bit_m, cub]"]
    assert list(paired.old) == list(paired.was) == ["few_shot[clip, cub]", *paired.new]
    assert "few_shot[rn50, cub]" in paired.now
    assert [(a.model, b.model) for a, b in paired.parts] == [("clip", "clip"), ("bit_m", "bit_m")]
    for name, scores in paired.new.items():
        assert paired.old[name].mean - scores.mean == pytest.approx(10.0, abs=0.02)


def test_models_are_the_same_when_weights_and_identity_are_known_and_equal(make_run):
    part = measured("clip", "cub")
    runs = {weights: make_run([part], clip=weights) for weights in ("w", "v")}
    assert same_models(part, runs["w"], runs["w"])
    assert not same_models(part, runs["w"], runs["v"])
    unknown = make_run([part], models=(model_role("clip").model_copy(update={"digest": None}),))
    assert not same_models(part, unknown, unknown)


def test_a_missing_file_of_outcomes_stops_the_gate_before_it_compares(base, tmp_path):
    path = save_record(base, tmp_path)
    path.with_suffix(".safetensors").unlink()
    with pytest.raises(BadOutcomes, match=r"outcomes by trial and example are missing: .*0001_made\.json expects"):
        check_outcomes(read_record(path), "the base")
    with pytest.raises(BadOutcomes, match="are missing"):
        gate_records(base, read_record(path), MARGINS)


def test_a_loss_that_no_cell_can_take_is_refused(base):
    with pytest.raises(BadSpec, match="no cell that is compared has a metric to plant a loss into: f1_samples"):
        gate_records(base, base, MARGINS, losses={"f1_samples": 0.1})


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
    assert gate_records(base, candidate, MARGINS, allow_preprocessing=True).decision.decided == "pass"


def test_preprocessing_of_a_role_that_is_not_compared_does_not_matter(base, make_run):
    other = model_role("rn50", preprocess=PREPROCESS | {"size": 96})
    with_rn50 = make_run([*base.cells, measured("rn50", "cub")], models=[other])
    assert gate_records(base, with_rn50, MARGINS).decision.decided == "pass"


def test_records_without_outcomes_are_refused_with_the_way_out(base, make_run):
    old = make_run([changed(part, outcomes=None) for part in base.cells])
    for runs, name in (((old, base), "the base"), ((base, old), "the candidate")):
        with pytest.raises(BadRecord, match=f"{name} .* keeps no outcomes by trial and example.*run pytest benchmarks"):
            gate_records(*runs, MARGINS)


def test_a_record_without_cells_says_so(base, make_run):
    empty = make_run([])
    with pytest.raises(NotComparable, match=r"the candidate .* holds no measured cell"):
        gate_records(base, empty, MARGINS)
    with pytest.raises(NotComparable, match=r"the base .* holds no measured cell"):
        gate_records(empty, base, MARGINS)
