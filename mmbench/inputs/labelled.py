"""Frozen features and labels of one dataset, under one model or several joined."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_classes, check_features, check_labels
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.models.entry import ModelEntry
from mmbench.protocol import Cell
from mmbench.source import Source


@dataclass(frozen=True)
class Labelled:
    """Frozen features and labels of one dataset.

    ``train_x`` float32 ``[n, d]``, ``test_x`` float32 ``[m, d]``; labels int64 ``[n]`` or bool ``[n, classes]``.
    ``valid_x``, ``valid_y`` when the dataset has a validation split.
    """

    train_x: NDArray[np.float32]
    train_y: NDArray[Any]
    test_x: NDArray[np.float32]
    test_y: NDArray[Any]
    class_names: tuple[str, ...]
    valid_x: NDArray[np.float32] | None = None
    valid_y: NDArray[Any] | None = None

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def multilabel(self) -> bool:
        return self.train_y.ndim == 2

    @property
    def truth(self) -> NDArray[Any]:
        return self.test_y

    def examples(self, test: Split) -> str:
        return test.digest()

    def with_rows(self, rows: NDArray[np.int64]) -> Labelled:
        """The same inputs with these test rows only."""
        return dataclasses.replace(self, test_x=self.test_x[rows], test_y=self.test_y[rows])

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (x for x in (self.train_x, self.valid_x, self.test_x) if x is not None)

    def check(self, *needs: str, multilabel: bool = False) -> None:
        """Refuse what no probe can work on; every probe calls this first.

        ``needs`` are splits that must have rows besides ``test``. Raises BadFeatures on values that are not finite or
        widths that differ, BadDataset on one class, labels that are no class, missing rows, and several labels where
        ``multilabel`` is False.
        """
        check_classes(self.class_names)
        pairs: list[tuple[str, NDArray[Any], NDArray[Any] | None]] = []
        pairs += [("test", self.test_x, self.test_y), ("train", self.train_x, self.train_y)]
        if self.valid_x is not None:
            pairs.append(("valid", self.valid_x, self.valid_y))
        for split, x, y in pairs:
            check_features(f"{split} features", x, self.test_x.shape[-1])
            check_labels(split, y, len(x), self.class_names, multilabel)
            if len(x) == 0 and split in ("test", *needs):
                raise BadDataset(f"the {split} split has no rows; this probe needs at least one")


def raw_roles(cell: Cell) -> tuple[str, ...]:
    """The cell's roles whose input is not normalised under its reading (D-10)."""
    named = getattr(cell.protocol.settings, "raw_input", ())
    return tuple(role for role in cell.models if role in named)


def models_of(source: Source, cell: Cell) -> list[ModelEntry]:
    """Who plays the cell's roles, text encoders first: the thesis concatenates text before image (its chapter 5)."""
    raw = raw_roles(cell)
    entries = [source.model(role, raw=role in raw) for role in cell.models]
    return sorted(entries, key=lambda entry: entry.modality != "text")


def joined(source: Source, cell: Cell, split: str) -> NDArray[np.float32]:
    """Features ``[n, d]`` of one split under the cell's models, concatenated."""
    part = source.dataset(cell.dataset).split(split)
    where = f"{cell.dataset}/{split}"
    blocks = [source.features(entry, part, where, cell.protocol.layer) for entry in models_of(source, cell)]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


def gather(source: Source, cell: Cell) -> Labelled:
    """Features and labels of every split of the cell's dataset."""
    dataset = source.dataset(cell.dataset)
    found = {name: (joined(source, cell, name), part.labels) for name, part in dataset.splits.items()}
    if "test" not in found:
        raise Unmeasured(f"{cell.dataset} has no test split; it has {', '.join(found)}")
    test_x, test_y = found["test"]
    train_x, train_y = found.get("train", (test_x[:0], test_y[:0]))
    valid_x, valid_y = found.get("valid", (None, None))
    return Labelled(train_x, train_y, test_x, test_y, dataset.classes, valid_x, valid_y)


def parts(source: Source, cell: Cell) -> list[Any]:
    """Feature keys in the order of the roles, and the dataset."""
    raw = raw_roles(cell)
    layer = cell.protocol.layer
    keys = [source.feature_key(source.model(role, raw=role in raw), layer) for role in cell.models]
    return [*keys, dataset_part(source, cell)]


FAMILIES.add(Family("labelled", gather, parts, about="features and labels of every split"))
