"""The papers' own image datasets, read where they lie on disk, in torchvision's layouts; nothing is downloaded.

Sizes and layouts are those of PROTOCOLS 0.4. CIFAR's files are pickles: they are read by an unpickler that can build
arrays, lists and strings and refuses every other name, so that a forged file can run nothing.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.entry import Dataset, DatasetEntry, ImageSource, Split
from mmbench.datasets.folders import FileImages, file_digest
from mmbench.errors import BadDataset, BadItem, MissingAsset, UnknownName

if TYPE_CHECKING:
    from PIL.Image import Image

Part = tuple[ImageSource, NDArray[np.int64], tuple[str, ...]]
"""Images, labels and ids of a split."""


@dataclass(frozen=True)
class Reader:
    """How a dataset lies on disk: its class names, one split, and all files that decide it."""

    classes: Callable[[Path], tuple[str, ...]]
    part: Callable[[Path, str], Part]
    paths: Callable[[Path], list[Path]]


class ArrayImages:
    """Images held as uint8 ``[n, height, width]`` or ``[n, height, width, 3]``."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def image(self, index: int) -> Image:
        from PIL import Image

        return Image.fromarray(np.ascontiguousarray(self.pixels[index])).convert("RGB")

    def digest(self, index: int) -> str:
        """Hex SHA-256 of shape and pixels."""
        pixels = np.ascontiguousarray(self.pixels[index])
        return hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def need(path: Path) -> Path:
    """The path, or MissingAsset that names it."""
    if not path.exists():
        raise MissingAsset(
            f"{path} is not there; mmbench does not download this dataset, put it there in torchvision's layout"
        )
    return path


def _array_part(prefix: str, pixels: NDArray[np.uint8], labels: NDArray[Any]) -> Part:
    if len(pixels) != len(labels):
        raise BadDataset(f"{prefix} has {len(pixels)} images but {len(labels)} labels")
    ids = tuple(f"{prefix}-{row:05d}" for row in range(len(labels)))
    return ArrayImages(pixels), labels.astype(np.int64), ids


# -- CIFAR ---------------------------------------------------------------------------------------------------------


