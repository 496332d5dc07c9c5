"""Pixels: a bench attacks some test images through an encoder and the linear probe's own heads."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench.bench import Bench
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.images import ArrayImages
from mmbench.errors import BadSpec, NoGradients, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs.pixels import chosen, parts, seed_of
from mmbench.lineups import DatasetBinding, Lineup, ModelBinding
from mmbench.models.encoders import image_encoder, text_encoder
from mmbench.models.entry import Identity, ModelEntry, Preprocess
from mmbench.probes.attack import PGD
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.protocol import Cell, Roles

SIZE, CLASSES, DIM = 4, ("red", "green", "blue"), 12
HOW = Preprocess(SIZE, SIZE, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
CLEAN = dataclasses.replace(PGD.at(epsilon=0.0), settings=dataclasses.replace(PGD.settings, epsilon=0.0, images=20))
ATTACK = dataclasses.replace(PGD, settings=dataclasses.replace(PGD.settings, epsilon=0.1, images=20))


def split(n, seed, several=False):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    pixels = rng.integers(0, 150, (n, SIZE, SIZE, 3))
    pixels[np.arange(n), :, :, labels] += 40
    y = np.eye(3, dtype=bool)[labels] if several else labels
    return Split(tuple(f"{seed}-{i}" for i in range(n)), y, ArrayImages(pixels.astype(np.uint8)))


def dataset(task="single"):
    splits = {"train": split(60, 1, task == "multi"), "test": split(50, 2, task == "multi")}
    return DatasetEntry("made", lambda: Dataset("made", CLASSES, splits, task), lambda: f"made-{task}", 3, task=task)


def small(name="small", gradients=True):
    def load():
        import torch

        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIZE**2, DIM), torch.nn.Tanh())
        encoder = image_encoder(module, HOW, DIM)
        return encoder if gradients else dataclasses.replace(encoder, differentiable=None, pixels=None)

    return ModelEntry(name, "image", DIM, load, lambda: Identity(f"{name}-w", "small", "last", HOW))


def words():
    import torch

    load = lambda: text_encoder(torch.nn.Identity(), 3, lambda texts: torch.zeros(len(texts), 3))  # noqa: E731
    return ModelEntry("words", "text", 3, load, lambda: Identity("words-w", "zeros", "last"))


def bound(cls, role, entry):
    binding = cls(role, role)
    binding.__dict__["entry"] = entry
    return binding


@pytest.fixture
def bench(tmp_path):
    def make(task="single"):
        models = {"clip": small(), "bare": small("bare", gradients=False), "clip_t": words()}
        lineup = Lineup(
            "tiny",
            models={role: bound(ModelBinding, role, entry) for role, entry in models.items()},
            datasets={"cifar10": bound(DatasetBinding, "cifar10", dataset(task))},
        )
        return Bench(lineup, Store(tmp_path / "store"), progress=False)

    return make


def test_epsilon_zero_is_the_error_of_the_linear_probe_on_the_same_images(bench):
    clean = bench().scores(Cell(CLEAN, "clip", "cifar10"))
    probe = bench().scores(Cell(dataclasses.replace(LINEAR_PROBE, trials=2), "clip", "cifar10"))
    rows = chosen(50, 20)
    np.testing.assert_array_equal(clean.outcomes, 1 - probe.outcomes[:, rows])
    assert 0 < clean.mean < 100  # else equality would say little
    assert clean.metric == "attack_success"


def test_an_attack_is_measured_once_and_its_heads_are_fitted_once(bench):
    cells = [Cell(protocol, "clip", "cifar10") for protocol in (CLEAN, ATTACK)]
    first = bench()
    first.plan(cells)
    clean, attacked = (first.scores(cell) for cell in cells)
    assert attacked.mean > clean.mean + 10
    assert [cost.fresh for cost in first.costs if cost.kind == "training"] == [True, True]
    again = bench()
    assert not again.fresh(cells[1])
    np.testing.assert_array_equal(again.scores(cells[1]).outcomes, attacked.outcomes)
    other = dataclasses.replace(ATTACK, settings=dataclasses.replace(ATTACK.settings, images=10))
    fewer = again.scores(Cell(other, "clip", "cifar10"))
    assert [cost.fresh for cost in again.costs if cost.kind == "training"] == [False, False]
    kept = np.isin(chosen(50, 20), chosen(50, 10))
    np.testing.assert_array_equal(fewer.outcomes, attacked.outcomes[:, kept])  # whatever the images beside them


def test_inputs_are_pixels_that_the_encoder_takes_as_it_took_the_images(bench):
    import torch

    made = bench()
    inputs = made.inputs(Cell(ATTACK, "clip", "cifar10"))
    rows, test = chosen(50, 20), split(50, 2)
    assert inputs.images.dtype == np.float32
    assert inputs.images.shape == (20, 3, SIZE, SIZE)
    np.testing.assert_allclose(inputs.images[3], test.images.pixels[rows[3]].transpose(2, 0, 1) / 255, rtol=1e-6)
    features = made.features("clip", "cifar10", "test")[rows]
    with torch.no_grad():
        found = inputs.encode(torch.from_numpy(inputs.images)).numpy()
    np.testing.assert_allclose(found, features, atol=1e-5)
    subset = Split(tuple(test.ids[row] for row in rows), test.labels[rows])
    assert inputs.examples(test) == subset.digest() != test.digest()
    np.testing.assert_array_equal(inputs.truth, test.labels[rows])


def test_key_names_features_data_heads_and_number_of_images(bench):
    source = bench().source
    feature, data, head, images = parts(source, Cell(ATTACK, "clip", "cifar10"))
    assert feature == source.feature_key(source.model("clip"))
    assert data == "made-single:single"
    assert head == source.training_key("linear_head", Roles("clip"), "cifar10")
    assert images == {"images": 20}


def test_a_model_of_the_wrong_kind_is_refused(bench):
    with pytest.raises(NoGradients, match="gradients to pixels are needed, and bare has none"):
        bench().scores(Cell(ATTACK, "bare", "cifar10"))
    with pytest.raises(Unmeasured, match=r"expected the encoders in the order image; got clip_t \(text\)"):
        bench().scores(Cell(ATTACK, "clip_t", "cifar10"))
    with pytest.raises(BadSpec, match=r"the probe 'attack' takes one model; got 2: clip, clip_t"):
        bench().scores(Cell(ATTACK, Roles("clip", "clip_t"), "cifar10"))
    with pytest.raises(BadSpec, match="gradients to pixels pass through the output only, not layer 'stem'"):
        bench().scores(Cell(ATTACK.at_layer("stem"), "clip", "cifar10"))


def test_several_labels_an_item_are_refused(bench):
    with pytest.raises(Unmeasured, match="judges one label an item, and cifar10 has several"):
        bench("multi").scores(Cell(ATTACK, "clip", "cifar10"))


def test_chosen_images_are_nested_spread_and_at_least_one():
    few, many = chosen(600, 50), chosen(600, 200)
    assert set(few) < set(many)
    assert (np.diff(many) > 0).all()
    assert many.min() < 60 < 540 < many.max()
    np.testing.assert_array_equal(chosen(5, None), range(5))
    np.testing.assert_array_equal(chosen(5, 9), range(5))
    with pytest.raises(BadSpec) as error:
        chosen(5, 0)
    assert str(error.value) == "at least one image is needed, got images=0"


def test_seeds_of_images_are_63_bits_and_differ():
    seeds = {seed_of(trial, name) for trial in (1, 11) for name in ("1", "11", "a")}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
