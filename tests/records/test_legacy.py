"""Records of schemas 1 and 2 are read as what they were: the same verdicts, cells and outcomes."""

import json
from pathlib import Path

import numpy as np
import pytest

import mmbench
from mmbench.records.cells import scores_of
from mmbench.records.files import read_record
from mmbench.records.outcome_codec import unpack
from mmbench.records.schema import BadRecord

GATE = Path(mmbench.__file__).parents[1] / "reports" / "gate"
OLD = json.loads((GATE / "base.json").read_text())


def test_the_committed_records_are_of_schema_2():
    assert OLD["schema"] == 2


def test_a_record_of_schema_2_is_read_with_its_outcomes():
    record = read_record(GATE / "base.json")
    assert record.schema_version == 2
    for part, old in zip(record.cells, OLD["cells"], strict=True):
        assert (part.model, part.dataset, part.mean) == (old["model"], old["dataset"], old["mean"])
        assert np.array_equal(scores_of(part).outcomes, unpack(old["outcomes"]))


def test_verdicts_of_schema_2_keep_what_the_pages_show():
    for part, old in zip(read_record(GATE / "base.json").verdicts, OLD["verdicts"], strict=True):
        details = old["details"]
        assert (part.claim, part.outcome, part.estimate) == (old["claim"], old["outcome"], old["estimate"])
        assert (part.binding, part.settle, part.note) == (details["binding"], details["settle"], details["note"])
        assert (part.says, part.expected) == (details["says"], details["expected"])
        assert list(part.missing) == details["missing"]
        assert [row.model for row in part.rows] == [row["model"] for row in details["rows"]]
        assert [piece.label for piece in part.parts] == [piece["label"] for piece in details["parts"]]
        for new, piece in zip(part.parts, details["parts"], strict=True):
            assert new.estimate == pytest.approx(piece["estimate"], abs=1e-6)
        assert (part.other_reading is None) == (old["other_reading"] is None)


def test_what_a_cell_took_stands_with_the_cell():
    record = read_record(GATE / "base.json")
    assert "cell" in {cost["kind"] for cost in OLD["costs"]}
    assert "cell" not in {cost.kind for cost in record.costs}
    assert sum(cell.seconds for cell in record.cells) == pytest.approx(sum(c["seconds"] for c in OLD["cells"]), 1e-3)


def test_a_record_of_schema_1_has_no_outcomes(tmp_path):
    raw = json.loads(json.dumps(OLD)) | {"schema": 1}
    for part in raw["cells"]:
        del part["outcomes"], part["paired_by"], part["made_of"]
    for binding in (*raw["lineup"]["models"], *raw["lineup"]["datasets"]):
        del binding["identity"]
    del raw["code"]
    (tmp_path / "0001_old.json").write_text(json.dumps(raw))
    old = read_record(tmp_path / "0001_old.json")
    assert (old.schema_version, old.cells[0].outcomes) == (1, None)
    assert old.cells[0].mean == OLD["cells"][0]["mean"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"costs": [{"name": "x"}]}, "is not laid out as schema 2 has it: it lacks 'kind'"),
        ({"cells": [{"model": "clip"}]}, r"field cells\.0\.protocol"),
        ({"verdicts": [[]]}, "is not laid out as schema 2 has it: 'list' object has no attribute"),
    ],
)
def test_a_damaged_one_is_refused_by_name(tmp_path, change, message):
    path = tmp_path / "0001_old.json"
    path.write_text(json.dumps(OLD | change))
    with pytest.raises(BadRecord, match=message) as caught:
        read_record(path)
    assert str(path) in str(caught.value)
