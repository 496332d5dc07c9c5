"""``imagefolder:DIR``: images in folders of classes, as most collections are stored."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from mmbench.datasets.declared import SPLITS, Declared, files_identity, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.images import SUFFIXES, FileImages
from mmbench.datasets.source import SOURCES, DatasetSource
from mmbench.errors import BadDataset


def image_folder(root: Path, declared: Declared | None = None) -> DatasetEntry:
    """``root/train/CLASS/*.png``, ``root/test/CLASS/*.png`` and perhaps ``valid``, as a dataset entry.

    The folders are listed at once, so that a wrong layout is reported before anything is encoded. Raises BadDataset.
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
    found = Declared(len(classes), {split: len(files) for split, files in listing.items()})
    return on_disk(
        f"imagefolder:{root}",
        functools.partial(_load, root, classes),
        functools.partial(_identity, root),
        (declared or Declared()).over(found),
        root,
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
    paths = [path for files in _listing(root).values() for _, path in files]
    return files_identity("imagefolder", paths, root, "folders of classes")


SOURCES.add(DatasetSource("imagefolder", "imagefolder:DIR", entry=lambda spec: image_folder(spec.path, spec.declared)))
