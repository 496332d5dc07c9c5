"""``torchvision:NAME?root=DIR``: the papers' own image datasets, read in place, in torchvision's layouts.

Nothing is downloaded. Sizes and layouts are the published ones. CIFAR's files are pickles: they are read by an
unpickler that can build arrays, lists and strings and refuses every other name, so that a forged file cannot run code.
"""

from __future__ import annotations

import functools
import gzip
import io
import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.declared import Declared, files_identity, inside, is_there, on_disk
from mmbench.datasets.declared import need as need_in
from mmbench.datasets.entry import Dataset, DatasetEntry, ImageSource, Split
from mmbench.datasets.images import REFERENCE, ArrayImages, FileImages
from mmbench.datasets.source import SOURCES, DatasetSource
from mmbench.datasets.text_files import lines_of, read_text
from mmbench.errors import BadDataset, BadItem, UnknownName

Part = tuple[ImageSource, NDArray[np.int64], tuple[str, ...]]
"""Images, labels and ids of a split."""


@dataclass(frozen=True)
class Reader:
    """How a dataset is stored on disk: its class names, one split, all files that decide it, and the few that show
    whether it is on this machine."""

    classes: Callable[[Path], tuple[str, ...]]
    part: Callable[[Path, str], Part]
    paths: Callable[[Path], list[Path]]
    needed: Callable[[Path], list[Path]]


LAYOUT = "torchvision's layout"
need = functools.partial(need_in, layout=LAYOUT)


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
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}, which CIFAR's files never do")
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


def _cifar(folder: str, meta: str, *, names: str, labels: str, files: dict[str, tuple[str, ...]]) -> Reader:
    def classes(root: Path) -> tuple[str, ...]:
        found = read_arrays(root / folder / meta).get(names)
        if not isinstance(found, list):
            raise BadItem(f"{root / folder / meta} does not hold CIFAR's {names!r}")
        return tuple(str(name).replace("_", " ") for name in found)  # as a prompt has them: "aquarium fish"

    def part(root: Path, split: str) -> Part:
        batches = [read_arrays(root / folder / file) for file in files[split]]
        try:
            flat = np.concatenate([np.asarray(batch["data"], dtype=np.uint8) for batch in batches])
            pixels = flat.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            found = np.concatenate([np.asarray(batch[labels], dtype=np.int64) for batch in batches])
        except (KeyError, ValueError, TypeError) as error:
            raise BadItem(f"{root / folder} does not hold CIFAR's {split!r} batches ({error})") from error
        return _array_part(split, pixels, found)

    def paths(root: Path) -> list[Path]:
        return [root / folder / file for file in (meta, *files["train"], *files["test"])]

    return Reader(classes, part, paths, paths)


# -- MNIST and FashionMNIST ----------------------------------------------------------------------------------------


MOST_BYTES = 256 << 20  # MNIST's largest file has 47 MB


