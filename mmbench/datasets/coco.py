"""``coco:NAME?root=DIR&training=NAME``: images with several captions each, in COCO's layout.

    annotations/captions_val2017.json   images (id, file_name) and annotations (id, image_id, caption)
    val2017/000000000139.jpg            train2017, val2014 and train2014 likewise

An item is one caption with its image, because a split holds one text an item: an image appears once for each of its
captions, and is encoded once. The class of an item is its image: items with equal labels show the same one. That is
the ground truth of retrieval, and collects an image's references for caption metrics. With ``training`` another of
COCO's sets is the training split, with images of its own.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.datasets.declared import Declared, files_identity, inside, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import grouped
from mmbench.datasets.images import REFERENCE, FileImages
from mmbench.datasets.source import SOURCES, DatasetSource
from mmbench.datasets.text_files import parse_json, read_text, require_text
from mmbench.errors import BadDataset, BadSpec, UnknownName
from mmbench.spec import whole

LAYOUT = "COCO's layout: annotations/captions_NAME.json and a folder NAME of images"
SIZES = {  # images and captions
    "train2014": (82_783, 414_113),
    "val2014": (40_504, 202_654),
    "train2017": (118_287, 591_753),
    "val2017": (5_000, 25_014),
}
FEWEST = 5  # captions that every image has at least
MOST_BYTES = 1 << 30  # of a file of captions; the largest has 92 MB


def coco(
    name: str, root: Path, captions: int | None = None, declared: Declared | None = None, training: str = ""
) -> DatasetEntry:
    """COCO's captions as an entry with a test split; its files are looked for when it is loaded.

    ``training`` names the set of the training split, where there is one. ``captions`` keeps the first that many of each
    image (in the order of their ids). Raises UnknownName or BadSpec.
    """
    names = {"test": name} | ({"train": training} if training else {})
    for each in names.values():
        if each not in SIZES:
            raise UnknownName("set of COCO's captions", each, SIZES)
    if training == name:
        raise BadSpec(f"coco:{name} with training={training} would be tested on what it was trained on; name two sets")
    if captions is not None and captions < 1:
        raise BadSpec(f"coco:{name} with captions={captions} has no items; keep one or more of each image")
    images = sum(SIZES[each][0] for each in names.values())
    counts = {}
    if captions is None or captions <= FEWEST:
        counts = {
            split: SIZES[each][1] if captions is None else SIZES[each][0] * captions for split, each in names.items()
        }
    return on_disk(
        f"coco:{name}",
        functools.partial(_load, names, root, captions),
        functools.partial(_identity, names, root, captions),
        (declared or Declared()).over(Declared(images, counts)),
        root,
        modalities=("image", "text"),
        templates=(),  # a class is an image, and has no name
        credit="COCO captions (Chen et al. 2015), https://cocodataset.org/",
        licence="captions CC BY 4.0; images under their owners' Flickr licences",
        about=f"Captions of {' and '.join(names.values())}, an item each, read from {root}.",
        assets=tuple(f"file:{path}" for each in names.values() for path in (_table(root, each), root / each)),
    )


@dataclass(frozen=True)
class Row:
    """One caption of one image."""

    image: int
    path: Path
    id: int
    caption: str


def read_captions(root: Path, name: str, captions: int | None = None) -> list[Row]:
    """All captions by image (in the order of the file) and id. Raises MissingAsset or BadDataset."""
    table = need(_table(root, name), LAYOUT)
    content = parse_json(read_text(table, MOST_BYTES), str(table))
    files = {
        _field(row, "id", int, table): _field(row, "file_name", str, table) for row in _rows(content, "images", table)
    }
    by_image: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for row in _rows(content, "annotations", table):
        image = _field(row, "image_id", int, table)
        if image not in files:
            raise BadDataset(f"{table} has a caption of image {image}, which it does not list")
        number, caption = _field(row, "id", int, table), " ".join(_field(row, "caption", str, table).split())
        if not caption:
            raise BadDataset(
                f"{table}: caption {number} of image {image} is empty; a caption has words: mend it, or take it out"
            )
        by_image[image].append((number, caption))
    home = need(root / name, LAYOUT)
    return [
        Row(image, inside(home, file, table), number, caption)
        for image, file in files.items()
        for number, caption in sorted(by_image[image])[:captions]
    ]


def _load(names: Mapping[str, str], root: Path, captions: int | None) -> Dataset:
    place: dict[tuple[str, int], int] = {}
    splits = {}
    for split, name in names.items():
        rows = read_captions(root, name, captions)
        labels = [place.setdefault((name, row.image), len(place)) for row in rows]
        splits[split] = Split(
            tuple(f"{row.image}/{row.id}" for row in rows),
            np.array(labels, dtype=np.int64),
            FileImages([row.path for row in rows], REFERENCE),
            tuple(row.caption for row in rows),
            grouped([row.image for row in rows], "images"),
        )
    return Dataset(f"coco:{names['test']}", tuple(str(image) for _, image in place), splits)


def _identity(names: Mapping[str, str], root: Path, captions: int | None) -> str:
    paths: list[Path] = []
    for name in names.values():
        rows = read_captions(root, name, captions)
        paths += [_table(root, name), *dict.fromkeys(row.path for row in rows)]
    return files_identity(f"coco {' '.join(names.values())} {captions}", paths, root, LAYOUT)


def _table(root: Path, name: str) -> Path:
    return root / "annotations" / f"captions_{name}.json"


def _rows(content: Any, key: str, table: Path) -> list[Mapping[str, Any]]:
    rows = content.get(key) if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadDataset(f"{table} has no list {key!r}; it is not one of COCO's caption files")
    return rows


def _field(row: Mapping[str, Any], key: str, kind: Callable[..., Any], table: Path) -> Any:
    if type(row.get(key)) is not kind:
        raise BadDataset(
            f"{table} has an entry whose {key!r} is {row.get(key)!r}; it is not one of COCO's caption files"
        )
    return require_text(row[key], str(table)) if kind is str else row[key]


SOURCES.add(
    DatasetSource(
        "coco",
        "coco:NAME?root=DIR",
        entry=lambda spec: coco(
            spec.name, spec.root, spec.number("captions"), spec.declared, spec.options.get("training", "")
        ),
        options=("captions", "training"),
        needs=("root",),
        values={"captions": whole()},
    )
)
