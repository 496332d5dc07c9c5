"""``imagenet:NAME?root=DIR``: ImageNet's validation images and its relatives, each in the layout it is published in.

    val        nXXXXXXXX/*.JPEG, or the flat ILSVRC2012_val_*.JPEG beside the development kit (ground truth, meta.mat);
               the folder may hold them itself or in val/
    v2         0/ ... 999/, where a folder's name is the class number (and not its place in the alphabet)
    r, a       nXXXXXXXX/ of 200 classes each
    sketch     nXXXXXXXX/
    objectnet  images/FOLDER/ and mappings/: the 113 classes that ImageNet has too, under ObjectNet's own names

There is a test split only. The classes of a set are those of its folders; they are checked against the lists that
come with timm. Counts are the published ones.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.datasets.declared import Declared, files_identity, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.images import REFERENCE, SUFFIXES, FileImages
from mmbench.datasets.source import SOURCES, DatasetSource
from mmbench.datasets.text_files import parse_json, read_text
from mmbench.errors import BadDataset, MissingExtra, UnknownName

if TYPE_CHECKING:
    from PIL.Image import Image

Listing = tuple[list[tuple[str, Path]], dict[str, str]]
"""Class key and path of every image, and the class names by key in label order."""


@dataclass(frozen=True)
class Known:
    """A published set: how its folder is listed, its sizes, and its credit."""

    listing: Callable[[Path, bool], Listing]
    classes: int
    images: int
    layout: str
    credit: str
    licence: str = ""
    border: int = 0


# -- class lists ---------------------------------------------------------------------------------------------------


@functools.cache
def synsets(subset: str = "") -> tuple[str, ...]:
    """WordNet ids in label order: all 1,000, or those of ``a`` or ``r``. Raises MissingExtra without timm."""
    return tuple(_info(f"imagenet_{subset}_synsets.txt" if subset else "imagenet_synsets.txt").split())


@functools.cache
def class_names() -> dict[str, str]:
    """A name for each of the 1,000 synsets: its first word, or all its words where the first is another's too."""
    lines = [line.split("\t", 1) for line in _info("imagenet_synset_to_lemma.txt").splitlines() if line]
    lemmas = {synset: words for synset, words in lines if synset in set(synsets())}
    first = {synset: lemmas[synset].split(",")[0].strip() for synset in synsets()}
    times = Counter(first.values())
    names = {synset: name if times[name] == 1 else lemmas[synset] for synset, name in first.items()}
    times = Counter(names.values())
    return {synset: name if times[name] == 1 else f"{name} ({synset})" for synset, name in names.items()}


def _info(file: str) -> str:
    found = importlib.util.find_spec("timm")  # not imported: that would load torch
    if found is None or found.origin is None:
        raise MissingExtra("timm", "embedded", "a dataset of ImageNet's classes (timm brings their list)")
    return (Path(found.origin).parent / "data" / "_info" / file).read_text()


# -- layouts -------------------------------------------------------------------------------------------------------


def _by_synset(root: Path, partial: bool, *, subset: str = "") -> Listing:
    """A folder a synset; with ``partial`` some of them may be lacking."""
    return _folders(root, {synset: class_names()[synset] for synset in synsets(subset)}, partial)


def _by_number(root: Path, partial: bool) -> Listing:
    return _folders(root, {str(i): class_names()[synset] for i, synset in enumerate(synsets())}, partial)


def _val(root: Path, partial: bool) -> Listing:
    """Folders of synsets, or flat files labelled by the development kit."""
    home = root / "val" if (root / "val").is_dir() else root  # as torchvision unpacks it
    flat = sorted(home.glob("ILSVRC2012_val_*.JPEG"))
    if not flat:
        return _by_synset(home, partial)
    kit = need(root / "ILSVRC2012_devkit_t12" / "data", "the development kit's layout (ILSVRC2012_devkit_t12.tar.gz)")
    synset_of = _kit_synsets(kit / "meta.mat")
    numbers = need(kit / "ILSVRC2012_validation_ground_truth.txt", "the development kit's layout").read_text().split()
    found = []
    for path in flat:
        row = int(path.stem.rsplit("_", 1)[-1]) - 1
        if not 0 <= row < len(numbers) or int(numbers[row]) not in synset_of:
            raise BadDataset(f"{kit} has no label for {path.name}")
        found.append((synset_of[int(numbers[row])], path))
    here = {synset for synset, _ in found} if partial else set(synsets())
    return found, {synset: class_names()[synset] for synset in synsets() if synset in here}


