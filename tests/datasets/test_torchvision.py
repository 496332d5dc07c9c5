"""The papers' datasets in their real layouts, made small here; a forged pickle runs nothing."""

import gzip
import os
import pickle
import struct

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmbench.datasets.torchvision import KNOWN, read_arrays, torchvision_dataset
from mmbench.errors import BadDataset, BadItem, MissingAsset, UnknownName

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(12) % 10


def batch(rows, key="labels"):
    flat = IMAGES[rows].transpose(0, 3, 1, 2).reshape(len(rows), 3072)
    return {"data": flat, key: LABELS[rows].tolist(), "filenames": ["x.png"] * len(rows), "batch_label": "a batch"}


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def cifar10(root):
    home = root / "cifar-10-batches-py"
    for number in range(1, 6):
        dump(home / f"data_batch_{number}", batch([2 * number - 2, 2 * number - 1]))
    dump(home / "test_batch", batch([10, 11]))
    dump(home / "batches.meta", {"label_names": [f"class {i}" for i in range(10)], "num_cases_per_batch": 2})


def cifar100(root):
    home = root / "cifar-100-python"
    dump(home / "train", batch(list(range(10)), "fine_labels"))
    dump(home / "test", batch([10, 11], "fine_labels"))
    dump(home / "meta", {"fine_label_names": [f"class {i}" for i in range(100)], "coarse_label_names": ["c"]})


def idx(array):
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def mnist(root, folder="MNIST", *, zipped=False):
    home = root / folder / "raw"
    home.mkdir(parents=True)
    for start, rows in (("train", range(10)), ("t10k", (10, 11))):
        for kind, array in (
            ("images-idx3", IMAGES[list(rows), :28, :28, 0]),
            ("labels-idx1", LABELS[list(rows)]),
        ):
            path = home / f"{start}-{kind}-ubyte"
            if zipped:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(idx(array), mtime=0))
            else:
                path.write_bytes(idx(array))


def svhn(root):
    stored = np.where(LABELS == 0, 10, LABELS)[:, None]
    for split, rows in (("train", slice(0, 10)), ("test", slice(10, 12))):
        savemat(root / f"{split}_32x32.mat", {"X": IMAGES[rows].transpose(1, 2, 3, 0), "y": stored[rows]})


def cub(root):
    home = root / "CUB_200_2011"
    names = [f"{label + 1:03d}.Some_Bird_{label}" for label in range(10)]
    lines = {"images": [], "image_class_labels": [], "train_test_split": []}
    for row, label in enumerate(LABELS):
        file = f"{names[label]}/bird_{row:04d}.jpg"
        (home / "images" / names[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGES[row]).save(home / "images" / file)
        lines["images"].append(f"{row + 1} {file}")
        lines["image_class_labels"].append(f"{row + 1} {label + 1}")
        lines["train_test_split"].append(f"{row + 1} {int(row < 10)}")
    lines["classes"] = [f"{label + 1} {name}" for label, name in enumerate(names)]
    for name, content in lines.items():
        (home / f"{name}.txt").write_text("\n".join(content) + "\n")


LAYOUTS = {
    "CIFAR10": cifar10,
    "CIFAR100": cifar100,
    "MNIST": mnist,
    "FashionMNIST": lambda root: mnist(root, "FashionMNIST", zipped=True),
    "SVHN": svhn,
    "CUB200": cub,
}


def test_every_known_dataset_is_tested():
    assert set(LAYOUTS) == set(KNOWN)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_real_layout_is_read(tmp_path, name):
    LAYOUTS[name](tmp_path)
    dataset = torchvision_dataset(name, tmp_path).load()
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
    ours = torchvision_dataset(name, tmp_path).load().split("test")
    assert [int(label) for _, label in theirs] == ours.labels.tolist()
    for row, (image, _) in enumerate(theirs):
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), np.asarray(ours.images.image(row)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_missing_file_is_named_and_nothing_is_downloaded(tmp_path, name):
    entry = torchvision_dataset(name, tmp_path)
    for ask in (entry.load, entry.identity):
        with pytest.raises(MissingAsset, match=r"is not there; mmbench does not download this dataset"):
            ask()


def test_identity_follows_the_files(tmp_path):
    svhn(tmp_path)
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
    dump(tmp_path / "meta", Attack())
    with pytest.raises(BadItem, match=r"meta is not one of CIFAR's files: it asks for posix\.mkdir"):
        read_arrays(tmp_path / "meta")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x02]q\x00.", pickle.dumps({"a": 1})[:-3]])
def test_a_file_that_is_no_pickled_dict_is_named(tmp_path, content):
    (tmp_path / "meta").write_bytes(content)
    with pytest.raises(BadItem, match=r"meta is not one of CIFAR's files"):
        read_arrays(tmp_path / "meta")


def test_a_cut_idx_file_is_refused(tmp_path):
    mnist(tmp_path)
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BadItem, match=r"train-images-idx3-ubyte is not a whole IDX file"):
        torchvision_dataset("MNIST", tmp_path).load()


def test_labels_that_do_not_fit_are_refused(tmp_path):
    mnist(tmp_path)
    home = tmp_path / "MNIST" / "raw"
    (home / "train-labels-idx1-ubyte").write_bytes(idx(np.full(10, 11)))
    with pytest.raises(BadDataset, match=r"labels outside its 10 classes in 'train'"):
        torchvision_dataset("MNIST", tmp_path).load()
    (home / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:9]))
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
