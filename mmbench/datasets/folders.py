"""Images in files: folders of classes, and one image file read with a clear outcome for each kind of damage."""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.errors import BadDataset, BadItem

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 64_000_000
SPLITS = ("train", "valid", "test")


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """An image file as RGB: the first frame of an animation, 16-bit scaled to 8, transparency laid on white.

    Raises BadItem, naming the file, when it is empty, truncated, no image, or has more than ``max_pixels``; the size is
    read from the header, before anything is decoded.
    """
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise BadItem(f"{path} is not there")
    if path.stat().st_size == 0:
        raise BadItem(f"{path} is empty (0 bytes); copy it again or remove it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked below
            with Image.open(path) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise BadItem(f"{path} has {width} x {height} pixels, more than the limit of {max_pixels:,}")
                image.seek(0)
                image.load()
                return _to_rgb(image)
    except UnidentifiedImageError:
        raise BadItem(f"{path} is no image that can be read; remove it or convert it to PNG") from None
    except Image.DecompressionBombError:
        raise BadItem(f"{path} has more pixels than the limit of {max_pixels:,}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise BadItem(f"{path} cannot be decoded ({error}); copy it again or remove it") from error


def _to_rgb(image: Image) -> Image:
    from PIL import Image as Images

    if image.mode.startswith("I") or image.mode == "F":  # PIL's own conversion would clip 16 bits at 255
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(float(values.max(initial=0.0)), 1e-12)
        return Images.fromarray(np.rint(np.clip(values / top, 0, 1) * 255).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Images.new("RGBA", clear.size, (255, 255, 255, 255))
        return Images.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


class FileImages:
    """Image files, decoded one at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, index: int) -> Image:
        return read_image(self.paths[index])

    def digest(self, index: int) -> str:
        """Hex SHA-256 of the file. Raises BadItem when it cannot be read."""
        return file_digest(self.paths[index])


def image_folder(root: Path) -> DatasetEntry:
    """``root/train/CLASS/*.png``, ``root/test/CLASS/*.png`` and perhaps ``valid``, as a dataset entry.

    The folders are listed at once, so that a wrong layout is told before anything is encoded. Raises BadDataset.
    """
    listing = _listing(root)
    classes = tuple(sorted({name for files in listing.values() for name, _ in files}))
    if len(classes) < 2:
        only = f"only the class {classes[0]!r}" if classes else "no class folders with images"
        raise BadDataset(f"{root} has {only}; there must be two classes or more, each a folder in train and in test")
    for split, files in listing.items():
        lacking = sorted(set(classes) - {name for name, _ in files})
        if lacking:
            raise BadDataset(
                f"{root / split} has no images of {', '.join(map(repr, lacking))}; every split needs every class"
            )
    return DatasetEntry(
        name=f"imagefolder:{root}",
        load=functools.partial(_load, root, classes),
        identity=functools.partial(_identity, root),
        classes=len(classes),
        counts={split: len(files) for split, files in listing.items()},
        about=f"Images in the folders of {root}.",
    )


def _listing(root: Path) -> dict[str, list[tuple[str, Path]]]:
    """Class and path of every image file, by split, in order of their names."""
    if not root.is_dir():
        raise BadDataset(f"{root} is not a folder; an image folder holds train/CLASS/ and test/CLASS/")
    for split in ("train", "test"):
        if not (root / split).is_dir():
            raise BadDataset(f"{root} has no folder {split!r}; an image folder holds train/CLASS/ and test/CLASS/")
    return {
        split: [
            (folder.name, path)
            for folder in sorted(part for part in (root / split).iterdir() if part.is_dir())
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in SUFFIXES and path.is_file()
        ]
        for split in SPLITS
        if (root / split).is_dir()
    }


def _load(root: Path, classes: tuple[str, ...]) -> Dataset:
    splits = {}
    for split, files in _listing(root).items():
        ids = tuple(path.relative_to(root).as_posix() for _, path in files)
        labels = np.array([classes.index(name) for name, _ in files], dtype=np.int64)
        splits[split] = Split(ids, labels, FileImages([path for _, path in files]))
    return Dataset(f"imagefolder:{root}", classes, splits)


def _identity(root: Path) -> str:
    """Digest of every file's name and bytes, so that two machines agree."""
    hasher = hashlib.sha256()
    for files in _listing(root).values():
        for _, path in files:
            hasher.update(f"{path.relative_to(root).as_posix()}\0{file_digest(path)}\n".encode())
    return hasher.hexdigest()


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file, read once as long as its size and time of change stay. Raises BadItem."""
    try:
        stat = path.stat()
        return _file_digest(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise BadItem(f"{path} cannot be read ({error.strerror})") from error


@functools.lru_cache(maxsize=1_000_000)
def _file_digest(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
