"""``imagefolder:DIR``: images in folders of classes, as most collections are stored.

    DIR/train/CLASS/*.png    DIR/test/CLASS/*.png    and perhaps DIR/valid (or val, validation, dev)

Names that begin with a dot, and ``__MACOSX``, are no part of it. Every other folder in DIR must be a split, and every
folder in a split a class with images. Files that are no images, and folders that are links within a class, are passed
over and named in a warning. ``mmbench.datasets.images`` says which files are images and how they are read;
``alpha=drop`` drops transparency.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmbench.datasets.columns import OURS
from mmbench.datasets.declared import Declared, files_identity, is_there, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.images import ALPHA, DROPPED, SUFFIXES, WHITE, FileImages, Rule
from mmbench.datasets.notes import note
from mmbench.datasets.source import SOURCES, DatasetSource
from mmbench.datasets.text_files import readable
from mmbench.errors import BadDataset

LAYOUT = "an image folder holds train/CLASS/ and test/CLASS/"


@dataclass
class Found:
    """What lies in the folders: class and path of every image by split, in order of their names, and what was passed
    over (paths below the root)."""

    images: dict[str, list[tuple[str, Path]]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def image_folder(root: Path, declared: Declared | None = None, rule: Rule = WHITE) -> DatasetEntry:
    """``root/train/CLASS/*.png``, ``root/test/CLASS/*.png`` and perhaps ``valid``, as a dataset entry.

    The folders are listed at once, so that a wrong layout is reported before anything is encoded. Raises BadDataset.
    """
    found = _listing(root)
    classes = tuple(sorted({name for files in found.images.values() for name, _ in files}))
    if len(classes) < 2:
        only = f"only the class {readable(classes[0])!r}" if classes else "no class folders with images"
        raise BadDataset(
            f"{readable(root)} has {only}; there must be two classes or more, each a folder in train and in test"
        )
    for split, files in found.images.items():
        lacking = sorted(set(classes) - {name for name, _ in files})
        if lacking:
            named = ", ".join(repr(readable(name)) for name in lacking)
            raise BadDataset(
                f"{readable(root / split)} has no images of {named}; every split needs every class{_twice(classes)}"
            )
    sizes = Declared(len(classes), {split: len(files) for split, files in found.images.items()})
    return on_disk(
        f"imagefolder:{readable(root)}",
        functools.partial(_load, root, classes, rule),
        functools.partial(_identity, root, rule),
        (declared or Declared()).over(sizes),
        root,
        about=f"Images in the folders of {readable(root)}.",
    )


def _listing(root: Path) -> Found:
    found = Found()
    for split, folder in sorted(_splits(root).items()):
        files = found.images.setdefault(split, [])
        for part in sorted(folder.iterdir()):
            if _hidden(part.name):
                continue
            if not part.is_dir():
                if part.suffix.lower() in SUFFIXES:
                    raise BadDataset(f"{readable(part)} is an image outside of the class folders; {LAYOUT}")
                found.others.append(_below(part, root))
                continue
            images = list(_images(part, root, found))
            if not images:
                raise BadDataset(
                    f"{readable(part)} has no images; remove the folder, or put images there ({_suffixes()})"
                )
            files.extend((part.name, path) for path in images)
    return found


def _twice(classes: Sequence[str]) -> str:
    """A word on two names that look the same; macOS and Linux may write one letter with an accent in two ways."""
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            return f". {other!a} and {name!a} are one name in two forms of Unicode; rename one folder"
    return ""


def _splits(root: Path) -> dict[str, Path]:
    """The folder of each split. Raises BadDataset for one that is lacking, given under two names, or is no split."""
    if not is_there(root) or not root.is_dir():
        raise BadDataset(f"{readable(root)} is not a folder; {LAYOUT}")
    folders = [part for part in sorted(root.iterdir()) if part.is_dir() and not _hidden(part.name)]
    found: dict[str, Path] = {}
    for folder in folders:
        split = OURS.get(folder.name)
        if split is None:
            raise BadDataset(
                f"{readable(root)} has the folder {readable(folder.name)!r}, which is no split ({', '.join(OURS)}); "
                f"{LAYOUT}. Rename it, or move it elsewhere"
            )
        if split in found:
            raise BadDataset(
                f"{readable(root)} has {found[split].name!r} and {folder.name!r}, which mean the same split"
            )
        found[split] = folder
    for split in ("train", "test"):
        if split not in found:
            raise BadDataset(f"{readable(root)} has no folder {split!r}; {LAYOUT}")
    return found


def _images(folder: Path, root: Path, found: Found) -> Iterator[Path]:
    """The images anywhere below the folder of a class, by path; what is passed over goes to ``found``."""
    paths = []
    for here, folders, files in os.walk(folder, onerror=_refuse):
        found.links += [_below(Path(here, name), root) for name in folders if Path(here, name).is_symlink()]
        folders[:] = [name for name in folders if not _hidden(name)]
        paths += [Path(here, name) for name in files if not _hidden(name)]
    for path in sorted(paths):
        if path.suffix.lower() not in SUFFIXES:
            found.others.append(_below(path, root))
        elif path.is_file():
            yield path
        elif path.is_symlink():
            raise BadDataset(f"{readable(path)} is a link to a file that does not exist; repair or remove it")
        else:
            raise BadDataset(f"{readable(path)} is not a plain file; remove it")


def _refuse(error: OSError) -> None:
    raise BadDataset(f"{readable(error.filename)} cannot be listed ({error.strerror})") from error


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _below(path: Path, root: Path) -> str:
    return readable(path.relative_to(root).as_posix())


def _suffixes() -> str:
    return ", ".join(sorted(SUFFIXES))


def _load(root: Path, classes: tuple[str, ...], rule: Rule) -> Dataset:
    found = _listing(root)
    name = f"imagefolder:{readable(root)}"
    note(name, "files passed over, which are no images", found.others)
    note(name, "folders passed over, which are links", found.links)
    place = {name: number for number, name in enumerate(classes)}
    splits = {}
    for split, files in found.images.items():
        if stray := sorted({each for each, _ in files} - set(classes)):
            raise BadDataset(
                f"{readable(root)} has got the class {readable(stray[0])!r} since it was listed; start again"
            )
        labels = np.array([place[each] for each, _ in files], dtype=np.int64)
        splits[split] = Split(tuple(_below(p, root) for _, p in files), labels, FileImages([p for _, p in files], rule))
    return Dataset(name, tuple(map(readable, classes)), splits)


def _identity(root: Path, rule: Rule) -> str:
    """Digest of every file's name and bytes, so that two machines agree, and of the code that reads them."""
    paths = [path for files in _listing(root).images.values() for _, path in files]
    return files_identity(f"imagefolder {rule}", paths, root, "folders of classes")


SOURCES.add(
    DatasetSource(
        "imagefolder",
        "imagefolder:DIR",
        entry=lambda spec: image_folder(
            spec.path, spec.declared, DROPPED if spec.options.get("alpha") == DROPPED else WHITE
        ),
        options=("alpha",),
        values={"alpha": ALPHA},
    )
)
