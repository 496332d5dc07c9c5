"""Nothing of a dataset is left out without a word: it is read, refused by name, or counted in one line."""

import os
import warnings

import datasets
import numpy as np
import paper_data
import pytest
from PIL import Image

from mmbench.datasets.folders import image_folder
from mmbench.datasets.hf_dataset import RowImages
from mmbench.datasets.notes import DatasetWarning, note
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadItem

RNG = np.random.default_rng(0)


def put(file, row=None):
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (5, 4, 3), dtype=np.uint8) if row is None else np.full((5, 4, 3), row, np.uint8)
    Image.fromarray(pixels).save(file, "PNG")


@pytest.fixture
def pets(tmp_path):
    """Two classes of two images in train and in test."""
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            for row in range(2):
                put(tmp_path / "pets" / split / name / f"{row}.png")
    return tmp_path / "pets"


def silent(root):
    """The dataset, which gives no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return image_folder(root).load()


# -- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", "__MACOSX", ".cache"])
def test_hidden_folders_and_files_are_no_part_of_it(pets, hidden):
    for place in (pets, pets / "train", pets / "test", pets / "train" / "cat"):
        put(place / hidden / "0.png")
    put(pets / "train" / "cat" / "._0.png")
    (pets / "train" / "cat" / ".DS_Store").touch()
    found = silent(pets)
    assert found.classes == ("cat", "dog")
    assert found.split("train").ids == ("train/cat/0.png", "train/cat/1.png", "train/dog/0.png", "train/dog/1.png")


@pytest.mark.parametrize("name", ["val", "valid", "validation", "dev"])
def test_a_validation_split_has_many_names(pets, name):
    for label in ("cat", "dog"):
        put(pets / name / label / "0.png")
    assert len(silent(pets).split("valid")) == 2


@pytest.mark.parametrize("name", ["tset", "extra", "Train", "unlabelled"])
def test_a_folder_that_is_no_split_is_refused(pets, name):
    put(pets / name / "cat" / "0.png")
    with pytest.raises(
        BadDataset, match=rf"pets has the folder '{name}', which is no split \(train, valid, validation, "
    ):
        image_folder(pets)


def test_two_names_of_one_split_are_refused(pets):
    for name in ("val", "dev"):
        put(pets / name / "cat" / "0.png")
    with pytest.raises(BadDataset, match="pets has 'dev' and 'val', which mean the same split"):
        image_folder(pets)


@pytest.mark.parametrize(
    "suffix", ["png", "apng", "jpg", "JPEG", "jpe", "jfif", "webp", "gif", "tif", "bmp", "avif", "ppm"]
)
def test_every_suffix_of_a_format_that_is_read_is_an_image(pets, suffix):
    put(pets / "train" / "cat" / f"more.{suffix}")
    assert len(silent(pets).split("train")) == 5


def test_files_that_are_no_images_are_counted_in_one_line(pets):
    for name in ("a.txt", "b.jp2", "c.eps", "d.heic"):
        (pets / "train" / "cat" / name).write_text("x")
    (pets / "test" / "labels.csv").write_text("x")
    with pytest.warns(DatasetWarning) as said:
        image_folder(pets).load()
    assert len(said) == 1
    assert str(said[0].message) == (
        f"imagefolder:{pets}: 5 files passed over, which are no images: 'test/labels.csv', 'train/cat/a.txt', "
        "'train/cat/b.jp2' and 2 more"
    )


def test_an_image_outside_of_a_class_is_refused(pets):
    put(pets / "train" / "0.png")
    with pytest.raises(BadDataset, match=r"train/0\.png is an image outside of the class folders"):
        image_folder(pets)


def test_a_class_folder_without_images_is_refused(pets):
    (pets / "test" / "bird").mkdir()
    with pytest.raises(BadDataset, match=r"test/bird has no images; remove the folder, or put images there \(\."):
        image_folder(pets)


def test_links(pets, tmp_path):
    """A linked file is a file, a linked class is a class; a linked folder within one is said, a broken link refused."""
    put(tmp_path / "elsewhere" / "0.png")
    (pets / "train" / "cat" / "linked.png").symlink_to(tmp_path / "elsewhere" / "0.png")
    for split in ("train", "test"):
        (pets / split / "emu").symlink_to(tmp_path / "elsewhere")
    assert len(silent(pets).split("train")) == 6
    (pets / "train" / "dog" / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.warns(DatasetWarning, match=r"1 folders passed over, which are links: 'train/dog/more'"):
        assert len(image_folder(pets).load().split("train")) == 6
    (pets / "train" / "dog" / "gone.png").symlink_to(tmp_path / "nothing.png")
    with pytest.raises(BadDataset, match=r"gone\.png is a link to a file that does not exist; repair or remove it"):
        image_folder(pets)


def test_a_pipe_among_the_images_is_refused(pets):
    os.mkfifo(pets / "train" / "dog" / "p.png")
    with pytest.raises(BadDataset, match=r"p\.png is not a plain file; remove it"):
        image_folder(pets)


def test_names_that_are_not_utf8(pets):
    """Classes, ids and digests are text all the same, and two classes stay two."""
    for split in ("train", "test"):
        for name in (b"caf\xe9", b"caf\xe8"):
            put(pets / split / os.fsdecode(name) / os.fsdecode(b"\xff.png"))
    entry = image_folder(pets)
    found = entry.load()
    assert found.classes == (r"caf\xe8", r"caf\xe9", "cat", "dog")
    assert found.split("test").ids[:2] == (r"test/caf\xe8/\xff.png", r"test/caf\xe9/\xff.png")
    assert len(found.split("test").digest()) == len(entry.identity()) == len(found.split("test").images.digest(0)) == 64


def test_a_line_is_short_and_none_is_said_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        note("pets", "files passed over", [])
    with pytest.warns(DatasetWarning, match=r"^pets: 2 files passed over: 'a', 'b'$"):
        note("pets", "files passed over", ["a", "b"])
    with pytest.warns(DatasetWarning, match=r"^pets: 1,000 files passed over \(why\): '0', '1', '2' and 997 more$"):
        note("pets", "files passed over", list(map(str, range(1000))), "why")


# -- shards --------------------------------------------------------------------------------------------------------


def members(rows):
    return {f"{row}.{kind}": part for row in rows for kind, part in (("png", b"x"), ("cls", b"%d" % (row % 2)))}


@pytest.fixture
def shards(tmp_path):
    for split in ("train", "test"):
        paper_data.shard(tmp_path / f"{split}-000.tar", members(range(4)))
    return tmp_path


@pytest.mark.parametrize("name", ["val-000.tar", "valid.tar", "validation_0.tar", "dev/7.tar", "val000.tar"])
def test_a_validation_split_of_shards_has_many_names(shards, name):
    paper_data.shard(shards / name, members(range(2)))
    assert {split: len(part) for split, part in resolve(f"webdataset:{shards}").load().splits.items()} == {
        "train": 4,
        "valid": 2,
        "test": 4,
    }


@pytest.mark.parametrize("name", ["testimony.tar", "more/0.tar", "cc3m-train-000.tar", "tests.tar", "Train-1.tar"])
def test_a_shard_of_no_split_is_refused(shards, name):
    paper_data.shard(shards / name, members(range(2)))
    with pytest.raises(BadDataset, match=rf"{name} belongs to no split \(train, .*rename or move it"):
        resolve(f"webdataset:{shards}").load()


def test_shards_that_are_lacking_or_compressed_are_refused(tmp_path):
    for split in ("train", "test"):
        paper_data.shard(tmp_path / split / "0.tar", members(range(4)))
        (tmp_path / split / "nshards.txt").write_text("1\n")
    assert resolve(f"webdataset:{tmp_path}").load()
    (tmp_path / "train" / "nshards.txt").write_text("3\n")
    with pytest.raises(BadDataset, match=r"nshards\.txt promises 3 shards, and 1 are there; copy the others too"):
        resolve(f"webdataset:{tmp_path}").load()
    (tmp_path / "train" / "nshards.txt").unlink()
    (tmp_path / "train" / "1.tar.gz").touch()
    with pytest.raises(BadDataset, match=r"1\.tar\.gz is compressed, and shards are read in place; unpack it"):
        resolve(f"webdataset:{tmp_path}").load()


def test_two_names_of_one_split_of_shards_are_refused(shards):
    for name in ("val-0.tar", "dev-0.tar"):
        paper_data.shard(shards / name, members(range(2)))
    with pytest.raises(BadDataset, match="has shards of 'dev' and of 'val', which mean the same split"):
        resolve(f"webdataset:{shards}").load()


def test_hidden_members_are_no_part_of_a_shard(tmp_path):
    """What macOS packs beside each file would be a second item, or a part of the first."""
    extra = {"__MACOSX/._0.png": b"\0\5", "._0.cls": b"\0\5", ".git/0.png": b"x"}
    paper_data.shard(tmp_path / "test.tar", {**extra, **members(range(2))})
    assert resolve(f"webdataset:{tmp_path}").load().split("test").ids == ("test/0", "test/1")


def test_a_shard_that_is_no_file_is_refused(shards):
    os.mkfifo(shards / "test-001.tar")
    with pytest.raises(BadDataset, match=r"test-001\.tar is a pipe or a device, expected a plain file"):
        resolve(f"webdataset:{shards}").load()
    (shards / "test-001.tar").unlink()
    (shards / "test-001.tar").symlink_to(shards / "nothing.tar")
    with pytest.raises(BadDataset, match=r"test-001\.tar is a link to a file that does not exist"):
        resolve(f"webdataset:{shards}").load()


# -- Hugging Face --------------------------------------------------------------------------------------------------


def saved(folder, **cells):
    features = datasets.Features(image=datasets.Image(), label=datasets.Value("string"))
    made = {
        split: datasets.Dataset.from_dict({"image": rows, "label": ["a", "b"] * (len(rows) // 2)}, features=features)
        for split, rows in cells.items()
    }
    datasets.DatasetDict(made).save_to_disk(folder)


def test_other_splits_are_counted_in_one_line(tmp_path):
    cells = [{"bytes": paper_data.png(np.full((3, 3, 3), row, np.uint8)), "path": None} for row in range(2)]
    saved(tmp_path / "hf", train=cells, test=cells, unsupervised=cells)
    with pytest.warns(DatasetWarning, match=r"hf: 1 splits passed over: 'unsupervised'$"):
        assert list(resolve(f"hf_dataset:{tmp_path / 'hf'}").load().splits) == ["train", "test"]


def test_an_image_outside_of_the_dataset_is_refused(tmp_path):
    """Its identity would not know of the file, so that another image in its place would go unseen."""
    for row in range(2):
        put(tmp_path / f"{row}.png", row)
    table = datasets.Dataset.from_dict(
        {"image": [{"bytes": None, "path": str(tmp_path / f"{row}.png")} for row in range(2)], "label": ["a", "b"]},
        features=datasets.Features(
            image={"bytes": datasets.Value("binary"), "path": datasets.Value("string")}, label=datasets.Value("string")
        ),
    )
    table.save_to_disk(tmp_path / "hf")
    images = RowImages(datasets.load_from_disk(str(tmp_path / "hf")), "image", "hf")
    with pytest.raises(BadItem, match=r"hf, row 1 names the file '.*1\.png' and does not hold its bytes"):
        images.image(1)
    with pytest.raises(BadItem, match="does not hold its bytes"):
        images.digest(1)
    known = RowImages(images.rows, "image", "hf", home=tmp_path)
    assert known.image(1).getpixel((0, 0)) == (1, 1, 1)
