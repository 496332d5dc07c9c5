"""Captions: a bench writes about some test images, stores the cell, and keeps apart whatever could change a text."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench import lineup_source
from mmbench.bench.bench import Bench
from mmbench.bench.keys import cell_key
from mmbench.bench.solving import metric_of, probe_of
from mmbench.datasets.entry import Split
from mmbench.errors import BadSpec, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs.captions import parts
from mmbench.inputs.pixels import chosen
from mmbench.probes.captioning import CAPTIONED_NAMES
from mmbench.protocol import Cell, Roles

from ..tiny_lineup import CLASSES, VOCABULARY, dataset, tiny_lineup, writer

PAIR = Roles("clip", "gpt2")


def protocol(**changed):
    given = {"prompt": "a thing", "max_tokens": 3, "images": 20} | changed
    return dataclasses.replace(CAPTIONED_NAMES, settings=dataclasses.replace(CAPTIONED_NAMES.settings, **given))


CELL = Cell(protocol(), PAIR, "cifar10")


@pytest.fixture
def bench(tmp_path):
    def make(datasets=None, **models):
        given = {"cifar10": dataset(n=1500)} | (datasets or {})
        lineup = tiny_lineup({"gpt2": writer()} | models, given)
        return Bench(lineup, Store(tmp_path / "store"), progress=False)

    return make


def key(bench, cell):
    return cell_key(bench.source, cell, probe_of(cell.protocol), metric_of(bench.source, cell))


def test_a_writer_that_sees_colours_names_them_and_the_cell_is_stored(bench):
    first = bench()
    scores = first.scores(CELL)
    assert scores.outcomes.shape == (2, 20)
    assert scores.mean == 100
    test = first.source.dataset("cifar10").split("test")
    rows = chosen(len(test), 20)
    assert scores.examples == Split(tuple(test.ids[row] for row in rows), test.labels[rows]).digest()
    assert scores.chance == np.bincount(test.labels[rows]).max() / 20
    again = bench()
    assert not again.fresh(CELL)
    np.testing.assert_array_equal(again.scores(CELL).outcomes, scores.outcomes)
    assert [cost.kind for cost in again.costs] == ["cell"]


def test_inputs_are_vectors_of_the_writers_space(bench):
    inputs = bench().inputs(CELL)
    assert inputs.images.shape == (2, 20, len(VOCABULARY))
    assert [VOCABULARY[row.argmax()] for row in inputs.images[0]] == [CLASSES[label] for label in inputs.truth]
    assert [VOCABULARY[row.argmax()] for row in (*inputs.opening, *inputs.prompt)] == ["<start>", "a", "thing"]
    assert not np.array_equal(inputs.images[0], inputs.images[1])  # each trial has its own map


@pytest.mark.parametrize("changed", [{"prompt": "a"}, {"images": 10}, {"max_tokens": 2}, {"beams": 2}])
def test_every_setting_is_in_the_key(bench, changed):
    assert key(bench(), CELL) == key(bench(), CELL) is not None
    assert key(bench(), Cell(protocol(**changed), PAIR, "cifar10")) != key(bench(), CELL)


def test_prompt_number_of_images_and_writer_are_parts(bench):
    source = bench().source
    assert parts(source, CELL)[-1] == {"classes": CLASSES, "prompt": "a thing", "images": 20}
    other = parts(bench(gpt2=writer(weights="other")).source, CELL)
    assert [a == b for a, b in zip(parts(source, CELL), other, strict=True)] == [True, False, False, True, True]


def test_device_precision_and_search_are_in_the_writers_key(bench, monkeypatch):
    source = bench().source
    found = {source.generator_key(source.model("gpt2"))}
    for option, value in (("device", "cuda:1"), ("precision", "bf16")):
        found.add(dataclasses.replace(source, **{option: value}).generator_key(source.model("gpt2")))
    monkeypatch.setattr(lineup_source, "program_digest", lambda modules, rooms: "another search")
    found.add(source.generator_key(source.model("gpt2")))
    assert len(found - {None}) == 4


def test_cells_of_different_prompts_are_not_solved_together(bench):
    made = bench()
    cells = [CELL, Cell(protocol(prompt="shows red"), PAIR, "cifar10")]
    made.plan(cells)
    assert made.scores(cells[0]).mean == 100
    assert made.scores(cells[1]).mean == 0  # two colours were seen, and so nothing is written


def test_a_writer_that_cannot_be_identified_is_measured_and_never_stored(bench):
    made = bench(gpt2=writer(weights=None))
    assert key(made, CELL) is None
    assert made.scores(CELL).mean == 100
    assert bench(gpt2=writer(weights=None)).fresh(CELL)


def test_a_model_that_writes_nothing_is_refused_before_anything_is_encoded(bench):
    made = bench()
    with pytest.raises(Unmeasured, match=r"^words writes no text; .* of lineup 'tiny' these have one: gpt2$"):
        made.scores(Cell(CELL.protocol, Roles("clip", "clip_t"), "cifar10"))
    assert made.costs == []


@pytest.mark.parametrize(
    ("cell", "error", "message"),
    [
        (Cell(CELL.protocol, Roles("gpt2", "clip"), "cifar10"), Unmeasured, r"order image, text; got gpt2 \(text\)"),
        (Cell(CELL.protocol, "clip", "cifar10"), BadSpec, "the probe 'captioning' takes an image encoder and a text"),
        (Cell(CELL.protocol.at_layer("stage1"), PAIR, "cifar10"), BadSpec, "from the output only, not layer 'stage1'"),
        (Cell(protocol(images=0), PAIR, "cifar10"), BadSpec, "at least one image is needed, got images=0"),
        (Cell(CELL.protocol, PAIR, "several"), Unmeasured, "judges one label an item, and several has several"),
    ],
)
def test_what_cannot_be_captioned_is_refused(bench, cell, error, message):
    made = bench({"several": dataset("several", multi=True)})
    with pytest.raises(error, match=message):
        made.inputs(cell)
