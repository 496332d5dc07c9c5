"""Groups and halves in records: kept once, read back, compared; records without them are still read."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import load, save

from mmbench.errors import BadScores
from mmbench.gate.comparison import gate_records
from mmbench.gate.decision import Margins
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.records.cells import cell_part, scores_of
from mmbench.records.differences import differences
from mmbench.records.files import read_record, save_record
from mmbench.records.outcome_codec import pack_groups, unpack_groups
from mmbench.records.outcomes import BadOutcomes
from mmbench.records.schema import BadRecord, CellPart
from mmbench.scores import Scores

RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(50), 8)
PAIRS = np.stack([GROUPS, GROUPS[::-1]], axis=1)
HALVES = RNG.normal(0.6, 0.05, 16).astype(np.float32)
CHANGES = {"groups": GROUPS, "grouped_by": "drawings", "halves": HALVES, "pool": 0.4}


def scores(accuracy=0.6, *, seed=0, **changes):
    easy = np.random.default_rng(seed).random(50)[GROUPS]  # whole groups are easy or hard
    right = (easy < accuracy) ^ (np.random.default_rng(seed + 1).random((10, 400)) < 0.05)
    made = Scores(right.astype(np.float32), "accuracy", "examples of cub", 0.1, {})
    return dataclasses.replace(made, **CHANGES | changes)


def part(found, model="clip"):
    """As it comes from a test's note, which passes through JSON between the workers of a run."""
    note = json.loads(json.dumps(cell_part(Cell(FEW_SHOT, model, "cub"), found, fresh=True)))
    return CellPart.model_validate(note)


@given(arrays(np.int64, array_shapes(min_dims=1, max_dims=2, max_side=9), elements=st.integers(-1, 2**40)))
def test_groups_come_back_from_their_text(groups):
    again = unpack_groups(pack_groups(groups))
    assert again.dtype == np.int64
    assert np.array_equal(again, groups)


@pytest.mark.parametrize("text", ["", "AAAA", "x", pack_groups(GROUPS)[:-8], pack_groups(GROUPS) + "AAAA"])
def test_other_texts_are_refused(text):
    with pytest.raises(BadScores):
        unpack_groups(text)


@pytest.mark.parametrize("groups", [GROUPS, PAIRS])
def test_a_note_carries_groups_halves_and_pool(groups):
    before = scores(groups=groups)
    after = scores_of(part(before))
    assert np.array_equal(after.groups, groups)
    assert (after.grouped_by, after.pool) == ("drawings", 0.4)
    np.testing.assert_allclose(after.halves, HALVES, atol=1e-7)
    assert after.interval() == pytest.approx(before.interval(), abs=1e-4)
    bare = scores_of(part(scores(groups=None, grouped_by="", halves=None, pool=None)))
    assert (bare.groups, bare.halves, bare.grouped_by, bare.pool) == (None, None, "", None)
    assert after.interval()[0] < bare.interval()[0]


@pytest.fixture
def written(make_run, tmp_path):
    def write(*parts):
        path = save_record(make_run(list(parts)), tmp_path)
        return path, path.with_suffix(".safetensors")

    return write


def test_the_file_holds_groups_once_for_all_cells_on_the_same_examples(written):
    path, beside = written(part(scores()), part(scores(seed=1, halves=None), "rn50"))
    arrays_there = load(beside.read_bytes())
    assert [name for name in arrays_there if name.startswith("groups/")] == ["groups/examples of cub"]
    assert arrays_there["groups/examples of cub"].dtype == np.int64
    clip, rn50 = read_record(path).cells
    assert np.array_equal(scores_of(clip).groups, GROUPS)
    assert np.array_equal(scores_of(rn50).groups, GROUPS)
    np.testing.assert_allclose(scores_of(clip).halves, HALVES, atol=1e-7)
    assert rn50.halves is None
    text = path.read_text()
    assert text.count('"grouped_by"') == text.count('"halves"') == 1


def test_a_record_without_groups_and_halves_is_read_as_before(written):
    path, _ = written(part(scores(groups=None, grouped_by="", halves=None)))
    assert "grouped_by" not in path.read_text()
    assert "halves" not in path.read_text()
    (cell,) = read_record(path).cells
    assert (cell.groups, cell.grouped_by, cell.halves) == (None, "", None)
    assert scores_of(cell).groups is None


def test_groups_that_are_not_there_are_missed(written):
    path, beside = written(part(scores()))
    with pytest.raises(BadRecord, match="without its groups by drawings"):
        scores_of(part(scores()).model_copy(update={"groups": None}))
    kept = {name: array for name, array in load(beside.read_bytes()).items() if not name.startswith("groups/")}
    data = save(kept)
    beside.write_bytes(data)
    raw = json.loads(path.read_text())
    import hashlib

    raw["outcomes"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    path.write_text(json.dumps(raw))
    with pytest.raises(BadOutcomes, match="holds no outcomes of groups/examples of cub"):
        scores_of(read_record(path).cells[0])


def test_two_kinds_of_groups_of_the_same_examples_are_refused(written):
    with pytest.raises(BadRecord, match="has other groups of the same examples than a cell before it"):
        written(part(scores()), part(scores(groups=GROUPS[::-1].copy()), "rn50"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"halves": HALVES + np.float32(0.01)}, "means over halves of the examples"),
        ({"pool": 0.5}, "shares 0.4 and 0.5 of the training pool drawn by a trial"),
        ({"groups": (GROUPS + 1) % 50}, "what their examples were made from"),
        ({"grouped_by": "persons"}, "examples grouped by drawings and persons"),
        ({"groups": None, "grouped_by": "", "halves": None}, None),  # an older record says nothing of them
    ],
)
def test_records_that_differ_in_them_are_told_apart(make_run, changes, said):
    found = differences(make_run([part(scores())]), make_run([part(scores(**changes))]))
    assert found.cells == (() if said is None else (f"few_shot[clip, cub]: {said}",))


def test_the_gate_counts_groups(make_run):
    """A candidate that gains and loses whole drawings: open with groups, decided if every view counted by itself."""
    base, candidate = scores(0.6), scores(0.57)
    plain = {"groups": None, "grouped_by": "", "halves": None}
    widths = []
    for changes in ({"halves": None}, plain):
        records = [make_run([part(dataclasses.replace(s, **changes))]) for s in (base, candidate)]
        (cell,) = gate_records(*records, Margins()).decision.cells
        widths.append(cell.high - cell.low)
    assert widths[0] > 1.5 * widths[1]
