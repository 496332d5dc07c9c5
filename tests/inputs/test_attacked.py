"""Inputs of attacks beyond pixels: targets, a model's own head, distances in meaning, and pixels of two models."""

import dataclasses
import re

import numpy as np
import pytest
import torch

from mmbench.bench.bench import Bench
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.images import ArrayImages
from mmbench.errors import BadDataset, BadSpec, UnknownName, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs import meant, pixels, transferred
from mmbench.inputs.meant import Meant
from mmbench.inputs.pixels import OURS, OWN
from mmbench.lineups import DatasetBinding, Lineup, ModelBinding
from mmbench.models.encoders import image_encoder, text_encoder
from mmbench.models.entry import Identity, ModelEntry, Preprocess
from mmbench.probes.attack import PGD
from mmbench.probes.attack_checks import LOSSES, NO_GRADIENT, TRANSFER
from mmbench.probes.attack_sweep import NOISE_TARGETED, TARGETED, UNTARGETED
from mmbench.probes.entry import PROBES
from mmbench.probes.semantic_attack import SEMANTIC
from mmbench.protocol import Cell, Roles

SIZE, CLASSES, DIM, N = 4, ("red", "green", "blue", "grey", "pink"), 12, 40
HOW = Preprocess(SIZE, SIZE, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
REDUCED = {"images": 10, "steps": 4, "epsilon": [0.0, 0.01, 0.05, 0.25]}


def split(n, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(CLASSES)
    means = np.random.default_rng(0).integers(60, 190, (len(CLASSES), SIZE, SIZE, 3))
    images = (means[labels] + rng.integers(-20, 20, (n, SIZE, SIZE, 3))).astype(np.uint8)
    return Split(tuple(f"{seed}-{i}" for i in range(n)), labels, ArrayImages(images))


def dataset(name, train=True):
    splits = {"train": split(100, 1), "test": split(N, 2)} if train else {"test": split(N, 2)}
    found = DatasetEntry(name, lambda: Dataset(name, CLASSES, splits), lambda: name, len(CLASSES))
    return dataclasses.replace(found, templates=("a photo of {}.",))


def images(name, seed, size=SIZE, head=None):
    def load():
        torch.manual_seed(seed)
        module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * size**2, DIM), torch.nn.Tanh())
        encoder = image_encoder(module, dataclasses.replace(HOW, size=size, resize=size), DIM)
        encoder.head = (torch.arange(5.0 * DIM).reshape(5, DIM), torch.arange(5.0)) if head else None
        return encoder

    identity = lambda: Identity(f"{name}-w", "small", "last", HOW)  # noqa: E731
    return ModelEntry(name, "image", DIM, load, identity, head=(lambda: head) if head else None)


def words():
    def encode(texts):
        rng = np.random.default_rng(3)
        known = {f"a photo of {name}.": row for name, row in zip(CLASSES, rng.standard_normal((5, 3)), strict=True)}
        return torch.tensor(np.array([known[text] for text in texts]), dtype=torch.float32)

    load = lambda: text_encoder(torch.nn.Identity(), 3, encode)  # noqa: E731
    return ModelEntry("words", "text", 3, load, lambda: Identity("words-w", "table", "last"))


def bound(cls, role, entry):
    binding = cls(role, role)
    binding.__dict__["entry"] = entry
    return binding


@pytest.fixture
def bench(tmp_path):
    models = {
        "clip": images("one", 0),
        "rn50": images("two", 1, size=2 * SIZE),
        "bit_m": images("with_head", 2, head=CLASSES),
        "sin": images("with_other_head", 2, head=CLASSES[::-1]),
        "bert_base": words(),
    }
    lineup = Lineup(
        "tiny",
        models={role: bound(ModelBinding, role, entry) for role, entry in models.items()},
        datasets={
            "imagenet": bound(DatasetBinding, "imagenet", dataset("made")),
            "cifar10": bound(DatasetBinding, "cifar10", dataset("test_alone", train=False)),
        },
        reduced=dict.fromkeys(("attack_sweep", "attack_checks", "transfer"), REDUCED),
    )
    return Bench(lineup, Store(tmp_path / "store"), progress=False)


def at(protocol, epsilon=0.05, norm="linf"):
    return protocol.at(norm=norm, epsilon=epsilon)


