"""Records on disk: written once, read back, refused when they are not what they say; outcomes beside them."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mmbench.errors import BadSpec
from mmbench.records.cells import scores_of
from mmbench.records.files import read_record, records_under, save_record, write_record
from mmbench.records.layout import to_raw
from mmbench.records.outcomes import BadOutcomes
from mmbench.records.schema import SCHEMA, BadRecord

from ..made_records import measured


@pytest.fixture
def run(make_run):
    """A record whose cells have outcomes."""
    return make_run([measured("bit_m", "cub", 0.7), measured("clip", "cub")])


def test_round_trip(run, tmp_path):
    path = save_record(run, tmp_path)
    assert path.name == "0001_made.json"
    again = read_record(path)
    assert again.model_copy(update={"cells": ()}) == run.model_copy(update={"cells": ()})
    assert {c.key: c for c in again.cells} == {c.key: c for c in run.cells}  # outcomes too


def test_reading_and_writing_again_gives_the_same_bytes(run, tmp_path):
    first = save_record(run, tmp_path)
    second = save_record(read_record(first), tmp_path)
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".safetensors").read_bytes() == second.with_suffix(".safetensors").read_bytes()


def test_a_record_without_outcomes_has_no_file_beside_it(make_record, tmp_path):
    path = save_record(make_record(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert [c.outcomes for c in read_record(path).cells] == [None] * 3


def test_outcomes_are_read_only_when_they_are_asked_for(run, tmp_path):
    path = save_record(run, tmp_path)
    path.with_suffix(".safetensors").unlink()
    assert [c.mean for c in read_record(path).cells] == [c.mean for c in sorted(run.cells, key=lambda c: c.models)]


def test_missing_outcomes_are_named_with_the_way_out(run, tmp_path):
    path = save_record(run, tmp_path)
    beside = path.with_suffix(".safetensors")
    size = beside.stat().st_size
    beside.unlink()
    with pytest.raises(BadOutcomes) as caught:
        scores_of(read_record(path).cells[0])
    said = str(caught.value)
    assert said.startswith(f"outcomes by trial and example are missing: {path} expects {beside} (SHA-256 ")
    assert f"..., {size} bytes); copy the file from where the run was made (git does not keep it), or run" in said


@pytest.mark.parametrize("cut", [False, True])
def test_altered_outcomes_are_refused(run, tmp_path, cut):
    path = save_record(run, tmp_path)
    beside = path.with_suffix(".safetensors")
    data = bytearray(beside.read_bytes())
    data[-1] ^= 1
    beside.write_bytes(data[:-7] if cut else data)
    with pytest.raises(BadOutcomes, match=r"is not what .* was written with: expected SHA-256 .*, found SHA-256"):
        scores_of(read_record(path).cells[0])


def test_a_record_that_was_renamed_alone_finds_its_outcomes(run, tmp_path):
    path = save_record(run, tmp_path)
    save_record(run.model_copy(update={"cells": run.cells[:1]}), tmp_path)  # another file of outcomes in the folder
    renamed = path.rename(tmp_path / "baseline.json")
    assert all(c.outcomes.array.shape == (10, 400) for c in read_record(renamed).cells)


def test_outcomes_that_are_no_safetensors_are_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr("mmbench.records.files.encode", lambda arrays: b"not a file of arrays")
    path = save_record(run, tmp_path)
    with pytest.raises(BadOutcomes, match="is no safetensors file that can be read"):
        scores_of(read_record(path).cells[0])


def test_a_size_beyond_reason_is_refused_before_reading(run, tmp_path):
    path = save_record(run, tmp_path)
    raw = json.loads(path.read_text())
    raw["outcomes"]["bytes"] = 1 << 40
    path.write_text(json.dumps(raw))
    with pytest.raises(BadOutcomes, match=f"gives {1 << 40} bytes for its outcomes; at most"):
        scores_of(read_record(path).cells[0])


def test_a_record_is_never_overwritten(run, tmp_path):
    first = save_record(run, tmp_path)
    before = first.read_text()
    second = save_record(run.model_copy(update={"seconds": 99.0}), tmp_path)
    assert (second.name, first.read_text()) == ("0002_made.json", before)
    names = [f"000{n}_made{suffix}" for n in (1, 2) for suffix in (".json", ".safetensors")]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_writers_at_once_take_numbers_of_their_own(run, make_record, tmp_path):
    records = [run, make_record()] * 8  # with and without outcomes
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda record: save_record(record, tmp_path), records))
    assert len({path.name for path in paths}) == 16
    for path, record in zip(paths, records, strict=True):
        cells = read_record(path).cells
        assert len(cells) == len(record.cells)
        assert all(np.isfinite(c.outcomes.array).all() for c in cells if c.paired_by)


def test_the_outcomes_are_there_before_the_record(run, tmp_path, monkeypatch):
    """Killed between the two, a run leaves outcomes without a record, which nobody reads, and not the reverse."""
    link = os.link

    def killed(source, target):
        if str(target).endswith(".json"):
            raise KeyboardInterrupt
        link(source, target)

    monkeypatch.setattr(os, "link", killed)
    with pytest.raises(KeyboardInterrupt):
        save_record(run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0001_made.safetensors"]
    monkeypatch.setattr(os, "link", link)
    assert save_record(run, tmp_path).name == "0002_made.json"


def test_a_number_that_is_taken_meanwhile_leaves_no_outcomes_behind(run, tmp_path, monkeypatch):
    link = os.link

    def late(source, target):
        if target.name == "0001_made.json":
            target.write_text("another run's")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert save_record(run, tmp_path).name == "0002_made.json"
    names = ["0001_made.json", "0002_made.json", "0002_made.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_a_label_cannot_leave_the_folder(make_record, tmp_path):
    path = save_record(make_record(label="../../evil/name"), tmp_path / "runs")
    assert path.parent == tmp_path / "runs"


def test_a_record_is_written_where_it_is_asked_for_and_over_nothing(run, tmp_path):
    target = tmp_path / "new" / "0007_made.json"
    written = write_record(run, target)
    assert written == (target, target.with_suffix(".safetensors"))
    assert len(read_record(target).cells) == 2
    with pytest.raises(BadSpec, match=r"0007_made\.json exists and no record is written over"):
        write_record(run, target)
    target.unlink()
    with pytest.raises(BadSpec, match=r"0007_made\.safetensors exists and no record is written over"):
        write_record(run, target)
    with pytest.raises(BadSpec, match=r"record\.txt does not end in \.json"):
        write_record(run, tmp_path / "record.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw | {"schema": 4}, r"has schema 4 and this mmbench reads schemas 1, 2, 3; read it with"),
        (lambda raw: {k: v for k, v in raw.items() if k != "schema"}, r"is not a record: it has no 'schema'"),
        (lambda raw: raw | {"seconds": "soon"}, r"field seconds: .*valid number"),
        (lambda raw: raw | {"extra": 1}, r"field extra: Extra inputs"),
        (lambda raw: raw | {"verdicts": [{"claim": "a"}]}, r"is not laid out as schema 3 has it: it lacks 'evidence'"),
        (
            lambda raw: raw | {"verdicts": [{"claim": "a", "evidence": "measured"}]},
            r"field verdicts.0.outcome: Field req",
        ),
        (lambda raw: raw | {"cells": [{"name": "x"}]}, r"is not laid out as schema 3 has it: it lacks 'cells'"),
        (lambda raw: raw | {"outcomes": {"sha256": "a"}}, r"is not laid out as schema 3 has it: it lacks 'bytes'"),
        (lambda raw: raw | {"cells": 3}, r"is not laid out as schema 3 has it: 'int' object"),
    ],
)
def test_what_is_not_a_record_is_refused_in_one_line(make_record, tmp_path, change, message):
    path = tmp_path / "0001_x.json"
    path.write_text(json.dumps(change(to_raw(make_record(), None))))
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


def test_records_are_found_oldest_first(make_record, tmp_path):
    paths = [save_record(make_record(), tmp_path / folder) for folder in ("a", "b", "a")]
    for number, path in enumerate(paths):
        os.utime(path, (number, number))
    assert records_under(tmp_path, tmp_path / "none") == paths
    assert read_record(paths[0]).schema_version == SCHEMA
