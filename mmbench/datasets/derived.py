"""Datasets made from others: masked, restricted to classes, trained on one and tested on another, renamed.

Each function takes entries and gives an entry, so that they compose; nothing is loaded before the entry is. Items keep
their ids, so that scores pair by example with those of the parent. The identity is a digest of the parents'
identities, of what is done, and of this module's program. On the command line and in lineups:

    masked:DATASET?mask=NAME                     NAME of a registered mask, or MODULE:NAME or FILE.py:NAME
    restricted:DATASET?classes=CLASS,CLASS       or classes=@FILE: a class name a line
    trained_on:DATASET?tested_on=DATASET
    subset:DATASET?ids=FILE                      see mmbench.datasets.subsets

In a CLASS, ``&`` is written ``%26``, a comma ``%2C``, and a parenthesis without its partner ``%28`` or ``%29``, as in
web addresses: ``classes=salt %26 pepper,sugar``. In FILE every name stands as it is.

DATASET is a registered name or a specification; one with options stands in parentheses:

    restricted:(torchvision:CIFAR10?root=data)?classes=cat,dog
    trained_on:(restricted:cub?classes=@birds.txt)?tested_on=(masked:cub?mask=grey)
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.datasets.entry import Ceiling, Dataset, DatasetEntry, ImageSource, Split
from mmbench.datasets.groups import of_rows
from mmbench.datasets.masks import Mask
from mmbench.errors import BadDataset, BadItem, BadSpec, UnknownName
from mmbench.program import program_digest

if TYPE_CHECKING:
    from PIL.Image import Image

Make = Callable[[], Dataset]


def masked(
    parent: DatasetEntry, mask: Mask, *, name: str = "", about: str = "", ceilings: Sequence[Ceiling] = ()
) -> DatasetEntry:
    """``parent`` with ``mask`` applied to every image, or to every text; ids, labels and classes stay.

    An image is masked when it is decoded; texts are masked when the dataset is loaded. The parent's ceilings are
    dropped, since a mask may take away what they rest on. Raises BadDataset when the parent lacks the mask's modality.
    """
    if mask.modality not in parent.modalities:
        raise BadDataset(
            f"mask {mask.name!r} changes {mask.modality}s, and {parent.name} has none; it has "
            f"{' and '.join(f'{kind}s' for kind in parent.modalities)}"
        )
    return _derived(
        parent,
        name or f"masked:{_quoted(parent)}?mask={mask.name}",
        functools.partial(_load_masked, parent, mask),
        lambda: ("masked", parent.identity(), mask.modality, mask.identity()),
        about=about or f"{parent.about} Masked: {mask.about or mask.name}",
        ceilings=tuple(ceilings),
    )


def restricted(parent: DatasetEntry, classes: Sequence[str], *, name: str = "", about: str = "") -> DatasetEntry:
    """The items of ``parent`` that have one of ``classes``; labels are re-numbered in the parent's order of classes.

    Where items have several labels, one that has any of the classes stays, with its labels among them. Raises BadSpec
    for fewer than two classes or one given twice. When it is loaded: UnknownName for a class that the parent lacks,
    with the nearest names, and BadDataset for a split of which no item is left.
    """
    if twice := sorted({wanted for wanted in classes if list(classes).count(wanted) > 1}):
        raise BadSpec(f"{parent.name} restricted to classes: {twice[0]!r} is given twice")
    if len(classes) < 2:
        raise BadSpec(f"{parent.name} restricted to {len(classes)} classes, expected two or more")
    name = name or f"restricted:{_quoted(parent)}?classes={','.join(classes)}"
    return _derived(
        parent,
        name,
        functools.partial(_load_restricted, parent, tuple(classes)),
        lambda: ("restricted", parent.identity(), *sorted(classes)),
        about=about or f"{parent.about} Only the classes {', '.join(classes)}.",
        classes=len(classes),
        counts={},
        ceilings=(),
    )


def trained_on(parent: DatasetEntry, *, tested_on: DatasetEntry, name: str = "", about: str = "") -> DatasetEntry:
    """The training (and validation) split of ``parent`` with the test split of ``tested_on``.

    Classes are matched by name, and numbered as in ``tested_on``, so that the test split is that dataset's own. Only
    modalities that both have are kept. Raises BadDataset when they share none or differ in task and, when it is
    loaded, when their class lists differ.
    """
    shared = tuple(kind for kind in tested_on.modalities if kind in parent.modalities)
    name = name or f"trained_on:{_quoted(parent)}?tested_on={_quoted(tested_on)}"
    if not shared:
        raise BadDataset(
            f"{name}: the first has {' and '.join(parent.modalities)}, the second "
            f"{' and '.join(tested_on.modalities)}; expected a modality that both have"
        )
    if parent.task != tested_on.task:
        raise BadDataset(
            f"{name}: expected the same task of both, found {parent.task!r} and {tested_on.task!r} labels an item"
        )
    return _derived(
        tested_on,
        name,
        functools.partial(_load_trained_on, parent, tested_on, shared),
        lambda: ("trained_on", parent.identity(), tested_on.identity(), *shared),
        about=about or f"Trained on {parent.name}, tested on {tested_on.name}.",
        counts={
            **{split: count for split, count in parent.counts.items() if split != "test"},
            **{split: count for split, count in tested_on.counts.items() if split == "test"},
        },
        modalities=shared,
        credit=_both(parent.credit, tested_on.credit),
        licence=_both(parent.licence, tested_on.licence),
        assets=tuple(dict.fromkeys([*parent.assets, *tested_on.assets])),
        size=None if parent.size is None or tested_on.size is None else parent.size + tested_on.size,
    )


def renamed(
    parent: DatasetEntry, names: Sequence[str] | Mapping[str, str], *, where: str = "the new names"
) -> DatasetEntry:
    """``parent`` with other class names: all of them in label order, or some by their old name.

    Raises BadDataset, when it is loaded, for a wrong number of names, for a name given to two classes, and UnknownName
    for an old name that no class has. ``where`` says in messages where the names come from.
    """
    return _derived(
        parent,
        parent.name,
        functools.partial(_load_renamed, parent, names, where),
        lambda: ("renamed", parent.identity(), json.dumps(names if isinstance(names, Mapping) else list(names))),
    )


def _derived(
    parent: DatasetEntry, name: str, load: Make, parts: Callable[[], tuple[str, ...]], **changes: Any
) -> DatasetEntry:
    """``parent`` under another name, with its own loader and identity. ``parts`` say what the identity rests on."""

    def named() -> Dataset:
        return dataclasses.replace(load(), name=name)

    def identity() -> str:
        return hashlib.sha256(json.dumps([program_digest(__name__, ()), *parts()]).encode()).hexdigest()

    return dataclasses.replace(parent, name=name, load=named, identity=identity, **changes)


def _quoted(entry: DatasetEntry) -> str:
    """The entry's name as it stands inside another specification."""
    return f"({entry.name})" if "?" in entry.name or "&" in entry.name else entry.name


