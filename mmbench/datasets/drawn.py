"""Datasets of random views of drawings that the zoo never saw: categories, concepts, flags, clothing.

An item is one drawing turned, scaled, shifted, recoloured and put on a random background. Only evaluation concepts
(see ``mmbench.datasets.openmoji``) are shown, in training splits as well as in test splits.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets import _views, openmoji
from mmbench.datasets._rendered import Dice, RenderedImages, identity_of, to_bytes
from mmbench.datasets._views import View
from mmbench.datasets.entry import DATASETS, Ceiling, Dataset, DatasetEntry, Split
from mmbench.datasets.groups import Groups, grouped
from mmbench.errors import BadDataset

SIZE = 64
MODULES = (__name__, "mmbench.datasets.groups", "mmbench.datasets._views", "mmbench.datasets._rendered")
TEMPLATES = ("a drawing of a {}.", "a picture of a {}.", "a photo of a {}.")
CONCEPTS = "concepts"  # what drawings show, up to gender, age, colour and direction

Members = dict[str, dict[str, list[int]]]
"""By split, then by class name in label order: the rows of ``openmoji.drawings()`` that may be shown."""


@dataclass(frozen=True)
class Drawn:
    """A recipe: the drawings of each class (``groups``), how many views a class gets, and how much the views vary."""

    name: str
    groups: Callable[[], Members]
    each: dict[str, int]
    view: View

    def identity(self) -> str:
        return identity_of(self.name, openmoji.identity(), modules=MODULES)

    def load(self) -> Dataset:
        groups = self.groups()
        splits = {split: self._split(split, classes) for split, classes in groups.items()}
        return Dataset(self.name, tuple(groups["train"]), splits)

    def ceiling(self) -> float:
        """Accuracy (percent) if every drawing is recognised; classes that share a picture cannot be distinguished."""
        pixels = openmoji.drawings(72).pixels
        test = self.groups()["test"]
        pictures = Counter(pixels[row].tobytes() for rows in test.values() for row in set(rows))
        shares = [np.mean([1 / pictures[pixels[row].tobytes()] for row in rows]) for rows in test.values()]
        return 100.0 * float(np.mean(shares))

    def _split(self, split: str, classes: dict[str, list[int]]) -> Split:
        """Each class shows its drawings in turn, in an order of their own, until it has enough views."""
        each, codes = self.each[split], [item.id for item in openmoji.catalogue()]
        items = []
        for label, members in enumerate(classes.values()):
            order = Dice(self.name, split, label).order(len(members))
            shown = [members[order[view % len(members)]] for view in range(each)]
            items += [(f"{split}-{codes[row]}-{view:03d}", row, label) for view, row in enumerate(shown)]
        mixed = [items[i] for i in Dice(self.name, split).order(len(items))]
        ids, rows, labels = (tuple(column) for column in zip(*mixed, strict=True))
        render = functools.partial(self._render, ids, rows)
        images = RenderedImages(f"{self.name}-{split}", self.identity(), len(ids), render)
        return Split(ids, np.array(labels, dtype=np.int64), images, groups=self._shown(rows, classes))

    def _shown(self, rows: Sequence[int], classes: dict[str, list[int]]) -> Groups | None:
        """The concepts that are shown: they are what is drawn for a split, and drawings of one are near-copies.

        None where a class is one drawing: classes are fixed with the dataset, and views of a class are independent.
        """
        if all(len(members) == 1 for members in classes.values()):
            return None
        return grouped([openmoji.catalogue()[row].concept for row in rows], CONCEPTS)

    def _render(self, ids: Sequence[str], rows: Sequence[int]) -> NDArray[np.uint8]:
        pixels = openmoji.drawings(72).pixels
        pairs = zip(ids, rows, strict=True)
        views = (_views.on_background(pixels[row], SIZE, self.view, Dice(self.name, item)) for item, row in pairs)
        return np.stack([to_bytes(view) for view in views])


def unseen(keep: Callable[[openmoji._drawings.Drawing], bool]) -> list[int]:
    """Rows of the unseen drawings for which ``keep`` holds."""
    return [row for row in openmoji.unseen() if keep(openmoji.catalogue()[row])]


def one_a_class(rows: Sequence[int], count: int, salt: str) -> Members:
    """Each of ``count`` drawings is a class of its own, one drawing a concept; both splits show it, in other views."""
    listing = openmoji.catalogue()
    first = {listing[row].concept: row for row in reversed(rows)}
    if len(first) < count:
        raise BadDataset(f"{salt} needs {count} unseen concepts, but there are {len(first)}; has the split changed?")
    chosen = sorted(Dice(salt, "classes").sample(sorted(first.values()), count))
    classes = {listing[row].name: [row] for row in chosen}
    return {"train": classes, "test": classes}


def halves(classes: dict[str, list[int]], salt: str) -> Members:
    """Concepts of each class divided in two: the test split shows concepts that the training split does not."""
    listing = openmoji.catalogue()
    groups: Members = {"train": {}, "test": {}}
    for name, rows in classes.items():
        concepts = sorted({listing[row].concept for row in rows})
        drawn = Dice(salt, name).sample(concepts, len(concepts) // 2)
        for split, wanted in (("test", True), ("train", False)):
            groups[split][name] = [row for row in rows if (listing[row].concept in drawn) == wanted]
    return groups


# -- which drawings belong to which class --------------------------------------------------------------------------


def category_groups() -> Members:
    classes: dict[str, list[int]] = {}
    for row in unseen(lambda item: item.category != "Flags"):
        classes.setdefault(openmoji.catalogue()[row].category, []).append(row)
    return halves({name: classes[name] for name in sorted(classes)}, "categories")


def concept_groups() -> Members:
    return one_a_class(unseen(lambda item: item.category != "Flags"), 100, "concepts")


def flag_groups() -> Members:
    return one_a_class(unseen(lambda item: item.subcategory == "country-flag"), 60, "flags")


# Listed by Unicode as clothing, but not worn.
NOT_WORN = frozenset({"gem stone", "hair pick", "lipstick", "prayer beads", "shopping bags", "folding hand fan"})


def clothing_groups() -> Members:
    return one_a_class(
        unseen(lambda item: item.subcategory == "clothing" and item.name not in NOT_WORN), 12, "clothing"
    )


def _add(recipe: Drawn, classes: int, about: str, templates: tuple[str, ...] = TEMPLATES) -> None:
    DATASETS.add(
        DatasetEntry(
            origin="openmoji",
            name=recipe.name,
            load=recipe.load,
            identity=recipe.identity,
            classes=classes,
            counts={split: each * classes for split, each in recipe.each.items()},
            templates=templates,
            ceilings=(Ceiling("which drawing it is", recipe.ceiling),),
            credit=openmoji.CREDIT,
            licence=openmoji.LICENCE,
            about=about,
            assets=tuple(asset.name for asset in openmoji.SOURCES),
        )
    )


_add(
    Drawn("categories", category_groups, {"train": 75, "test": 75}, View()),
    8,
    "Eight of Unicode's categories (flags left out) of drawings that the zoo never saw; the test shows concepts that "
    "the training split does not. Stands in for cifar10: few broad, human-made classes, each of many things.",
    ("a drawing from the category {}.", "{}."),
)
_add(
    Drawn("concepts", concept_groups, {"train": 12, "test": 8}, View()),
    100,
    "One hundred drawings that the zoo never saw, each a class; items are random views. Stands in for cifar100: many "
    "classes of one thing each, few examples a class.",
)
_add(
    Drawn("flags", flag_groups, {"train": 12, "test": 10}, View(hue=8.0, mirror=False)),
    60,
    "Sixty flags of countries that the zoo never saw, each a class; items are random views. Stands in for cub: "
    "fine-grained classes that differ in details of one common shape.",
    ("a drawing of the {}.", "the {}."),
)
_add(
    Drawn(
        "clothing",
        clothing_groups,
        {"train": 50, "test": 50},
        View(angle=45.0, scale=(0.45, 0.95), hue=180.0, light=0.4),
    ),
    12,
    "Twelve things to wear that the zoo never saw, turned, scaled and recoloured at random, so that shape decides. "
    "Stands in for fashion_mnist.",
)