class _ArraysOnly(pickle.Unpickler):
    """Builds what CIFAR's files hold and nothing else."""

    ALLOWED = frozenset(
        {
            *(("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")),
            *(("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no file of CIFAR does")
        return super().find_class(module, name)


def read_arrays(path: Path) -> dict[str, Any]:
    """A pickled dict of arrays, lists and strings. Raises BadItem for anything else."""
    try:
        content = _ArraysOnly(io.BytesIO(need(path).read_bytes()), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, ImportError, IndexError) as error:
        raise BadItem(f"{path} is not one of CIFAR's files: {error}") from error
    if not isinstance(content, dict):
        raise BadItem(f"{path} is not one of CIFAR's files: it holds a {type(content).__name__}")
    return content


def _cifar(folder: str, meta: str, names: str, labels: str, files: dict[str, tuple[str, ...]]) -> Reader:
    def classes(root: Path) -> tuple[str, ...]:
        return tuple(read_arrays(root / folder / meta)[names])

    def part(root: Path, split: str) -> Part:
        batches = [read_arrays(root / folder / file) for file in files[split]]
        flat = np.concatenate([np.asarray(batch["data"], dtype=np.uint8) for batch in batches])
        pixels = flat.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return _array_part(split, pixels, np.concatenate([np.asarray(batch[labels]) for batch in batches]))

    def paths(root: Path) -> list[Path]:
        return [root / folder / file for file in (meta, *files["train"], *files["test"])]

    return Reader(classes, part, paths)


# -- MNIST and FashionMNIST ----------------------------------------------------------------------------------------


def _idx(path: Path) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes, plain or gzipped. Raises BadItem when header and length disagree."""
    file = path if path.exists() else need(path.with_name(path.name + ".gz"))
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as error:
        raise BadItem(f"{file} cannot be unpacked ({error})") from error
    rank = raw[3] if len(raw) > 3 and raw[:3] == b"\0\0\x08" else 0
    shape = tuple(int(size) for size in np.frombuffer(raw[4 : 4 + 4 * rank], dtype=">u4"))
    if not rank or len(shape) != rank or len(raw) != 4 + 4 * rank + int(np.prod(shape)):
        raise BadItem(f"{file} is not a whole IDX file of bytes; copy it again")
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)


def _mnist(folder: str, names: tuple[str, ...]) -> Reader:
    def files(root: Path, split: str) -> list[Path]:
        start = root / folder / "raw" / {"train": "train", "test": "t10k"}[split]
        return [Path(f"{start}-images-idx3-ubyte"), Path(f"{start}-labels-idx1-ubyte")]

    def part(root: Path, split: str) -> Part:
        images, labels = files(root, split)
        return _array_part(split, _idx(images), _idx(labels))

    def paths(root: Path) -> list[Path]:
        plain = files(root, "train") + files(root, "test")
        return [path if path.exists() else path.with_name(path.name + ".gz") for path in plain]

    return Reader(lambda root: names, part, paths)


# -- SVHN and CUB --------------------------------------------------------------------------------------------------


def _svhn_part(root: Path, split: str) -> Part:
    from scipy.io import loadmat

    path = need(root / f"{split}_32x32.mat")
    try:
        content = loadmat(path, variable_names=("X", "y"))
        pixels, labels = content["X"].transpose(3, 0, 1, 2), content["y"].reshape(-1).astype(np.int64)
    except (ValueError, KeyError, TypeError, NotImplementedError, OSError) as error:
        raise BadItem(f"{path} is not one of SVHN's files ({error})") from error
    return _array_part(split, pixels, labels % 10)  # the digit 0 is stored as 10


def _svhn_paths(root: Path) -> list[Path]:
    return [root / f"{split}_32x32.mat" for split in ("train", "test")]


def _cub_home(root: Path) -> Path:
    return root if (root / "images.txt").exists() else root / "CUB_200_2011"


def _table(path: Path) -> dict[str, str]:
    """A file of lines ``key value``."""
    return dict(line.split(maxsplit=1) for line in need(path).read_text().splitlines() if line.strip())


def _cub_classes(root: Path) -> tuple[str, ...]:
    names = _table(_cub_home(root) / "classes.txt")
    return tuple(names[key].strip().split(".", 1)[-1].replace("_", " ") for key in sorted(names, key=int))


def _cub_part(root: Path, split: str) -> Part:
    home = _cub_home(root)
    files, classes = _table(home / "images.txt"), _table(home / "image_class_labels.txt")
    side = _table(home / "train_test_split.txt")
    wanted = {"train": "1", "test": "0"}[split]
    keys = [key for key in files if side[key].strip() == wanted]
    paths = [home / "images" / files[key].strip() for key in keys]
    labels = np.array([int(classes[key]) - 1 for key in keys], dtype=np.int64)
    return FileImages(paths), labels, tuple(files[key].strip() for key in keys)


def _cub_paths(root: Path) -> list[Path]:
    home = _cub_home(root)
    tables = [home / f"{name}.txt" for name in ("images", "image_class_labels", "train_test_split", "classes")]
    return tables + [home / "images" / file.strip() for file in _table(tables[0]).values()]


# -- the datasets --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    reader: Reader
    classes: int
    counts: dict[str, int]
    templates: tuple[str, ...] = ("a photo of a {}.",)


DIGITS = tuple("0123456789")
GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}

KNOWN = {
    "CIFAR10": Known(
        _cifar("cifar-10-batches-py", "batches.meta", "label_names", "labels", _BATCHES),
        10,
        {"train": 50_000, "test": 10_000},
    ),
    "CIFAR100": Known(
        _cifar(
            *("cifar-100-python", "meta", "fine_label_names", "fine_labels"), {"train": ("train",), "test": ("test",)}
        ),
        100,
        {"train": 50_000, "test": 10_000},
    ),
    "MNIST": Known(_mnist("MNIST", DIGITS), 10, {"train": 60_000, "test": 10_000}, ('a photo of the number: "{}".',)),
    "FashionMNIST": Known(_mnist("FashionMNIST", GARMENTS), 10, {"train": 60_000, "test": 10_000}),
    "SVHN": Known(
        Reader(lambda root: DIGITS, _svhn_part, _svhn_paths),
        *(10, {"train": 73_257, "test": 26_032}, ('a street sign of the number: "{}".',)),
    ),
    "CUB200": Known(
        Reader(_cub_classes, _cub_part, _cub_paths),
        *(200, {"train": 5_994, "test": 5_794}, ("a photo of a {}, a type of bird.",)),
    ),
}


def torchvision_dataset(name: str, root: Path) -> DatasetEntry:
    """One of the papers' datasets as an entry; its files are looked for when it is loaded. Raises UnknownName."""
    if name not in KNOWN:
        raise UnknownName("torchvision dataset", name, KNOWN)
    known = KNOWN[name]
    return DatasetEntry(
        name=f"torchvision:{name}",
        load=functools.partial(_load, name, root),
        identity=functools.partial(_identity, name, root),
        classes=known.classes,
        counts=known.counts,
        templates=known.templates,
        about=f"{name}, read from {root}.",
    )


def _load(name: str, root: Path) -> Dataset:
    reader, splits = KNOWN[name].reader, {}
    classes = reader.classes(root)
    for split in ("train", "test"):
        images, labels, ids = reader.part(root, split)
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
            raise BadDataset(f"{name} in {root} has labels outside its {len(classes)} classes in {split!r}")
        splits[split] = Split(ids, labels, images)
    return Dataset(f"torchvision:{name}", classes, splits)


def _identity(name: str, root: Path) -> str:
    """Digest of all files that decide the dataset. Raises MissingAsset for the first that is not there."""
    hasher = hashlib.sha256(name.encode())
    for path in KNOWN[name].reader.paths(root):
        hasher.update(file_digest(need(path)).encode())
    return hasher.hexdigest()
