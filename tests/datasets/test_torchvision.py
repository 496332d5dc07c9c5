"""The papers' datasets in their real layouts, made small here; a forged pickle runs nothing."""

import contextlib
import gzip
import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
import paper_data
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from mmbench.datasets.declared import Declared
from mmbench.datasets.specs import resolve
from mmbench.datasets.torchvision import KNOWN, read_arrays, torchvision_dataset
from mmbench.errors import BadDataset, BadItem, MissingAsset, UnknownName

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(12) % 10
CLASSES = [f"class {label}" for label in range(10)]


PARTS = {"train": (IMAGES[:10], LABELS[:10]), "test": (IMAGES[10:], LABELS[10:])}
SIZES = Declared(10, {"train": 10, "test": 2})
LAYOUTS = {
    "CIFAR10": lambda root: paper_data.cifar10(root, PARTS, CLASSES),
    "CIFAR100": lambda root: paper_data.cifar100(root, PARTS, CLASSES),
    "MNIST": lambda root: paper_data.mnist(root, PARTS),
    "FashionMNIST": lambda root: paper_data.mnist(root, PARTS, "FashionMNIST", zipped=True),
    "SVHN": lambda root: paper_data.svhn(root, PARTS),
    "CUB200": lambda root: paper_data.cub(root, PARTS, 10),
}


def test_every_known_dataset_is_tested():
    assert set(LAYOUTS) == set(KNOWN)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_real_layout_is_read(tmp_path, name):
    LAYOUTS[name](tmp_path)
    dataset = torchvision_dataset(name, tmp_path, SIZES).load()
    for split, rows in (("train", range(10)), ("test", (10, 11))):
        part = dataset.split(split)
        assert part.labels.tolist() == LABELS[list(rows)].tolist()
        assert len(set(part.ids)) == len(part.images) == len(rows)
        assert part.images.image(0).mode == "RGB"
        assert part.images.digest(0) != part.images.digest(1)
    if name.startswith(("CIFAR", "SVHN")):
        np.testing.assert_array_equal(np.asarray(dataset.split("test").images.image(1)), IMAGES[11])


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100", "MNIST", "SVHN"])
def test_torchvision_reads_the_same(tmp_path, name, monkeypatch):
    """Differential: torchvision itself, with its checksum of the real files switched off."""
    datasets = pytest.importorskip("torchvision.datasets")
    LAYOUTS[name](tmp_path)
    kind = getattr(datasets, name)
    monkeypatch.setattr(kind, "_check_exists" if name == "MNIST" else "_check_integrity", lambda self: True)
    if name.startswith("CIFAR"):
        monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    theirs = kind(tmp_path, split="test") if name == "SVHN" else kind(tmp_path, train=False)
    ours = torchvision_dataset(name, tmp_path, SIZES).load().split("test")
    assert [int(label) for _, label in theirs] == ours.labels.tolist()
    for row, (image, _) in enumerate(theirs):
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), np.asarray(ours.images.image(row)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_missing_file_is_named_and_nothing_is_downloaded(tmp_path, name):
    entry = torchvision_dataset(name, tmp_path)
    for ask in (entry.load, entry.identity):
        with pytest.raises(MissingAsset, match=r"does not exist; mmbench does not download this dataset"):
            ask()


def test_identity_follows_the_files(tmp_path):
    LAYOUTS["SVHN"](tmp_path)
    before = torchvision_dataset("SVHN", tmp_path).identity()
    assert torchvision_dataset("SVHN", tmp_path).identity() == before
    stored = {"X": IMAGES[:1].transpose(1, 2, 3, 0), "y": np.array([[1]])}
    savemat(tmp_path / "test_32x32.mat", stored)
    assert torchvision_dataset("SVHN", tmp_path).identity() != before


class Attack:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def test_a_forged_pickle_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paper_data.dump(tmp_path / "meta", Attack())
    with pytest.raises(BadItem, match=r"meta is not one of CIFAR's files: it refers to posix\.mkdir"):
        read_arrays(tmp_path / "meta")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x02]q\x00.", pickle.dumps({"a": 1})[:-3]])
def test_a_file_that_is_no_pickled_dict_is_named(tmp_path, content):
    (tmp_path / "meta").write_bytes(content)
    with pytest.raises(BadItem, match=r"meta is not one of CIFAR's files"):
        read_arrays(tmp_path / "meta")


def test_a_cut_idx_file_is_refused(tmp_path):
    LAYOUTS["MNIST"](tmp_path)
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BadItem, match=r"train-images-idx3-ubyte is not a whole IDX file"):
        torchvision_dataset("MNIST", tmp_path).load()