def _kit_synsets(path: Path) -> dict[int, str]:
    """Synset by ILSVRC2012_ID, of those without children: the development kit's own numbering, which is another."""
    from scipy.io import loadmat

    need(path, "the development kit's layout")
    try:
        rows = loadmat(path)["synsets"].reshape(-1)
        leaves = [row for row in rows if row["num_children"].item() == 0]
        return {int(row["ILSVRC2012_ID"].item()): str(row["WNID"].item()) for row in leaves}
    except Exception as error:  # scipy may raise anything on a damaged file
        raise BadDataset(f"{path} is not the development kit's meta.mat ({error})") from error


def _objectnet(root: Path, partial: bool) -> Listing:
    """Folders of the classes that ImageNet has too, by the two mapping files that come with ObjectNet."""
    home = root / "mappings"
    names = _json(need(home / "folder_to_objectnet_label.json", OBJECTNET_LAYOUT))
    shared = _json(need(home / "objectnet_to_imagenet_1k.json", OBJECTNET_LAYOUT))
    wanted = {folder: name for folder, name in sorted(names.items()) if name in shared}
    if stray := sorted(set(shared) - set(names.values())):
        raise BadDataset(f"{home}: no folder is called {stray[0]!r}, which the mapping to ImageNet names")
    others = set(names) - set(wanted)
    return _folders(need(root / "images", OBJECTNET_LAYOUT), wanted, partial, others=others)


OBJECTNET_LAYOUT = (
    "ObjectNet's layout: images/, and mappings/ with folder_to_objectnet_label.json and objectnet_to_imagenet_1k.json "
    "(they come with objectnet-1.0.zip; mmbench does not guess which classes are shared)"
)


def _json(path: Path) -> dict[str, str]:
    found: Any = parse_json(read_text(path), str(path))
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadDataset(f"{path} does not map names to names")
    return found


def _folders(
    root: Path, wanted: dict[str, str], partial: bool, *, others: frozenset[str] | set[str] = frozenset()
) -> Listing:
    """Images in folders named by the keys of ``wanted``; other folders are refused unless they are among ``others``."""
    if not root.is_dir():
        raise BadDataset(f"{root} is not a folder; expected {FOLDERS}")
    here = [part.name for part in root.iterdir() if part.is_dir() and not part.name.startswith(".")]
    if stray := sorted(set(here) - set(wanted) - set(others)):
        raise BadDataset(f"{root} has the folder {stray[0]!r}, which is not one of this set's {len(wanted):,} classes")
    if not partial and (lacking := [key for key in wanted if key not in here]):
        raise BadDataset(
            f"{root} lacks {len(lacking):,} of {len(wanted):,} classes: {lacking[0]} ({wanted[lacking[0]]})"
        )
    names = {key: name for key, name in wanted.items() if key in here}
    files = [(key, path) for key in names for path in sorted((root / key).iterdir()) if _is_image(path)]
    return files, names


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


# -- the sets ------------------------------------------------------------------------------------------------------

FOLDERS = "its published layout, a folder a class"


def _of_200_classes(subset: str, *, images: int, credit: str) -> Known:
    """A set of 200 of the classes, a folder a synset."""
    read = functools.partial(_by_synset, subset=subset)
    return Known(read, classes=200, images=images, layout=FOLDERS, credit=credit, licence="MIT")


