"""What a record holds: names of cells, keys, file names, and fields that are refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from mmbench.records.schema import SCHEMA, CellPart, Record, slug

from ..made_records import cell, measured


def test_the_key_of_a_cell_holds_all_that_tells_it_apart():
    parts = [cell("clip", "cub", 60.0), cell("clip", "cub", 60.0).model_copy(update={"reading": "code"})]
    assert [str(part) for part in parts] == ["few_shot_5[clip, cub]", "few_shot_5[clip, cub] (code)"]
    assert parts[0].key == "few_shot_5-print/clip/cub"
    assert measured("clip", "cub").key != measured("clip", "mnist").key


def test_outcomes_are_taken_as_arrays_or_packed_and_are_no_part_of_the_json():
    part = measured()
    again = CellPart.model_validate(part.model_dump() | {"outcomes": np.array(part.outcomes.array)})
    assert again == part
    assert "outcomes" not in part.model_dump()


def test_a_cell_needs_a_model_and_no_unknown_field():
    raw = measured().model_dump()
    with pytest.raises(ValidationError, match="models"):
        CellPart.model_validate(raw | {"models": []})
    with pytest.raises(ValidationError, match="Extra inputs"):
        CellPart.model_validate(raw | {"colour": "red"})


@pytest.mark.parametrize(
    ("text", "name"), [("embedded", "embedded"), ("../../evil/name", "_.._evil_name"), ("..", "run"), ("a b", "a_b")]
)
def test_a_label_as_a_file_name(text, name):
    assert slug(text) == name


def test_a_record_has_the_newest_schema(make_record):
    record = make_record()
    assert record.schema_version == SCHEMA
    assert Record.model_validate(record.model_dump(by_alias=True)) == record
