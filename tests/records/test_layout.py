"""The layout on disk: everything comes back, what is shared is written once, and a change shows on its line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.records.layout import WIDTH, from_raw, to_raw, written
from mmbench.records.schema import Record, VerdictPart

from ..made_records import cell, verdict

ROWS = [("clip", "cub", 60.0), ("random", "cub", 20.0), ("clip", "mnist", 90.0)]


def row(model, dataset, mean, **rest):
    """A verdict's row on one of the made record's cells."""
    kept = {"spread": 2.0**0.5, "trials": 2, "examples": 500}  # of trials mean - 1 and mean + 1
    made = {"protocol": "few_shot_5", "fingerprint": "few_shot_5-print", "models": [model], "dataset": dataset}
    return made | {"mean": mean} | kept | rest


def part(label, outcome="supported", **numbers):
    return {"label": label, "outcome": outcome} | numbers


def back(record):
    return Record.model_validate(from_raw(json.loads(written(to_raw(record, None)))))


def with_verdicts(make_record, *parts):
    return make_record(verdicts=tuple(VerdictPart(**one) for one in parts))


def test_rows_refer_to_cells_and_come_back_in_their_order(make_record):
    rows = [row(*ROWS[1]), row(*ROWS[0]), row(*ROWS[2]), row(*ROWS[0])]
    record = with_verdicts(make_record, verdict(rows=rows))
    (raw,) = to_raw(record, None)["verdicts"]
    assert raw["rows"] == [
        [["few_shot_5 on cub"], ["random", "clip"]],
        [["few_shot_5 on mnist", "few_shot_5 on cub"], ["clip"]],
    ]
    assert back(record).verdicts[0].rows == record.verdicts[0].rows


def test_a_row_that_no_cell_holds_is_kept_whole(make_record):
    rows = [row(*ROWS[0]), row("rn50", "cub", 1.0), row(*ROWS[2], trials=7)]
    record = with_verdicts(make_record, verdict(rows=rows))
    (raw,) = to_raw(record, None)["verdicts"]
    assert [isinstance(entry, dict) for entry in raw["rows"]] == [False, True, True]
    assert back(record).verdicts[0].rows == record.verdicts[0].rows


def test_printed_numbers_are_written_once_and_the_ones_that_differ_by_verdict(make_record):
    printed = [row("a", "cub", 1.0, spread=None, trials=None, examples=None), row("b", "cub", 2.0)]
    other = [printed[0], printed[1] | {"mean": 2.5}]
    record = with_verdicts(
        make_record, verdict(evidence="published", rows=printed), verdict("b-1", evidence="published", rows=other)
    )
    raw = to_raw(record, None)
    (group,) = raw["printed"]
    assert [number["mean"] for number in group["numbers"]] == [1.0, 2.0]
    assert raw["verdicts"][0]["rows"] == [[["few_shot_5 on cub"], ["a", "b"]]]
    assert raw["verdicts"][1]["rows"][1]["mean"] == 2.5
    assert [v.rows for v in back(record).verdicts] == [v.rows for v in record.verdicts]


def test_comparisons_are_written_once_by_claim(make_record):
    parts = [
        part("a - b > 0 (mlp_head, mvsa)", estimate=1.0, low=0.5, high=None),
        part("a - c > 0 (mlp_head, mvsa)", "unmeasured"),
        part("a - b > 0 (mlp_head, cub)", "refuted", estimate=-1.0, low=None, high=-0.5),
        part("no place"),
        part("ends (in two) (places)", estimate=0.0),
    ]
    record = with_verdicts(make_record, verdict(parts=parts))
    (raw,) = to_raw(record, None)["verdicts"]
    assert raw["parts"]["comparisons"] == ["a - b > 0", "a - c > 0", "no place", "ends (in two)"]
    assert raw["parts"]["places"][0] == ["mlp_head, mvsa", [[0, "supported", 1.0, 0.5], [1, "unmeasured"]]]
    assert back(record).verdicts[0].parts == record.verdicts[0].parts


@given(st.lists(st.text("ab ()", min_size=1, max_size=12), max_size=6))
def test_every_label_comes_back(labels):
    found = Record(
        label="x", machine={"cpu": "", "cores": 1, "os": "", "architecture": "", "python": ""}, versions={}, seconds=0,
        lineup={"name": "x"}, started="", verdicts=[verdict(parts=[part(label) for label in labels])],
    )  # fmt: skip
    assert [piece.label for piece in back(found).verdicts[0].parts] == labels


def test_cells_that_share_a_name_but_not_their_settings_are_two_groups(make_record):
    cells = (cell("clip", "cub", 60.0), cell("random", "cub", 20.0, made_of={"items": {"test": "x"}}))
    raw = to_raw(make_record(cells=cells), None)
    assert [group["name"] for group in raw["cells"]] == ["few_shot_5 on cub", "few_shot_5 on cub #2"]
    found = back(make_record(cells=cells))
    assert found.cells == cells


def test_cells_come_in_one_order_whatever_the_run_did(make_record):
    cells = make_record().cells
    assert back(make_record(cells=cells[::-1])).cells == back(make_record(cells=cells)).cells


def test_a_verdict_on_a_cell_that_is_not_there_is_refused(make_record):
    raw = to_raw(with_verdicts(make_record, verdict(rows=[row(*ROWS[0])])), None)
    raw["cells"] = []
    with pytest.raises(ValueError, match="names clip in 'few_shot_5 on cub', which"):
        from_raw(raw)


def test_what_fits_in_a_line_is_on_one():
    value = {"short": [1, 2], "long": ["x" * WIDTH, {"a": 1}]}
    assert written(value).splitlines() == [
        "{", ' "short": [1, 2],', ' "long": [', f'  "{"x" * WIDTH}",', '  {"a": 1}', " ]", "}"
    ]  # fmt: skip
    assert json.loads(written(value)) == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        written([float("nan")])