def test_labels_that_do_not_fit_are_refused(tmp_path):
    LAYOUTS["MNIST"](tmp_path)
    home = tmp_path / "MNIST" / "raw"
    (home / "train-labels-idx1-ubyte").write_bytes(paper_data.idx(np.full(10, 11)))
    with pytest.raises(BadDataset, match=r"labels outside its 10 classes in 'train'"):
        torchvision_dataset("MNIST", tmp_path).load()
    (home / "train-labels-idx1-ubyte").write_bytes(paper_data.idx(LABELS[:9]))
    with pytest.raises(BadDataset, match=r"has 10 images but 9 labels"):
        torchvision_dataset("MNIST", tmp_path).load()


def test_an_unknown_name_suggests_the_nearest(tmp_path):
    with pytest.raises(UnknownName, match=r"no torchvision dataset named 'CIFAR1O'. Did you mean 'CIFAR10'"):
        torchvision_dataset("CIFAR1O", tmp_path)


def test_the_declared_sizes_are_those_of_the_protocols():
    assert {name: (known.classes, known.counts["train"], known.counts["test"]) for name, known in KNOWN.items()} == {
        "CIFAR10": (10, 50_000, 10_000),
        "CIFAR100": (100, 50_000, 10_000),
        "MNIST": (10, 60_000, 10_000),
        "FashionMNIST": (10, 60_000, 10_000),
        "SVHN": (10, 73_257, 26_032),
        "CUB200": (200, 5_994, 5_794),
    }


@pytest.mark.parametrize("name", LAYOUTS)
def test_sizes_are_held_against_the_published_ones(tmp_path, name):
    LAYOUTS[name](tmp_path)
    with pytest.raises(BadDataset, match=rf"torchvision:{name} in {tmp_path} has .* expected [\d,]+; is it complete\?"):
        torchvision_dataset(name, tmp_path).load()


def test_a_part_of_a_dataset_says_its_sizes(tmp_path):
    LAYOUTS["MNIST"](tmp_path)
    with pytest.raises(BadDataset, match=r"has 10 items in 'train', expected 60,000; .* declare its size: \?train=10$"):
        torchvision_dataset("MNIST", tmp_path, Declared(None, {"test": 2})).load()
    spec = f"torchvision:MNIST?root={tmp_path}&train=10&test=2"
    assert resolve(spec).counts == {"train": 10, "test": 2}
    assert len(resolve(spec).load().split("train")) == 10


def test_an_unset_variable_is_named(monkeypatch):
    monkeypatch.delenv("MMBENCH_DATA", raising=False)
    entry = torchvision_dataset("SVHN", Path("$MMBENCH_DATA"))
    with pytest.raises(
        MissingAsset, match=r"\$MMBENCH_DATA/train_32x32.mat does not exist; set MMBENCH_DATA to the folder"
    ):
        entry.load()


def test_a_table_that_leads_out_of_its_folder_is_refused(tmp_path):
    LAYOUTS["CUB200"](tmp_path)
    table = tmp_path / "CUB_200_2011" / "images.txt"
    table.write_text(table.read_text().replace("001.Some_Bird_0/bird_0000.jpg", "../../../etc/passwd"))
    for ask in (torchvision_dataset("CUB200", tmp_path, SIZES).load, torchvision_dataset("CUB200", tmp_path).identity):
        with pytest.raises(
            BadDataset, match=r"images\.txt names the file '\.\./\.\./\.\./etc/passwd', which is not a path inside"
        ):
            ask()


def test_tables_of_different_images_are_refused(tmp_path):
    LAYOUTS["CUB200"](tmp_path)
    table = tmp_path / "CUB_200_2011" / "train_test_split.txt"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))
    with pytest.raises(BadDataset, match=r"do not list the same images: 12 is not in all"):
        torchvision_dataset("CUB200", tmp_path, SIZES).load()


def test_a_bomb_among_mnists_files_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("mmbench.datasets.torchvision.MOST_BYTES", 1 << 20)
    LAYOUTS["FashionMNIST"](tmp_path)
    path = tmp_path / "FashionMNIST" / "raw" / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(4 << 20)))
    with pytest.raises(BadItem, match=r"ubyte\.gz unpacks to more than 1,048,576 bytes"):
        torchvision_dataset("FashionMNIST", tmp_path, SIZES).load()


@given(cut=st.integers(0, 4000), place=st.integers(0, 4000), value=st.integers(0, 255))
def test_damage_to_a_mat_file_gives_the_images_or_a_clear_error(mat_file, cut, place, value):
    raw = bytearray(mat_file)
    raw[place % len(raw)] = value
    with tempfile.TemporaryDirectory() as folder:
        for split in ("train", "test"):
            (Path(folder) / f"{split}_32x32.mat").write_bytes(bytes(raw[: max(len(raw) - cut, 0)]))
        with contextlib.suppress(BadItem, BadDataset):
            torchvision_dataset("SVHN", Path(folder), Declared(10, {"train": 2, "test": 2})).load()


@pytest.fixture(scope="module")
def mat_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mat")
    small = (IMAGES[:2, :8, :8], LABELS[:2])
    paper_data.svhn(folder, {"train": small})
    return (folder / "train_32x32.mat").read_bytes()
