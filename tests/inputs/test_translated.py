"""Captions written from translated vectors: a bench of toys scores them, and keys see what could change a text."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench.bench import Bench
from mmbench.bench.keys import cell_key
from mmbench.bench.solving import metric_of, probe_of
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import grouped
from mmbench.errors import BadItem, BadSpec, UnknownName, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs.translated import TRANSLATIONS, references_of
from mmbench.probes.entry import PROBES
from mmbench.probes.written_captions import SCORES, captions_by
from mmbench.protocol import Cell, Roles
from mmbench.training.unpaired import image_of, image_rows

from ..tiny_lineup import CLASSES, Blocks, dataset, tiny_lineup, words, writer

pytest.importorskip("pycocoevalcap")  # of the extra captions
MODELS = Roles("clip", "clip_t", "writer")
TRAININGS = {
    "caption_decoder": {
        "mapper": "mlp", "prefix": 2, "epochs": 30, "batch_size": 6, "learning_rate": 0.03, "warm_up": 2
    },
    "latent_cyclegan": {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "warm_up": 2},
}  # fmt: skip


def captioned(name="captioned", *, empty=False):
    """Images of one colour, each with two captions that are the colour's word (and, once, nothing)."""

    def part(split, images, seed):
        shown = np.arange(images) % 3
        labels = np.repeat(shown, 2).astype(np.int64)
        texts = [CLASSES[label] for label in labels]
        if empty:
            texts[3] = " "
        pixels = Blocks(shown, seed)
        pixels.pixels = np.repeat(pixels.pixels, 2, axis=0)
        ids = tuple(f"{split}{i // 2}/{i % 2}" for i in range(2 * images))
        return Split(ids, labels, pixels, tuple(texts), grouped([i.split("/")[0] for i in ids], "images"))

    def load():
        return Dataset(name, CLASSES, {"train": part("train", 24, 1), "test": part("test", 9, 2)})

    return DatasetEntry(name, load, lambda: f"{name}-{empty}", 3, modalities=("image", "text"))


@pytest.fixture
def bench(tmp_path):
    def make(data=None, reduced=None, trainings=None, **models):
        lineup = tiny_lineup({"writer": writer()} | models, {"coco_captions": data or captioned()})
        lowered = {"written_captions": {"beams": 1, "max_tokens": 4} | (reduced or {})}
        lineup = dataclasses.replace(lineup, reduced=lowered, trainings=TRAININGS | (trainings or {}))
        return Bench(lineup, Store(tmp_path / "store"), progress=False)

    return make


def ask(how, metric="bleu1", models=MODELS, **changed):
    protocol = captions_by(how, metric)
    return Cell(dataclasses.replace(protocol, settings=dataclasses.replace(protocol.settings, **changed)), models,
                "coco_captions")  # fmt: skip


def test_the_colour_is_written_and_a_run_for_all_metrics_is_stored(bench):
    first = bench()
    cells = [ask("paired_map", metric) for metric in ("bleu4", "cider")] + [
        ask("true_text", metric) for metric in SCORES
    ]
    cells = [cell for cell in cells if cell.protocol.metric != "meteor"]
    first.plan(cells)
    found = {cell: first.scores(cell) for cell in cells}
    written = [cost for cost in first.costs if cost.kind == "cell"]
    assert {cost.seconds for cost in written[:2]} == {written[0].seconds}  # one probe call solved both metrics
    assert found[ask("true_text", "bleu1")].mean == pytest.approx(1.0)
    assert found[ask("true_text", "rouge_l")].mean == pytest.approx(1.0)
    assert found[ask("true_text")].outcomes.shape == (3, 9)
    again = bench()
    assert not any(again.fresh(cell) for cell in cells)
    assert bench().inputs(ask("true_text")).ids == tuple(f"test{i}/0" for i in range(9))


def test_features_give_clip_scores_in_one_space_and_none_across_two(bench):
    scores = bench().scores(ask("true_text", "ref_clip_score"))
    assert scores.mean == pytest.approx(2 * 2.5 / 3.5, rel=0.05)  # noise on images keeps their cosine below 1
    other = bench(clip_t=dataclasses.replace(words(), name="apart", space=""))
    with pytest.raises(Unmeasured, match="of one space"):
        other.scores(ask("true_text", "clip_score"))
    assert other.scores(ask("true_text", "bleu1")).mean == pytest.approx(1.0)


