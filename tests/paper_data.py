"""The paper lineup's datasets in their real layouts, a few items each.

``write_datasets(folder)`` fills ``folder`` and gives the lineup file that binds them, with the sizes of these copies.
The writers of single layouts serve the datasets' own tests too: each takes ``parts``, images uint8
``[n, height, width, 3]`` and labels int ``[n]`` by split.
"""

from __future__ import annotations

import csv
import gzip
import io
import pickle
import struct
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

import paper_collections as collections
import paper_words as words

Parts = Mapping[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]


def joined(parts: Parts) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """All images and labels, and the split of each."""
    splits = [split for split, (_, labels) in parts.items() for _ in labels]
    images = np.concatenate([images for images, _ in parts.values()])
    return images, np.concatenate([labels for _, labels in parts.values()]), splits


# -- torchvision's six ---------------------------------------------------------------------------------------------


def cifar10(root: Path, parts: Parts, names: Sequence[str]) -> None:
    """Five training batches of nearly equal size."""
    home = root / "cifar-10-batches-py"
    for number, rows in enumerate(np.array_split(np.arange(len(parts["train"][1])), 5), start=1):
        dump(home / f"data_batch_{number}", _batch(parts["train"], rows, "labels"))
    dump(home / "test_batch", _batch(parts["test"], np.arange(len(parts["test"][1])), "labels"))
    dump(home / "batches.meta", {"label_names": list(names), "num_cases_per_batch": 2})


def cifar100(root: Path, parts: Parts, names: Sequence[str]) -> None:
    home = root / "cifar-100-python"
    for split, part in parts.items():
        dump(home / split, _batch(part, np.arange(len(part[1])), "fine_labels"))
    dump(home / "meta", {"fine_label_names": list(names), "coarse_label_names": ["things"]})


def _batch(part: tuple[NDArray[np.uint8], NDArray[np.int64]], rows: NDArray[np.int64], key: str) -> dict[str, Any]:
    images, labels = part
    flat = images[rows].transpose(0, 3, 1, 2).reshape(len(rows), 3072)
    return {"data": flat, key: labels[rows].tolist(), "filenames": ["x.png"] * len(rows), "batch_label": "a batch"}


def dump(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def mnist(root: Path, parts: Parts, folder: str = "MNIST", *, zipped: bool = False) -> None:
    """The first channel of the upper left 28 x 28 pixels, as IDX files."""
    home = root / folder / "raw"
    home.mkdir(parents=True)
    for split, (images, labels) in parts.items():
        start = {"train": "train", "test": "t10k"}[split]
        for kind, array in (("images-idx3", images[:, :28, :28, 0]), ("labels-idx1", labels)):
            path = home / f"{start}-{kind}-ubyte"
            if zipped:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(idx(array), mtime=0))
            else:
                path.write_bytes(idx(array))


def idx(array: NDArray[Any]) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def svhn(root: Path, parts: Parts) -> None:
    """The digit 0 is stored as 10."""
    from scipy.io import savemat

    for split, (images, labels) in parts.items():
        stored = np.where(labels == 0, 10, labels)[:, None]
        savemat(root / f"{split}_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": stored})


def cub(root: Path, parts: Parts, classes: int) -> None:
    home = root / "CUB_200_2011"
    names = [f"{label + 1:03d}.Some_Bird_{label}" for label in range(classes)]
    lines: dict[str, list[str]] = {"images": [], "image_class_labels": [], "train_test_split": []}
    for row, (image, label, split) in enumerate(zip(*joined(parts), strict=True)):
        file = f"{names[label]}/bird_{row:04d}.jpg"
        save(image, home / "images" / file)
        lines["images"].append(f"{row + 1} {file}")
        lines["image_class_labels"].append(f"{row + 1} {label + 1}")
        lines["train_test_split"].append(f"{row + 1} {int(split == 'train')}")
    lines["classes"] = [f"{label + 1} {name}" for label, name in enumerate(names)]
    for name, content in lines.items():
        (home / f"{name}.txt").write_text("\n".join(content) + "\n")