def _both(first: str, second: str) -> str:
    return "; ".join(dict.fromkeys(text for text in (first, second) if text))


# -- masks ---------------------------------------------------------------------------------------------------------


class MaskedImages:
    """Images of ``images`` with a mask applied to each when it is asked for."""

    def __init__(self, images: ImageSource, ids: Sequence[str], mask: Mask) -> None:
        self._images, self._ids, self._mask = images, ids, mask

    def __len__(self) -> int:
        return len(self._images)

    def image(self, index: int) -> Image:
        """The masked RGB image. Raises BadItem when the mask gives anything else, or an image of another size."""
        whole = self._images.image(index)
        found: Any = self._mask.apply(whole.copy(), self._ids[index])
        mode, size = getattr(found, "mode", type(found).__name__), getattr(found, "size", None)
        if mode != "RGB" or size != whole.size:
            raise BadItem(
                f"mask {self._mask.name!r} gives {mode} of size {size} for item {self._ids[index]!r}, expected an RGB "
                f"image of size {whole.size}"
            )
        return found

    def digest(self, index: int) -> str:
        """Hex SHA-256 of the parent's digest and the mask's identity; nothing is decoded."""
        return self._digest_of(self._images.digest(index))

    def digests(self) -> list[str]:
        """All digests at once."""
        return [self._digest_of(digest) for digest in _digests(self._images)]

    def _digest_of(self, digest: str) -> str:
        return hashlib.sha256(f"{digest} masked by {self._identity}".encode()).hexdigest()

    @functools.cached_property
    def _identity(self) -> str:
        return self._mask.identity()


def _load_masked(parent: DatasetEntry, mask: Mask) -> Dataset:
    dataset = parent.load()
    splits = {}
    for name, split in dataset.splits.items():
        if mask.modality == "image" and split.images is not None:
            splits[name] = dataclasses.replace(split, images=MaskedImages(split.images, split.ids, mask))
        elif mask.modality == "text" and split.texts is not None:
            texts = tuple(_masked_text(mask, text, item) for text, item in zip(split.texts, split.ids, strict=True))
            splits[name] = dataclasses.replace(split, texts=texts)
        else:
            raise BadDataset(f"mask {mask.name!r} changes {mask.modality}s, and {parent.name}/{name} has none")
    return dataclasses.replace(dataset, splits=splits)


def _masked_text(mask: Mask, text: str, item: str) -> str:
    found: Any = mask.apply(text, item)
    if not isinstance(found, str) or not found.strip():
        raise BadItem(f"mask {mask.name!r} gives {found!r} for item {item!r}, expected a text that is not empty")
    return found