@pytest.mark.parametrize("how", TRANSLATIONS)
def test_every_translation_gives_vectors_for_each_trial(bench, how):
    small = {name: TRAININGS["latent_cyclegan"] for name in TRANSLATIONS if name.startswith("latent")}
    inputs = bench(trainings=small).inputs(ask("none", translation=how))
    inputs.check()
    assert inputs.vectors.shape == (3, 9, 3)
    same = np.allclose(inputs.vectors[0], inputs.vectors[1])
    assert same == (not how.startswith("latent"))  # networks of three seeds


def test_whatever_could_change_a_text_is_in_the_key(bench):
    def key(made, cell):
        return cell_key(made.source, cell, probe_of(cell.protocol), metric_of(made.source, cell))

    cell = ask("latent_cyclegan")
    base = key(bench(), cell)
    assert base == key(bench(), cell) is not None
    changed = [
        key(bench(), ask("mean_shift")),
        key(bench(), ask("latent_cyclegan", decoder="caption_decoder_code")),
        key(bench(), ask("latent_cyclegan", beams=2)),
        key(bench(reduced={"images": 4}), cell),
        key(bench(trainings={"latent_cyclegan": {"epochs": 1}}), cell),
        key(bench(trainings={"caption_decoder": {"epochs": 1}}), cell),
        key(bench(writer=writer(weights="other")), cell),
        key(bench(data=captioned("others")), cell),
    ]
    assert len({base, *changed}) == 1 + len(changed)


def test_the_lineup_lowers_images_and_the_code_leaves_small_ones_blank(bench):
    assert len(bench(reduced={"images": 4}).inputs(ask("none")).ids) == 4
    assert bench().inputs(ask("none", blank_below=49)).blank.all()  # 4 x 4 x 3 numbers
    assert not bench().inputs(ask("none", blank_below=48)).blank.any()
    blank = bench().scores(ask("true_text", blank_below=49))
    assert blank.mean == pytest.approx(0.0, abs=1e-6)


def test_the_lineup_lowers_tokens_and_beams(bench):
    def asked(**reduced):
        inputs = bench(reduced=reduced).inputs(ask("none"))
        given = []
        loud = dataclasses.replace(
            inputs, write=lambda prefixes, **how: given.append(how) or inputs.write(prefixes, **how)
        )
        PROBES.get("written_captions").run(loud, [ask("none").protocol.settings], trials=1, seed=0)
        return given

    assert asked(max_tokens=3, beams=2) == [{"max_tokens": 3, "beams": 2}]


def test_bad_input_is_named(bench):
    with pytest.raises(BadItem, match="the caption test1/1 is empty"):
        references_of(captioned(empty=True).load().split("test"), np.array([1]))
    with pytest.raises(UnknownName, match="no translation named 'cyclegan'"):
        bench().inputs(ask("none", translation="cyclegan"))
    with pytest.raises(BadSpec, match="3 trials need as many networks"):
        bench(trainings={"latent_cyclegan": {"epochs": 1, "networks": 2}}).inputs(ask("latent_cyclegan"))
    bare = dataclasses.replace(dataset().load().split("train"), texts=None)
    entry = dataclasses.replace(dataset(), load=lambda: Dataset("bare", CLASSES, {"train": bare, "test": bare}))
    with pytest.raises(Unmeasured, match="coco_captions has no texts"):
        bench(data=entry).inputs(ask("none"))


def test_images_are_numbered_as_they_are_first_shown():
    split = captioned().load().split("test")
    assert image_of(split).tolist() == [i // 2 for i in range(18)]
    order = [3, 0, 2, 1]
    mixed = Split(
        tuple(split.ids[i] for i in order), split.labels[order], groups=grouped(["b", "a", "b", "a"], "images")
    )
    assert image_of(mixed).tolist() == [0, 1, 0, 1]
    assert image_rows(mixed).tolist() == [0, 1]
    alone = dataclasses.replace(mixed, groups=grouped(["b", None, "b", None], "images"))
    assert image_of(alone).tolist() == [0, 1, 0, 2]
    assert references_of(dataclasses.replace(split), image_rows(split)).shape == (9, 2)