NON_COMMERCIAL = "non-commercial research only (ImageNet's terms)"
KNOWN = {
    "val": Known(
        _val,
        classes=1000,
        images=50_000,
        layout="ImageNet's layout: a folder a synset, or ILSVRC2012_val_*.JPEG and the development kit",
        credit="ImageNet (Russakovsky et al. 2015), https://www.image-net.org/",
        licence=NON_COMMERCIAL,
    ),
    "v2": Known(
        _by_number,
        classes=1000,
        images=10_000,
        layout=FOLDERS,
        credit="ImageNet-V2, matched frequency (Recht et al. 2019), https://github.com/modestyachts/ImageNetV2",
        licence="MIT",
    ),
    "r": _of_200_classes(
        "r",
        images=30_000,
        credit="ImageNet-R (Hendrycks et al. 2021), https://github.com/hendrycks/imagenet-r",
    ),
    "a": _of_200_classes(
        "a",
        images=7_500,
        credit="ImageNet-A (Hendrycks et al. 2021), https://github.com/hendrycks/natural-adv-examples",
    ),
    "sketch": Known(
        _by_synset,
        classes=1000,
        images=50_889,
        layout=FOLDERS,
        credit="ImageNet-Sketch (Wang et al. 2019), https://github.com/HaohanWang/ImageNet-Sketch",
    ),
    "objectnet": Known(
        _objectnet,
        classes=113,
        images=18_574,
        layout=OBJECTNET_LAYOUT,
        credit="ObjectNet (Barbu et al. 2019), https://objectnet.dev/",
        licence="CC BY 4.0; must not be trained on",
        border=2,  # every image has a red frame, which marks it as test data
    ),
}


def imagenet(name: str, root: Path, declared: Declared | None = None) -> DatasetEntry:
    """One of the sets as an entry; its files are looked for when it is loaded. Raises UnknownName.

    With ``declared`` sizes it may be a part of the set, with fewer classes.
    """
    if name not in KNOWN:
        raise UnknownName("set of ImageNet's classes", name, KNOWN)
    known = KNOWN[name]
    sizes = (declared or Declared()).over(Declared(known.classes, {"test": known.images}))
    partial = sizes.classes != known.classes
    return on_disk(
        f"imagenet:{name}",
        functools.partial(_load, name, root, partial),
        functools.partial(_identity, name, root, partial),
        sizes,
        root,
        credit=known.credit,
        licence=known.licence,
        about=f"{known.credit.split(' (')[0]}, read from {root}.",
        assets=(f"file:{root}",),
    )


def _load(name: str, root: Path, partial: bool) -> Dataset:
    known = KNOWN[name]
    files, names = known.listing(need(root, known.layout), partial)
    place = {key: number for number, key in enumerate(names)}
    images = _Framed([path for _, path in files], known.border)
    labels = np.array([place[key] for key, _ in files], dtype=np.int64)
    ids = tuple(path.relative_to(root).as_posix() for _, path in files)
    return Dataset(f"imagenet:{name}", tuple(names.values()), {"test": Split(ids, labels, images)})


def _identity(name: str, root: Path, partial: bool) -> str:
    known = KNOWN[name]
    files, names = known.listing(need(root, known.layout), partial)
    what = json.dumps([name, known.border, names, [key for key, _ in files]])
    return files_identity(what, [path for _, path in files], root, known.layout)


class _Framed(FileImages):
    """Image files whose outermost ``border`` pixels are cut off. The digest is the file's and the border's."""

    def __init__(self, paths: list[Path], border: int) -> None:
        super().__init__(paths, REFERENCE)
        self.border = border

    def image(self, index: int) -> Image:
        image, cut = super().image(index), self.border
        return image.crop((cut, cut, image.width - cut, image.height - cut)) if cut else image

    def digest(self, index: int) -> str:
        import hashlib

        whole = super().digest(index)
        return hashlib.sha256(f"{whole} without {self.border}".encode()).hexdigest() if self.border else whole


SOURCES.add(
    DatasetSource(
        "imagenet",
        "imagenet:NAME?root=DIR",
        entry=lambda spec: imagenet(spec.name, spec.root, spec.declared),
        needs=("root",),
    )
)