def test_a_lineup_lowers_images_and_this_is_in_the_key(bench):
    cell = Cell(at(UNTARGETED), "clip", "imagenet")
    assert bench.scores(cell).outcomes.shape == (2, 10)
    before = pixels.parts(bench.source, cell)
    more = dataclasses.replace(bench.lineup, reduced={"attack_sweep": REDUCED | {"steps": 5}})
    bench.source.lineup = more
    assert pixels.parts(bench.source, cell) != before
    assert more.measures_unasked(at(UNTARGETED))
    assert not more.measures_unasked(at(UNTARGETED, 0.1))


@pytest.mark.parametrize(
    ("reduced", "error", "said"),
    [
        ({"attack_sweeps": {"images": 3}}, UnknownName, "no probe named 'attack_sweeps'. Did you mean 'attack_sweep'"),
        ({"attack_sweep": {"image": 3}}, BadSpec, "image = 3: the probe has no such setting; did you mean 'images'?"),
        (
            {"attack": {"steps": 3}},
            BadSpec,
            "lineup tiny: [reduced.attack] steps = 3: the probe does not read it, so it would lower nothing; known: "
            "images, or give a list of the values that are measured unasked",
        ),
        ({"prototypes": {"shots": 1}}, BadSpec, "would lower nothing; no setting of this probe can be lowered"),
        ({"semantic_attack": {"images": 9}}, BadSpec, "would lower nothing; no setting of this probe can be lowered"),
        ({"attack_sweep": {"steps": [3]}}, BadSpec, "steps = [3]: expected one number, the most that is taken"),
        ({"attack_sweep": {"images": 1001}}, BadSpec, "no protocol has more than 1000, so it would lower nothing"),
    ],
)
def test_a_lineup_cannot_lower_what_the_probe_does_not_read(bench, tmp_path, reduced, error, said):
    with pytest.raises(error, match=re.escape(said)):
        Bench(dataclasses.replace(bench.lineup, reduced=reduced), Store(tmp_path), progress=False)


def test_what_a_probe_says_can_be_lowered_is_lowered(bench):
    """For every setting that a probe says can be lowered: fewer images, or no steps and another outcome.

    Captions are written from other inputs: tests/inputs/test_translated.py.
    """
    cells = {
        "attack": Cell(PGD.at(epsilon=0.05), "clip", "imagenet"),
        "attack_sweep": Cell(at(UNTARGETED), "clip", "imagenet"),
        "attack_checks": Cell(LOSSES[-1], "clip", "imagenet"),
        "transfer": Cell(at(TRANSFER, 0.25), Roles("clip", "rn50"), "imagenet"),
    }
    lowering = {(probe.name, setting) for probe in PROBES for setting in probe.lowers if probe.inputs != "translated"}
    assert {name for name, _ in lowering} == set(cells)

    def run(name, **lowered):
        bench.source.lineup = dataclasses.replace(bench.lineup, reduced={name: lowered})
        [made] = PROBES.get(name).run(bench.inputs(cells[name]), [cells[name].protocol.settings], trials=1, seed=0)
        return made

    for name, setting in lowering:
        if setting == "images":
            assert run(name, images=7).shape == (1, 7)
        else:
            assert (run(name, images=9, **{setting: 0}) != run(name, images=9, **{setting: 7})).any(), name


def test_a_targeted_attack_is_compared_with_targets(bench):
    cell = Cell(at(TARGETED), "clip", "imagenet")
    inputs = bench.inputs(cell)
    np.testing.assert_array_equal(inputs.truth, (inputs.labels + 4) % 5)
    large, none = (bench.scores(Cell(at(TARGETED, e), "clip", "imagenet")).mean for e in (2.0, 0.0))
    assert large > none
    assert bench.scores(Cell(at(NOISE_TARGETED), "clip", "imagenet")).metric == "targeted_success"


def test_a_cell_is_the_same_whichever_cells_are_asked_for_beside_it(bench, tmp_path):
    alone = bench.scores(Cell(at(UNTARGETED), "clip", "imagenet")).outcomes
    other = Bench(bench.lineup, Store(tmp_path / "other"), progress=False)
    cells = [Cell(at(UNTARGETED, epsilon), "clip", "imagenet") for epsilon in (0.0, 0.01, 0.05)]
    other.plan(cells)
    np.testing.assert_array_equal(other.scores(cells[2]).outcomes, alone)


def test_the_models_own_head_is_taken_where_it_knows_the_classes(bench):
    own, ours, without = (bench.inputs(Cell(at(UNTARGETED), role, "imagenet")) for role in ("bit_m", "sin", "clip"))
    assert (own.head, ours.head, without.head) == (OWN, OURS, OURS)
    np.testing.assert_array_equal(own.weight, np.tile(np.arange(5.0 * DIM).reshape(5, DIM), (2, 1, 1)))
    assert (ours.weight[0] != ours.weight[1]).any()
    assert bench.scores(Cell(at(UNTARGETED), "bit_m", "imagenet")).provenance["head"] == OWN
    assert bench.scores(Cell(at(UNTARGETED), "clip", "imagenet")).provenance["head"] == OURS