def save(image: NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


# -- shards --------------------------------------------------------------------------------------------------------


def png(image: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def shard(path: Path, members: Mapping[str, bytes]) -> None:
    """A plain tar of files, in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def imagenet(root: Path, parts: Parts) -> None:
    """ImageNet's validation images in folders of the first synsets."""
    from mmbench.datasets.imagenet import synsets

    for number, (image, label) in enumerate(zip(*parts["test"], strict=True)):
        save(image, root / synsets()[label] / f"ILSVRC2012_val_{number:08d}.JPEG")


# -- tables --------------------------------------------------------------------------------------------------------


def table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


# -- the whole lineup ----------------------------------------------------------------------------------------------

SHOTS, TEST = 10, 2  # items a class in train and test: claims draw ten
TWEETS = 345  # of which 28 are held out: claims about MVSA draw a hundred a class
FEW = 3  # classes, where the layout lets a copy have fewer
COMPARED = 5  # classes of ImageNet: a correlation over classes needs four
WHOLE = {"classes": 10, "train": 10 * SHOTS, "test": 10 * TEST}
PART = {"classes": FEW, "train": FEW * SHOTS, "test": FEW * TEST}
SIZES = {
    **dict.fromkeys(("mnist", "fashion_mnist", "svhn"), WHOLE),
    **dict.fromkeys(("cifar10", "cifar100", "cub"), PART),
    "imagenet": {"classes": COMPARED, "test": COMPARED * TEST},
    "mvsa": {"train": 317, "test": 28},
    **{role: {"train": 29 * SHOTS, "test": 29 * TEST} for role in ("book_covers", "book_covers_masked")},
}
FILMS = {"train": 60, "valid": 12, "test": 24}


# Specifications of roles that are made of several files, with ``{}`` for the folder; the rest as in the paper lineup.
WORDS = {
    "visual_words": "hyperclasses:(imagenet:val?root={0}/imagenet&classes=5&test=10)?wordnet={0}/wordnet",
    "wikipedia": "corpus:{0}/wikipedia/articles.txt?vocabulary={0}/wikipedia/vocab.txt&dim=3",
    "analogies_semantic": "analogies:semantic?file={0}/questions.txt",
    "analogies_morphology": "analogies:morphology?file={0}/questions.txt",
    "wordsim353": "word_pairs:wordsim353?file={0}/pairs.tsv",
    "simlex999": "word_pairs:simlex999?file={0}/pairs.tsv",
    "mangolin_tmdb": "subset:(plotster:films?root={0}/plotster&text=plot&lists=own)?ids={0}/plotster/mangolin_ids.txt",
}
# What the small copies need besides the paper lineup's options.
OWN_OPTIONS = {"mvsa": ["held_out=8"], "plotster": ["lists=own"]}


def write_datasets(folder: Path) -> Path:
    """Write every dataset that the paper lineup binds, small, below ``folder``; give the lineup file that binds them.

    The specifications are the paper lineup's own, with the sizes of these copies. Pictures repeat, in a dataset and
    between datasets, so that a large network has few to encode: the store keeps each once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ["first", "second", "third"]
    mnist(folder, pictures(10, 28, seed=0))
    mnist(folder, pictures(10, 28, seed=0), "FashionMNIST", zipped=True)
    svhn(folder, pictures(10, 32, seed=1))
    cifar10(folder, pictures(FEW, 32, seed=1), names)
    cifar100(folder, pictures(FEW, 32, seed=1), names)
    cub(folder, pictures(FEW, 60, seed=5), FEW)
    imagenet(folder / "imagenet", pictures(COMPARED, 60, seed=5))
    collections.mvsa_in_small(folder / "mvsa", TWEETS)
    collections.books_in_small(folder / "book_covers", SHOTS, TEST)
    collections.films_in_small(folder / "plotster", FILMS)
    words.write(folder)
    return _lineup(folder)


def pictures(classes: int, side: int, seed: int) -> Parts:
    """Ten items a class to train on, all of one picture, and two different ones to test on."""
    made = np.empty((classes, 3, side, side, 3), dtype=np.uint8)
    for label in range(classes):
        rng = np.random.default_rng([seed, label])
        made[label] = rng.integers(0, 200, 3) + rng.integers(0, 56, made[label].shape)
    train = np.repeat(made[:, 0], SHOTS, axis=0)
    labels = np.arange(classes, dtype=np.int64)
    return {
        "train": (train, np.repeat(labels, SHOTS)),
        "test": (made[:, 1:].reshape(-1, side, side, 3), np.repeat(labels, TEST)),
    }


ATTACKED = (0.001, 0.01, 0.05, 0.25, 0.75, 2.0)  # the epsilons that claims ask for


def _lineup(folder: Path) -> Path:
    from mmbench.datasets import specs
    from mmbench.lineups import load_lineup

    lines = ["[lineup]", 'name = "paper_in_small"', 'extends = "paper"']
    lines += ["[reduced.attack_sweep]", "images = 1", "steps = 1", f"epsilon = {[0.0, *ATTACKED]}"]
    lines += ["[reduced.attack]", "images = 1"]
    lines += ["[reduced.attack_checks]", "images = 1", "steps = 1", "[reduced.transfer]", "images = 1", "steps = 1"]
    for role, binding in load_lineup("paper").datasets.items():
        if role in WORDS:
            lines += [
                f"[datasets.{role}]",
                f'spec = "{WORDS[role].format(folder)}"',
                'note = "a few items, for a test"',
            ]
            continue
        name, _, query = binding.spec.replace("$MMBENCH_DATA", str(folder)).partition("?")
        kept = [option for option in query.split("&") if option.partition("=")[0] not in specs.SIZES]
        kept += OWN_OPTIONS.get(binding.spec.partition(":")[0], [])
        sizes = [f"{key}={value}" for key, value in SIZES.get(role, FILMS).items()]
        lines += [f"[datasets.{role}]", f'spec = "{name}?{"&".join(kept + sizes)}"', 'note = "a few items, for a test"']
    path = folder / "paper_in_small.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