def _idx(path: Path) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes, plain or gzipped. Raises BadItem when header and length differ."""
    file = path if is_there(path) else need(path.with_name(path.name + ".gz"))
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadItem(f"{file} cannot be unpacked ({error})") from error
    if len(raw) > MOST_BYTES:
        raise BadItem(f"{file} unpacks to more than {MOST_BYTES:,} bytes; no file of MNIST is so large")
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
        return [path if is_there(path) else path.with_name(path.name + ".gz") for path in plain]

    return Reader(lambda root: names, part, paths, paths)


# -- SVHN and CUB --------------------------------------------------------------------------------------------------


def _svhn_part(root: Path, split: str) -> Part:
    from scipy.io import loadmat

    path = need(root / f"{split}_32x32.mat")
    try:
        content = loadmat(path, variable_names=("X", "y"))
        pixels, labels = content["X"].transpose(3, 0, 1, 2), content["y"].reshape(-1).astype(np.int64)
        if pixels.dtype != np.uint8 or pixels.shape[3] != 3:
            raise ValueError(f"its images are {pixels.dtype} of {pixels.shape[3]} channels")
    except Exception as error:  # scipy may raise anything on a damaged file
        raise BadItem(f"{path} is not one of SVHN's files ({error})") from error
    return _array_part(split, pixels, labels % 10)  # the digit 0 is stored as 10


def _svhn_paths(root: Path) -> list[Path]:
    return [root / f"{split}_32x32.mat" for split in ("train", "test")]


def _cub_home(root: Path) -> Path:
    return root if is_there(root / "images.txt") else root / "CUB_200_2011"


def _table(path: Path) -> dict[str, str]:
    """A file of lines ``key value``."""
    lines = [line.strip() for line in lines_of(read_text(need(path))) if line.strip()]
    try:
        return dict(line.split(maxsplit=1) for line in lines)
    except ValueError:
        raise BadDataset(f"{path} has a line that is not KEY VALUE") from None


def _cub_classes(root: Path) -> tuple[str, ...]:
    names = _table(_cub_home(root) / "classes.txt")
    return tuple(names[key].split(".", 1)[-1].replace("_", " ") for key in sorted(names, key=int))


def _cub_part(root: Path, split: str) -> Part:
    home = _cub_home(root)
    files, classes = _table(home / "images.txt"), _table(home / "image_class_labels.txt")
    side = _table(home / "train_test_split.txt")
    if not files.keys() == classes.keys() == side.keys():
        odd = sorted((files.keys() ^ classes.keys()) | (files.keys() ^ side.keys()))
        raise BadDataset(f"the tables of {home} do not list the same images: {', '.join(odd[:3])} is not in all")
    keys = [key for key in files if side[key] == {"train": "1", "test": "0"}[split]]
    paths = [inside(home / "images", files[key], home / "images.txt") for key in keys]
    labels = np.array([int(classes[key]) - 1 for key in keys], dtype=np.int64)
    return FileImages(paths, REFERENCE), labels, tuple(files[key] for key in keys)


def _cub_tables(root: Path) -> list[Path]:
    return [_cub_home(root) / f"{name}.txt" for name in ("images", "image_class_labels", "train_test_split", "classes")]


def _cub_paths(root: Path) -> list[Path]:
    tables, home = _cub_tables(root), _cub_home(root)
    return tables + [inside(home / "images", file, tables[0]) for file in _table(tables[0]).values()]


def _cub_needed(root: Path) -> list[Path]:
    return [*_cub_tables(root), _cub_home(root) / "images"]


# -- the datasets --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """A published dataset: how it is read, its sizes, the bytes of its archives, and its credit."""

    reader: Reader
    classes: int
    counts: dict[str, int]
    size: int
    credit: str
    licence: str = ""
    templates: tuple[str, ...] = ("a photo of a {}.",)


DIGITS = tuple("0123456789")
GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}

KNOWN = {
    "CIFAR10": Known(
        _cifar("cifar-10-batches-py", "batches.meta", names="label_names", labels="labels", files=_BATCHES),
        classes=10,
        counts={"train": 50_000, "test": 10_000},
        size=170_498_071,
        credit="CIFAR-10 (Krizhevsky 2009), https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
    "CIFAR100": Known(
        _cifar(
            "cifar-100-python",
            "meta",
            names="fine_label_names",
            labels="fine_labels",
            files={"train": ("train",), "test": ("test",)},
        ),
        classes=100,
        counts={"train": 50_000, "test": 10_000},
        size=169_001_437,
        credit="CIFAR-100 (Krizhevsky 2009), https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
    "MNIST": Known(
        _mnist("MNIST", DIGITS),
        classes=10,
        counts={"train": 60_000, "test": 10_000},
        size=11_594_722,
        credit="MNIST (LeCun, Cortes, Burges), http://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0",
        templates=('a photo of the number: "{}".',),
    ),
    "FashionMNIST": Known(
        _mnist("FashionMNIST", GARMENTS),
        classes=10,
        counts={"train": 60_000, "test": 10_000},
        size=30_878_645,
        credit="Fashion-MNIST (Xiao et al. 2017), https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
    ),
    "SVHN": Known(
        Reader(lambda root: DIGITS, _svhn_part, _svhn_paths, _svhn_paths),
        classes=10,
        counts={"train": 73_257, "test": 26_032},
        size=246_316_178,
        credit="SVHN (Netzer et al. 2011), http://ufldl.stanford.edu/housenumbers/",
        licence="non-commercial use only",
        templates=('a street sign of the number: "{}".',),
    ),
    "CUB200": Known(
        Reader(_cub_classes, _cub_part, _cub_paths, _cub_needed),
        classes=200,
        counts={"train": 5_994, "test": 5_794},
        size=1_150_585_339,
        credit="CUB-200-2011 (Wah et al. 2011), https://www.vision.caltech.edu/datasets/cub_200_2011/",
        templates=("a photo of a {}, a type of bird.",),
    ),
}


def torchvision_dataset(name: str, root: Path, declared: Declared | None = None) -> DatasetEntry:
    """One of the papers' datasets as an entry; its files are looked for when it is loaded. Raises UnknownName.

    ``declared`` are the sizes of a part of it or of a copy of another size; without them, the published ones hold.
    """
    if name not in KNOWN:
        raise UnknownName("torchvision dataset", name, KNOWN)
    known = KNOWN[name]
    return on_disk(
        f"torchvision:{name}",
        functools.partial(_load, name, root),
        functools.partial(_identity, name, root),
        (declared or Declared()).over(Declared(known.classes, known.counts)),
        root,
        templates=known.templates,
        credit=known.credit,
        licence=known.licence,
        about=f"{name}, read from {root}.",
        assets=tuple(f"file:{path}" for path in known.reader.needed(root)),
        size=known.size,
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
    """Digest of all files that decide the dataset. Raises MissingAsset for the first that does not exist."""
    return files_identity(f"{name}", KNOWN[name].reader.paths(root), root, LAYOUT)


SOURCES.add(
    DatasetSource(
        "torchvision",
        "torchvision:NAME?root=DIR",
        entry=lambda spec: torchvision_dataset(spec.name, spec.root, spec.declared),
        needs=("root",),
    )
)
