"""Cells that compare two models: measured, stored and read back over classes; refused, killed and resumed."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_spaces import CELLS, CLASSES, IMAGES, tiny

from mmbench.bench.bench import Bench
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.errors import BadDataset, BadSpec, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs.pair import Pair, Side
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.rdm import RSA, rdm
from mmbench.protocol import Cell, Roles

HERE = Path(__file__).parent


@pytest.fixture
def opened(tmp_path):
    def make(names=CLASSES):
        lineup, batches = tiny(names)
        return Bench(lineup, Store(tmp_path / "store"), progress=False), batches

    return make


def test_it_is_the_correlation_of_the_two_matrices_with_one_outcome_a_class(opened):
    bench, batches = opened()
    scores = bench.scores(CELLS[0])
    one, other = rdm(bench.inputs(CELLS[0]), [RSA.settings], trials=1, seed=0)[0][0]
    above = np.triu_indices(5, 1)
    assert scores.mean == pytest.approx(np.corrcoef(one[above], other[above])[0, 1], abs=1e-6)
    assert scores.outcomes.shape == (1, 5)
    assert scores.metric == "rdm_pearson"
    assert scores.chance == 0.0
    assert scores.classes is None
    assert sum(batches) == 2 * IMAGES


def test_stored_scores_are_read_back_and_nothing_is_encoded_again(opened):
    before = [opened()[0].scores(cell) for cell in CELLS]
    bench, batches = opened()
    for cell, found in zip(CELLS, before, strict=True):
        assert not bench.fresh(cell)
        np.testing.assert_array_equal(bench.scores(cell).outcomes, found.outcomes)
        assert bench.scores(cell).examples == found.examples
    assert batches == []


def test_cells_of_all_pairs_are_paired_by_class(opened):
    bench, _ = opened()
    assert len({bench.scores(cell).examples for cell in CELLS}) == 1


def test_a_model_is_as_it_is_itself(opened):
    bench, _ = opened()
    for role in ("rn50", "clip", "bert"):
        for protocol in (RSA, RSA.code):
            assert bench.scores(Cell(protocol, Roles(role, role), "imagenet")).mean == pytest.approx(1.0)


def test_the_order_of_the_two_does_not_matter_but_is_a_cell_of_its_own(opened):
    bench, _ = opened()
    back = Cell(RSA, Roles("clip", "rn50"), "imagenet")
    assert bench.fresh(back)
    assert bench.scores(back).mean == pytest.approx(bench.scores(CELLS[0]).mean)


def test_another_prompt_and_another_name_of_a_class_are_other_cells(opened):
    bench, _ = opened()
    bench.scores(CELLS[1])
    assert bench.fresh(Cell(RSA.at(template="{}"), Roles("rn50", "bert"), "imagenet"))
    renamed, _ = opened(("pink", *CLASSES[1:]))
    assert renamed.fresh(CELLS[1])
    assert renamed.scores(CELLS[1]).examples != bench.scores(CELLS[1]).examples


def test_planned_cells_of_both_readings_are_solved_as_those_alone(opened, tmp_path):
    bench, _ = opened()
    bench.plan(CELLS)
    together = [bench.scores(cell).outcomes for cell in CELLS]
    for cell, found in zip(CELLS, together, strict=True):
        alone = Bench(tiny()[0], Store(tmp_path / f"alone {cell.protocol.reading}{cell}"), progress=False)
        np.testing.assert_array_equal(alone.scores(cell).outcomes, found)


def test_one_model_is_refused(opened):
    with pytest.raises(BadSpec, match=r"rsa\[rn50, imagenet\]: the probe 'rdm' takes an ordered pair of models; got 1"):
        opened()[0].scores(Cell(RSA, "rn50", "imagenet"))


def test_three_classes_are_refused_before_anything_is_encoded(opened):
    bench, batches = opened(CLASSES[:3])
    with pytest.raises(BadDataset, match=r"imagenet has 3 classes, .* needs at least 4; bind another dataset"):
        bench.scores(CELLS[0])
    assert batches == []


def test_several_labels_an_item_are_unmeasured(opened):
    bench, _ = opened()
    entry = bench.lineup.datasets["imagenet"].entry
    bench.lineup.datasets["imagenet"].__dict__["entry"] = dataclasses.replace(entry, task="multi")
    with pytest.raises(Unmeasured, match="judges one label an item, and imagenet has several"):
        bench.scores(CELLS[0])


def test_classes_are_the_examples_and_pair_by_their_names():
    split = Split(("a", "b"), np.array([1, 0]))
    side = Side("rn50", np.ones((2, 3), np.float32))
    one, same, other = (Pair((side, side), names) for names in (("x", "y"), ("x", "y"), ("x", "z")))
    assert one.truth.tolist() == [0, 1]
    assert one.examples(split) == same.examples(split) != other.examples(split)
    assert one.examples(split) != split.digest()


def test_scores_of_rows_say_the_class_of_each_also_when_read_back(tmp_path):
    lineup, _ = tiny()
    entry = lineup.datasets["imagenet"].entry

    def load():
        test = entry.load().split("test")
        return Dataset("both", CLASSES, {"train": test, "test": test})

    both = DatasetEntry("both", load, lambda: "both", 5)
    lineup.datasets["imagenet"].__dict__["entry"] = both
    cell = Cell(FEW_SHOT, "rn50", "imagenet")
    for _ in range(2):
        scores = Bench(lineup, Store(tmp_path / "store"), progress=False).scores(cell)
        np.testing.assert_array_equal(scores.classes, load().split("test").labels)
        assert len(scores.by_class()) == 5


def test_killed_runs_leave_a_store_that_gives_the_same_scores(tmp_path):
    if not hasattr(os, "fork"):
        pytest.skip("needs a system with fork and SIGKILL")
    done = subprocess.run(
        [sys.executable, str(HERE / "tiny_spaces.py"), str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    rounds = told["rounds"]
    assert told["peace"]["images"] == 2 * IMAGES
    assert all(r["killed"] >= 1 for r in rounds)
    assert any(0 < r["images"] < 2 * IMAGES for r in rounds)  # some half way through the images
    assert any(r["images"] == 0 for r in rounds)  # and some after them
    assert all(r["same"] for r in rounds)
    assert all(r["twice"] == 0 for r in rounds)
