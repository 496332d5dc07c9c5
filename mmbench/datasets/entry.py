"""Datasets: named entries, splits of items, labels, and digests of both.

A ``Split`` is lazy: images are decoded one at a time, so that a dataset of any size can be encoded in batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.groups import Groups
from mmbench.datasets.marked import text_digest
from mmbench.errors import BadDataset, BrokenEntryPoint
from mmbench.registry import Registry

if TYPE_CHECKING:
    from PIL.Image import Image

Task = Literal["single", "multi"]


class ImageSource(Protocol):
    """Random access to images and to the bytes that identify them.

    ``image(i)`` returns an RGB ``PIL.Image`` or raises BadItem naming the file; ``digest(i)`` is the hex SHA-256 of
    the item's encoded bytes (or of its raw pixels, for rendered ones).
    """

    def __len__(self) -> int: ...
    def image(self, index: int) -> Image: ...
    def digest(self, index: int) -> str: ...


@dataclass(frozen=True)
class Split:
    """Items of one split.

    ``ids`` name the items and are what pairs examples between datasets that share them (a poster and its masked
    copy). ``labels`` is int64 ``[n]`` for one label, bool ``[n, classes]`` for several. ``groups`` says which items
    were made from one thing; None where every item is independent of the others.
    """

    ids: tuple[str, ...]
    labels: NDArray[Any]
    images: ImageSource | None = None
    texts: tuple[str, ...] | None = None
    groups: Groups | None = None

    def __post_init__(self) -> None:
        if self.groups is not None and len(self.groups) != len(self.ids):
            raise BadDataset(f"expected groups for each of {len(self.ids)} items, got them for {len(self.groups)}")

    def __len__(self) -> int:
        return len(self.ids)

    def digest(self) -> str:
        """Hex SHA-256 of ids and labels, which decide how scores pair and what is right.

        Groups are not in it: copies of a dataset pair whether or not both say what their items were made from. They
        belong to the dataset's identity.
        """
        hasher = hashlib.sha256("\0".join(self.ids).encode())
        hasher.update(np.ascontiguousarray(self.labels).tobytes())
        return hasher.hexdigest()

    def text_digest(self, index: int) -> str:
        assert self.texts is not None
        return text_digest(self.texts[index])


@dataclass(frozen=True)
class Dataset:
    """Loaded splits (``train`` and ``test``, perhaps ``valid``) with class names in label order."""

    name: str
    classes: tuple[str, ...]
    splits: dict[str, Split]
    task: Task = "single"

    def split(self, name: str) -> Split:
        from mmbench.errors import UnknownName

        if name not in self.splits:
            raise UnknownName(f"split of {self.name}", name, self.splits)
        return self.splits[name]


@dataclass(frozen=True)
class Ceiling:
    """The best score that ``given`` alone allows, in the metric's unit; ``score()`` computes it.

    ``given`` says which information about a test item is used, such as "the film's decade".
    """

    given: str
    score: Callable[[], float]


@dataclass(frozen=True)
class DatasetEntry:
    """A dataset by name: what must be true of it, whose it is, and how to load it.

    ``identity()`` names the exact content without loading it (digests of the assets and of the code that renders
    from them); it is part of every key, so it must change whenever an item or a label could. ``counts`` are items
    by split and ``classes`` the number of classes; the contract checks compare both with what ``load`` gives.
    ``templates`` are zero-shot prompts with one ``{}`` for the class name (none where classes have no names),
    ``size`` the published archives' bytes, ``ceilings`` the best possible scores. ``origin`` is where the data of a
    registered dataset come from: ``ORIGIN:NAME`` names it too.
    """

    name: str
    load: Callable[[], Dataset]
    identity: Callable[[], str]
    classes: int
    counts: dict[str, int] = field(default_factory=dict)
    modalities: tuple[Literal["image", "text"], ...] = ("image",)
    task: Task = "single"
    templates: tuple[str, ...] = ("a photo of a {}.",)
    ceilings: tuple[Ceiling, ...] = ()
    credit: str = ""
    licence: str = ""
    about: str = ""
    assets: Sequence[str] = ()
    size: int | None = None
    origin: str = ""


def offered_dataset(offered: Any, name: str, words: str) -> DatasetEntry:
    """The entry that an entry point gives: a DatasetEntry of that name, or a function of no arguments that returns one.

    Raises BrokenEntryPoint, which begins with ``words``, for anything else.
    """
    entry = offered() if callable(offered) else offered
    if not isinstance(entry, DatasetEntry):
        raise BrokenEntryPoint(f"{words} gives a {type(entry).__name__}, expected a DatasetEntry")
    if entry.name != name:
        raise BrokenEntryPoint(f"{words} gives the dataset {entry.name!r}; expected the entry point's own name")
    return entry


DATASETS: Registry[DatasetEntry] = Registry(
    "dataset", package="mmbench.datasets", group="mmbench.datasets", convert=offered_dataset
)