def test_without_a_head_and_a_training_split_it_is_unmeasured_and_says_what_is_missing(bench):
    assert bench.scores(Cell(at(UNTARGETED), "bit_m", "cifar10")).outcomes.shape == (2, 10)
    with pytest.raises(Unmeasured) as found:
        bench.scores(Cell(at(UNTARGETED), "clip", "cifar10"))
    assert "one has none for these 5 classes, and cifar10 has no training split to fit one to" in str(found.value)


def test_distance_in_meaning_is_that_of_label_and_target(bench):
    cell = Cell(SEMANTIC, Roles("clip", "bert_base"), "imagenet")
    found = bench.inputs(cell)
    vectors = np.random.default_rng(3).standard_normal((5, 3))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    labels, targets = found.attacked.labels, found.attacked.targets
    np.testing.assert_allclose(
        found.distance, [1 - unit[a] @ unit[b] for a, b in zip(labels, targets, strict=True)], atol=1e-6
    )
    assert -1 <= bench.scores(cell).mean <= 1
    assert {"prompts": tuple(f"a photo of {name}." for name in CLASSES)} in meant.parts(bench.source, cell)


def test_images_of_one_class_have_one_distance_and_are_one_group(bench):
    found = bench.scores(Cell(SEMANTIC, Roles("clip", "bert_base"), "imagenet"))
    labels = bench.inputs(Cell(SEMANTIC, Roles("clip", "bert_base"), "imagenet")).attacked.labels
    assert 2 <= len(np.unique(labels)) < len(labels)
    same = labels[:, None] == labels
    np.testing.assert_array_equal(found.groups[:, None] == found.groups, same)
    assert found.grouped_by == "classes"
    alone = dataclasses.replace(found, groups=None, grouped_by="").interval()
    assert found.interval() != alone
    swept = bench.scores(Cell(at(TARGETED), "clip", "imagenet"))
    assert swept.groups is None
    assert swept.examples != found.examples


def test_success_that_is_the_same_for_all_images_is_unmeasured(bench):
    reduced = {"attack_sweep": REDUCED | {"epsilon": [0.0, 6.0]}}  # far beyond any boundary
    bench.source.lineup = dataclasses.replace(bench.lineup, reduced=reduced)
    with pytest.raises(Unmeasured, match="succeed equally often on all 10 images"):
        bench.scores(Cell(SEMANTIC, Roles("clip", "bert_base"), "imagenet"))


def test_distances_that_cannot_be_are_refused(bench):
    found = bench.inputs(Cell(SEMANTIC, Roles("clip", "bert_base"), "imagenet"))
    with pytest.raises(BadDataset, match="these images have no targets"):
        Meant(dataclasses.replace(found.attacked, targets=None), found.distance).check()
    with pytest.raises(BadDataset, match="expected a distance for each of 10 images, and not all equal"):
        Meant(found.attacked, np.ones(10)).check()


def test_images_made_for_one_model_are_shown_to_another_of_another_size(bench):
    cell = Cell(at(TRANSFER, 2.0), Roles("clip", "rn50"), "imagenet")
    inputs = bench.inputs(cell)
    assert inputs.attacked.images.shape[2] == SIZE
    assert inputs.shown.images.shape[2] == 2 * SIZE
    assert bench.scores(cell).outcomes.shape == (2, 10)
    none = bench.scores(Cell(at(TRANSFER, 0.0), Roles("rn50", "rn50"), "imagenet"))
    clean = bench.scores(Cell(at(UNTARGETED, 0.0), "rn50", "imagenet"))
    np.testing.assert_array_equal(none.outcomes, clean.outcomes)
    assert len(transferred.parts(bench.source, cell)) == 8
    with pytest.raises(BadDataset, match="both need the same images"):
        dataclasses.replace(inputs, shown=dataclasses.replace(inputs.shown, ids=inputs.shown.ids[::-1])).check()


def test_losses_rise_with_the_share_of_the_steps(bench):
    means = [bench.scores(Cell(protocol, "clip", "imagenet")).mean for protocol in LOSSES]
    assert means == sorted(means)
    assert means[0] < means[-1]
    assert bench.scores(Cell(NO_GRADIENT, "clip", "imagenet")).mean == 0
