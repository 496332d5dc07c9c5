"""The paper lineup's datasets in their real layouts, a few items each.

``write_datasets(folder)`` fills ``folder`` and gives the lineup file that binds them, with the sizes of these copies.
The writers of single layouts serve the datasets' own tests too: each takes ``parts``, images uint8
``[n, height, width, 3]`` and labels int ``[n]`` by split.
"""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
