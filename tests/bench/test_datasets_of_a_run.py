"""What a bench does with a dataset on a disk: listed once, the same for every cell, and shared images are said."""

import warnings

import numpy as np
import pytest
from PIL import Image

from mmbench.bench.bench import Bench
from mmbench.datasets import folders
from mmbench.datasets.notes import DatasetWarning
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadItem
from mmbench.features.results import UnreadableItem
from mmbench.features.store import Store
from mmbench.probes.neighbours import NEIGHBOURS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell

from ..tiny_lineup import colours, tiny_lineup

CELLS = [Cell(protocol, "clip", "cifar10") for protocol in (*FEW_SHOT.over(shots=(1, 2, 3)), NEIGHBOURS.at(shots=2))]


@pytest.fixture
def pets(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            home = tmp_path / "pets" / split / name
            home.mkdir(parents=True)
            for row in range(4):
                pixels = rng.integers(0, 40, (5, 5, 3), dtype=np.uint8)
                pixels[..., number] += 150
                Image.fromarray(pixels).save(home / f"{row}.png")
    return tmp_path / "pets"


@pytest.fixture
def bench(pets, tmp_path):
    def make():
        entry, _ = colours()
        bound = tiny_lineup({"clip": entry}, {"cifar10": resolve(f"imagefolder:{pets}")})
        return Bench(bound, Store(tmp_path / "store"), progress=False)

    return make


def test_a_warm_run_lists_a_dataset_once(bench, monkeypatch):
    first = bench()
    before = [first.scores(cell) for cell in CELLS]
    second, listed = bench(), []
    whole = folders._listing
    monkeypatch.setattr(folders, "_listing", lambda root: listed.append(root) or whole(root))
    for cell, scores in zip(CELLS, before, strict=True):
        np.testing.assert_array_equal(second.scores(cell).outcomes, scores.outcomes)
    assert not any(cost.fresh for cost in second.costs)
    assert len(listed) == 1


def swap(pets):
    """Two images change places, so that all features are those of images that are known."""
    one, other = (pets / "test" / name / "0.png" for name in ("cat", "dog"))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def test_images_that_change_places_before_they_are_loaded_or_read_are_not_scored(bench, pets):
    before = bench().scores(CELLS[0])
    for begin in (
        lambda run: run.source.dataset_entry("cifar10").identity(),
        lambda run: run.source.dataset("cifar10"),
    ):
        swap(pets)
        swap(pets)
        run = bench()
        begin(run)
        swap(pets)
        with pytest.raises(BadDataset, match="changed during this run"):
            run.scores(Cell(FEW_SHOT.at(shots=4), "clip", "cifar10"))
        swap(pets)
    np.testing.assert_array_equal(bench().scores(CELLS[0]).outcomes, before.outcomes)


def test_images_that_change_places_between_two_models_are_not_scored(bench, pets):
    run = bench()
    run.scores(CELLS[0])
    swap(pets)
    with pytest.raises(UnreadableItem, match=r"test/cat/0\.png.* was replaced after this run read it"):
        run.scores(CELLS[3])


def test_images_in_train_and_in_test_are_said_once(bench, pets):
    for row in range(3):
        copy = pets / "test" / "cat" / f"copy{row}.png"
        copy.write_bytes((pets / "train" / "cat" / f"{row}.png").read_bytes())
    run = bench()
    with pytest.warns(DatasetWarning) as said:
        list(map(run.scores, CELLS))
    assert [str(each.message) for each in said] == [
        f"cifar10 (imagefolder:{pets}): 3 images of test are in train too: 'test/cat/copy0.png', 'test/cat/copy1.png', "
        "'test/cat/copy2.png'"
    ]


def test_nothing_is_said_where_no_image_is_shared(bench):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bench().scores(CELLS[0])


def test_an_image_that_cannot_be_prepared_is_named(bench, pets):
    run = bench()
    encoder = run.source.encoder(run.source.model("clip"))

    def prepare(image):
        if image.size == (5000, 1):
            raise BadItem("an image of 5000 x 1 is too elongated")
        return whole(image)

    whole = encoder.prepare
    object.__setattr__(encoder, "prepare", prepare)
    Image.new("RGB", (5000, 1)).save(pets / "test" / "cat" / "0.png")
    with pytest.raises(
        UnreadableItem, match=r"cannot encode item 'test/cat/0\.png' .*: an image of 5000 x 1 is too elon"
    ):
        run.scores(CELLS[0])