# -- classes -------------------------------------------------------------------------------------------------------


class SelectedImages:
    """Some images of ``images``, by row."""

    def __init__(self, images: ImageSource, rows: Sequence[int]) -> None:
        self._images, self._rows = images, [int(row) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def image(self, index: int) -> Image:
        return self._images.image(self._rows[index])

    def digest(self, index: int) -> str:
        return self._images.digest(self._rows[index])

    def digests(self) -> list[str]:
        """All digests at once."""
        return _digests(self._images, self._rows)


def _digests(images: ImageSource, rows: Sequence[int] | None = None) -> list[str]:
    """Digests of the rows (of all where none are given), taken at once where the images offer that."""
    wanted = range(len(images)) if rows is None else rows
    at_once = getattr(images, "digests", None)
    if at_once is None:
        return [images.digest(row) for row in wanted]
    found = at_once()
    return [found[row] for row in wanted]


def _load_restricted(parent: DatasetEntry, classes: tuple[str, ...]) -> Dataset:
    dataset = parent.load()
    for wanted in classes:
        if wanted not in dataset.classes:
            raise UnknownName(f"class of {parent.name}", wanted, dataset.classes)
    kept = [number for number, known in enumerate(dataset.classes) if known in classes]
    splits = {}
    for name, split in dataset.splits.items():
        several = split.labels.ndim == 2
        labels = split.labels[:, kept] if several else np.searchsorted(kept, split.labels)
        rows = np.flatnonzero(labels.any(axis=1) if several else np.isin(split.labels, kept))
        if not len(rows):
            raise BadDataset(
                f"{parent.name} restricted to the classes {', '.join(map(repr, classes))} has no item left in "
                f"{name!r}: none of its {len(split):,} items has one of them"
            )
        splits[name] = _rows_of(split, rows.tolist(), labels[rows])
    return dataclasses.replace(dataset, classes=tuple(dataset.classes[number] for number in kept), splits=splits)


def _rows_of(split: Split, rows: Sequence[int], labels: Any) -> Split:
    return Split(
        tuple(split.ids[row] for row in rows),
        labels,
        None if split.images is None else SelectedImages(split.images, rows),
        None if split.texts is None else tuple(split.texts[row] for row in rows),
        of_rows(split.groups, rows),
    )


def _load_trained_on(parent: DatasetEntry, tested_on: DatasetEntry, shared: tuple[str, ...]) -> Dataset:
    train, test = parent.load(), tested_on.load()
    first, second = set(train.classes), set(test.classes)
    if first != second:
        shared_by_both = len(first & second)
        way_out = (
            f"restrict both to the {shared_by_both} that they share (restricted:DATASET?classes=...)"
            if shared_by_both > 1
            else "choose datasets that share two classes or more, or rename classes"
        )
        raise BadDataset(
            f"expected the same classes in {parent.name} (train) and {tested_on.name} (test); "
            f"only in train: {_listed(first - second)}; only in test: {_listed(second - first)}; {way_out}"
        )
    order = [train.classes.index(name) for name in test.classes]  # the number in train by the number in test
    place = np.argsort(order)
    splits = {}
    for name, split in train.splits.items():
        if name != "test":
            labels = split.labels[:, order] if split.labels.ndim == 2 else place[split.labels].astype(np.int64)
            splits[name] = dataclasses.replace(split, labels=labels)
    splits["test"] = test.split("test")
    if "train" not in splits:
        raise BadDataset(f"{parent.name} has no split 'train' to train on; it has {', '.join(train.splits)}")
    return dataclasses.replace(test, splits={name: _only(split, shared) for name, split in splits.items()})


def _only(split: Split, modalities: tuple[str, ...]) -> Split:
    return dataclasses.replace(
        split,
        images=split.images if "image" in modalities else None,
        texts=split.texts if "text" in modalities else None,
    )


def _listed(names: set[str]) -> str:
    shown = ", ".join(map(repr, sorted(names)[:5])) or "none"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _load_renamed(parent: DatasetEntry, names: Sequence[str] | Mapping[str, str], where: str) -> Dataset:
    dataset = parent.load()
    if isinstance(names, Mapping):
        for old in names:
            if old not in dataset.classes:
                raise UnknownName(f"class of {parent.name}", old, dataset.classes)
        found = tuple(names.get(old, old) for old in dataset.classes)
    else:
        found = tuple(names)
    if len(found) != len(dataset.classes):
        raise BadDataset(f"{where} has {len(found)} class names, expected {len(dataset.classes)} for {parent.name}")
    if twice := sorted({name for name in found if found.count(name) > 1 and name.strip()}):
        raise BadDataset(f"{where} gives the name {twice[0]!r} to several classes of {parent.name}")
    return dataclasses.replace(dataset, classes=found)
