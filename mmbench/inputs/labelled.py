"""Frozen features and labels of one dataset, under one model or several joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, Source, check_features, dataset_part
from mmbench.models.entry import ModelEntry
from mmbench.protocol import Cell


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


def check_classes(names: Sequence[str]) -> None:
    """Raise BadDataset for fewer than two classes."""
    if len(names) < 2:
        raise BadDataset(f"two classes are the least a probe can tell apart, got {list(names)}")


def check_labels(split: str, y: NDArray[Any] | None, rows: int, names: Sequence[str], multilabel: bool) -> None:
    """Raise BadDataset unless ``y`` labels every row with a class (or, where allowed, with several)."""
    if y is None or len(y) != rows:
        raise BadDataset(f"{split} has {rows} feature rows and {'no' if y is None else len(y)} labels; give one a row")
    if y.ndim == 2:
        if not multilabel:
            raise BadDataset(f"{split} labels hold several labels a row, {y.shape}; this probe takes one label a row")
        if y.dtype != np.bool_ or y.shape[1] != len(names):
            raise BadDataset(f"{split} labels must be bool [rows, {len(names)}], got {y.dtype} {y.shape}")
    elif rows and (y.ndim != 1 or y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= len(names)):
        found = f"{y.dtype} {np.unique(y)[:9]}"
        raise BadDataset(f"{split} labels must be integers from 0 to {len(names) - 1}, got {found}")


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
