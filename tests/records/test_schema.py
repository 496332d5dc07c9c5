"""Records: written once, read back, refused when they are not what they say."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from mmbench.records.comparing import adjusted, compare
from mmbench.records.provenance import machine, machine_folder
from mmbench.records.schema import SCHEMA, BadRecord, Record, VerdictPart, read_record, save_record

from ..made_records import verdict


def test_round_trip(make_record, tmp_path):
    record = make_record()
    path = save_record(record, tmp_path)
    assert path.name == "0001_made.json"
    assert read_record(path) == record
    assert read_record(path).dumps() == record.dumps() == path.read_text()


def test_a_record_is_never_overwritten(make_record, tmp_path):
    first = save_record(make_record(), tmp_path)
    before = first.read_text()
    second = save_record(make_record(seconds=99.0), tmp_path)
    assert (second.name, first.read_text()) == ("0002_made.json", before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001_made.json", "0002_made.json"]


def test_writers_at_once_take_numbers_of_their_own(make_record, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: save_record(make_record(), tmp_path), range(16)))
    assert len({path.name for path in paths}) == 16
    assert all(read_record(path).label == "made" for path in paths)


def test_a_label_cannot_leave_the_folder(make_record, tmp_path):
    path = save_record(make_record(label="../../evil/name"), tmp_path / "runs")
    assert path.parent == tmp_path / "runs"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw | {"schema": 3}, r"has schema 3 and this mmbench reads schema 1 and 2; read it with"),
        (lambda raw: {k: v for k, v in raw.items() if k != "schema"}, r"is not a record: it has no 'schema'"),
        (lambda raw: raw | {"seconds": "soon"}, r"field seconds: .*valid number"),
        (lambda raw: raw | {"extra": 1}, r"field extra: Extra inputs"),
        (lambda raw: raw | {"verdicts": [{"claim": "a"}]}, r"field verdicts.0.study"),
    ],
)
def test_what_is_not_a_record_is_refused_in_one_line(make_record, tmp_path, change, message):
    path = tmp_path / "0001_x.json"
    path.write_text(json.dumps(change(json.loads(make_record().dumps()))))
    with pytest.raises(BadRecord, match=message) as caught:
        read_record(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_torn_files_are_refused(tmp_path):
    with pytest.raises(BadRecord, match="there is no record at"):
        read_record(tmp_path / "none.json")
    (tmp_path / "torn.json").write_text('{"schema": 1, "lab')
    with pytest.raises(BadRecord, match="is not a record"):
        read_record(tmp_path / "torn.json")


def test_infinite_bounds_become_null(make_record):
    parts = adjusted([verdict(low=float("-inf"), high=float("nan"))])
    record = make_record(verdicts=tuple(VerdictPart(**part) for part in parts))
    raw = json.loads(record.dumps(), parse_constant=pytest.fail)
    assert raw["verdicts"][0]["low"] is raw["verdicts"][0]["high"] is None


def test_adjustment_is_holms_over_one_study_and_evidence():
    parts = [
        verdict("a-1", p_support=0.01, p_refute=0.5),
        verdict("a-2", p_support=0.04, p_refute=0.5),
        verdict("b-1", p_support=0.04, p_refute=0.5),
        verdict("a-3", p_support=0.04, p_refute=0.5, evidence="published"),
        verdict("a-4", "unmeasured"),
    ]
    found = {part["claim"]: part.get("holm_support") for part in adjusted(parts)}
    assert found == {"a-1": 0.02, "a-2": 0.04, "b-1": 0.04, "a-3": 0.04, "a-4": None}  # by hand


def test_compare_lists_what_differs(make_record):
    before = make_record(verdicts=(VerdictPart(**verdict("a-1")), VerdictPart(**verdict("a-2"))))
    after = make_record(verdicts=(VerdictPart(**verdict("a-1", "refuted")), VerdictPart(**verdict("a-3"))))
    changes = [str(change) for change in compare(before, after)]
    assert changes == [
        "a-1 (measured): supported (+4) -> refuted (+4)",
        "a-2 (measured): supported (+4) -> not judged",
        "a-3 (measured): not judged -> supported (+4)",
    ]
    assert compare(before, before) == []


def test_machine_names_no_host():
    found = machine()
    assert set(found) == {"cpu", "cores", "os", "architecture", "python"}
    assert machine_folder(found | {"os": "A B/../C 1"}).startswith("A-")


def test_schema_stays_readable_by_alias(make_record):
    assert Record.model_validate_json(make_record().dumps()).schema_version == SCHEMA


def test_a_record_of_schema_1_is_still_read(make_record, tmp_path):
    raw = json.loads(make_record().dumps()) | {"schema": 1}
    for part in raw["cells"]:
        del part["outcomes"], part["paired_by"], part["made_of"]
    for binding in (*raw["lineup"]["models"], *raw["lineup"]["datasets"]):
        del binding["identity"]
    del raw["code"]
    (tmp_path / "0001_old.json").write_text(json.dumps(raw))
    old = read_record(tmp_path / "0001_old.json")
    assert (old.schema_version, old.cells[0].outcomes, old.cells[0].mean) == (1, None, 60.0)
