"""A cell in the record and back: the same scores, and a record that was changed is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.records.cells import cell_part, scores_of
from mmbench.records.outcome_codec import pack
from mmbench.records.schema import BadRecord, CellPart
from mmbench.scores import Scores

CELL = Cell(FEW_SHOT.at(shots=5), "clip", "cub")
DIGESTS = {"items": {"test": "aa"}, "features": "bb", "precision": "float32", "seconds": 0.5}


def scores(metric="accuracy", trials=3, examples=40, seed=0):
    drawn = np.random.default_rng(seed).random((trials, examples))
    outcomes = drawn < 0.6 if metric == "accuracy" else np.round(drawn * 7) / 7
    return Scores(outcomes.astype(np.float32), metric, "digest", 0.1, dict(DIGESTS))


@given(st.sampled_from(["accuracy", "f1_samples"]), st.integers(1, 4), st.integers(1, 50), st.integers(0, 99))
def test_scores_come_back(metric, trials, examples, seed):
    before = scores(metric, trials, examples, seed)
    part = CellPart.model_validate(cell_part(CELL, before, fresh=True))
    after = scores_of(part)
    assert np.array_equal(after.outcomes, before.outcomes)
    assert (after.metric, after.examples) == (before.metric, before.examples)
    assert after.chance == pytest.approx(before.chance, abs=1e-6)
    assert after.provenance == {"fingerprint": CELL.protocol.fingerprint(), "reading": "paper"}


def test_digests_of_the_stages_are_kept_and_nothing_else():
    part = CellPart.model_validate(cell_part(CELL, scores(), fresh=True))
    assert part.made_of == {"items": {"test": "aa"}, "features": "bb", "precision": "float32"}


def test_the_code_reading_has_a_name_of_its_own():
    names = {str(CellPart.model_validate(cell_part(cell, scores(), fresh=True))) for cell in (CELL, code_cell())}
    assert names == {"few_shot_5[clip, cub]", "few_shot_5[clip, cub] (code)"}


def code_cell():
    return Cell(CELL.protocol.code, "clip", "cub")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcomes": None}, "without its outcomes by example; run it again"),
        ({"paired_by": None}, "without its outcomes by example; run it again"),
        ({"outcomes": "AAAA"}, "cannot be unpacked"),
        ({"outcomes": pack(scores(trials=2).outcomes)}, "the record was changed"),
        ({"outcomes": pack(scores(seed=1).outcomes)}, "the record was changed"),
        ({"outcomes": pack(2 * scores().outcomes)}, "metric accuracy: expected outcomes from 0 to 1, found 0 to 2"),
        ({"examples": 41}, "the record was changed"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, message):
    part = CellPart.model_validate(cell_part(CELL, scores(), fresh=True) | changes)
    with pytest.raises(BadRecord, match=message) as caught:
        scores_of(part)
    assert str(caught.value).startswith("few_shot_5[clip, cub]")


def test_one_flipped_outcome_is_noticed():
    before = scores(examples=50_000)
    changed = before.outcomes.copy()
    changed[0, 0] = 1 - changed[0, 0]
    part = CellPart.model_validate(cell_part(CELL, before, fresh=True) | {"outcomes": pack(changed)})
    with pytest.raises(BadRecord, match="the record was changed"):
        scores_of(part)
