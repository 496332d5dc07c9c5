"""Items that cannot be decoded stop a run, or are left out for every model, counted and named, where that is asked."""

import numpy as np
import pytest
from PIL import Image

from mmbench.bench.bench import Bench
from mmbench.datasets import bad_items
from mmbench.datasets.bad_items import left_out, without_bad_items
from mmbench.datasets.folders import image_folder
from mmbench.datasets.notes import DatasetWarning
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadItem, MMBenchError
from mmbench.lineups import load_lineup
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell

RNG = np.random.default_rng(0)
NAMED = r"test: 1 items left out, which cannot be decoded \(.*1\.png is empty.*\): 'test/dog/1\.png'"


@pytest.fixture
def pets(tmp_path, own_notes):
    for split, count in (("train", 3), ("test", 3)):
        for name in ("cat", "dog"):
            (tmp_path / "pets" / split / name).mkdir(parents=True)
            for row in range(count):
                pixels = RNG.integers(0, 256, (5, 4, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pets" / split / name / f"{row}.png")
    return tmp_path / "pets"


def spoil(path, content=b""):
    path.write_bytes(content)
    return path


def test_a_dataset_without_bad_items_stays_what_it_is(pets):
    whole = image_folder(pets)
    entry = without_bad_items(whole)
    assert entry.identity() == whole.identity()
    assert left_out(entry.identity()) == ""
    assert [split.ids for split in entry.load().splits.values()] == [s.ids for s in whole.load().splits.values()]


def test_bad_items_are_left_out_counted_and_named(pets):
    spoil(pets / "test" / "dog" / "1.png")
    spoil(pets / "train" / "cat" / "0.png", b"no image at all")
    whole, entry = image_folder(pets), without_bad_items(image_folder(pets))
    with pytest.warns(DatasetWarning) as said:
        dataset = entry.load()
    shown = "\n".join(str(warning.message) for warning in said)
    assert "train: 1 items left out, which cannot be decoded" in shown
    assert "'train/cat/0.png'" in shown
    assert "'test/dog/1.png'" in shown
    test = dataset.split("test")
    assert test.ids == ("test/cat/0.png", "test/cat/1.png", "test/cat/2.png", "test/dog/0.png", "test/dog/2.png")
    assert test.labels.tolist() == [0, 0, 0, 1, 1]
    kept = whole.load().split("test")
    assert [test.images.digest(row) for row in range(5)] == [kept.images.digest(row) for row in (0, 1, 2, 3, 5)]
    assert entry.identity() != whole.identity()
    assert left_out(entry.identity()) == "items that cannot be decoded were left out: 1 of test, 1 of train"


def test_another_bad_item_makes_another_dataset(pets):
    found = set()
    for name in ("0.png", "1.png"):
        before = (pets / "test" / "dog" / name).read_bytes()
        spoil(pets / "test" / "dog" / name)
        found.add(without_bad_items(image_folder(pets)).identity())
        spoil(pets / "test" / "dog" / name, before)
    assert len(found) == 2


def test_images_are_decoded_once_for_one_content(pets, monkeypatch):
    spoil(pets / "test" / "dog" / "1.png")
    monkeypatch.setattr("mmbench.files._JUST_NOW", -1)
    first = without_bad_items(image_folder(pets)).identity()
    monkeypatch.setattr(bad_items, "_why_bad", lambda split, row: pytest.fail("decoded again"))
    again = without_bad_items(image_folder(pets))
    assert again.identity() == first
    with pytest.warns(DatasetWarning, match=NAMED):
        assert len(again.load().split("test")) == 5


def test_texts_labels_and_groups_go_with_the_image(tmp_path, own_notes):
    rows = ["split,image,text,label,group"]
    for row in range(6):
        Image.fromarray(RNG.integers(0, 256, (5, 4, 3), dtype=np.uint8)).save(tmp_path / f"{row}.png")
        rows.append(f"{'train' if row < 2 else 'test'},{row}.png,text {row},{'ab'[row % 2]},g{row // 2}")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    spoil(tmp_path / "4.png")
    entry = without_bad_items(resolve(f"table:{tmp_path / 't.csv'}?image=image&text=text&label=label"))
    with pytest.warns(DatasetWarning, match="1 items left out"):
        test = entry.load().split("test")
    assert test.texts == ("text 2", "text 3", "text 5")
    assert test.labels.tolist() == [0, 1, 1]
    assert test.groups.of.tolist() == [0, 0, 1]


def test_a_split_of_which_nothing_is_left_is_refused(pets):
    for path in (pets / "test").rglob("*.png"):
        spoil(path)
    with pytest.warns(DatasetWarning), pytest.raises(BadDataset, match="none of the 6 images of imagefolder:"):
        without_bad_items(image_folder(pets)).load()


def test_a_run_stops_at_a_bad_item_unless_it_is_asked_to_leave_it_out(pets, tmp_path):
    spoil(pets / "test" / "dog" / "1.png")

    def bench(**options):
        return Bench.open(datasets=[f"cub=imagefolder:{pets}"], store=tmp_path / "store", progress=False, **options)

    role = next(role for role, bound in load_lineup("embedded").models.items() if bound.kind == "untrained")
    cell = Cell(FEW_SHOT.at(shots=1), role, "cub")
    with pytest.raises(BadItem, match=r"1\.png is empty"):
        bench().scores(cell)
    with pytest.warns(DatasetWarning, match=NAMED):
        scores = bench(skip_bad_items=True).scores(cell)
    assert scores.outcomes.shape == (10, 5)
    assert not bench(skip_bad_items=True).fresh(cell)
    with pytest.raises(MMBenchError):
        bench().scores(cell)
