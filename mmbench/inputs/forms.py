"""Units of an image encoder over concepts that are shown in several forms."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Dataset, Split
from mmbench.datasets.form_labels import FORM
from mmbench.errors import BadDataset, Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.source import Source, require_kinds

Part = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]  # features [n, d], concepts [n], forms [n]


@dataclass(frozen=True)
class Forms:
    """Features of every image with its concept and its form, by number; the examples are the concepts."""

    train: Part
    test: Part
    concepts: tuple[str, ...]
    forms: tuple[str, ...]

    @property
    def truth(self) -> NDArray[np.int64]:
        return np.arange(len(self.concepts))

    def examples(self, test: Split) -> str:
        return hashlib.sha256("\0".join(("concepts", *self.concepts, *self.forms)).encode()).hexdigest()

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (*self.train, *self.test)

    def check(self) -> None:
        """Raise BadFeatures or BadDataset: every concept must be shown in every form of both splits."""
        for split, (x, concept, form) in (("train", self.train), ("test", self.test)):
            check_features(f"{split} features", x, self.test[0].shape[-1])
            shown = np.zeros((len(self.concepts), len(self.forms)), dtype=int)
            np.add.at(shown, (concept, form), 1)
            if not shown.all():
                at = tuple(np.argwhere(shown == 0)[0])
                raise BadDataset(
                    f"the {split} split shows {self.concepts[at[0]]!r} never as {self.forms[at[1]]!r}; every concept "
                    "is needed in every form"
                )


def gather(source: Source, cell: Cell) -> Forms:
    """Features of both splits at the protocol's layer, with the two labels of every image.

    Raises Unmeasured for an encoder of texts, BadDataset where the classes are not concepts and forms.
    """
    require_kinds(source, cell.models, ("image",))
    dataset, model = source.dataset(cell.dataset), source.model(cell.models[0])
    concepts = tuple(name for name in dataset.classes if not name.startswith(FORM))
    forms = tuple(name for name in dataset.classes if name.startswith(FORM))
    if len(concepts) < 2 or len(forms) < 2 or dataset.task != "multi":
        raise BadDataset(
            f"{cell.dataset} must have images with two labels, a concept and a form; names of forms begin with "
            f"{FORM!r}, found {len(concepts)} concepts and {len(forms)} forms; bind another dataset"
        )
    parts = []
    for name in ("train", "test"):
        if name not in dataset.splits:
            raise Unmeasured(f"{cell.dataset} has no {name} split; units are chosen on one and judged on the other")
        x = source.features(model, dataset.split(name), f"{cell.dataset}/{name}", cell.protocol.layer)
        parts.append((x, *_labels(dataset, name, cell.dataset)))
    return Forms(parts[0], parts[1], concepts, tuple(name.removeprefix(FORM) for name in forms))


def _labels(dataset: Dataset, name: str, role: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    part = dataset.split(name)
    is_form = np.array([each.startswith(FORM) for each in dataset.classes])
    found = []
    for what, columns in (("concept", part.labels[:, ~is_form]), ("form", part.labels[:, is_form])):
        counts = columns.sum(axis=1)
        if (counts != 1).any():
            row = int(np.flatnonzero(counts != 1)[0])
            raise BadDataset(f"{role}: {part.ids[row]!r} has {counts[row]} labels of a {what}; it must have one")
        found.append(columns.argmax(axis=1).astype(np.int64))
    return found[0], found[1]


def parts(source: Source, cell: Cell) -> list[Any]:
    """The feature key at the protocol's layer, and the dataset."""
    return [source.feature_key(source.model(cell.models[0]), cell.protocol.layer), dataset_part(source, cell)]


FAMILIES.add(Family("forms", gather, parts, own_truth=True, about="units over concepts that have several forms"))
