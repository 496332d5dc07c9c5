"""The contract of a probe and the registry of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset, BadFeatures
from mmbench.protocol import Settings
from mmbench.registry import Registry


@dataclass(frozen=True)
class Arrays:
    """Frozen features and labels of one dataset.

    ``train_x`` float32 ``[n, d]``, ``test_x`` float32 ``[m, d]``; labels int64 ``[n]`` or bool ``[n, classes]``.
    ``class_names`` are what zero-shot prompts are made of; ``prompts`` float32 ``[classes, templates, d]`` are those
    prompts encoded.
    ``valid_x``, ``valid_y`` when the dataset has a validation split.
    """

    train_x: NDArray[np.float32]
    train_y: NDArray[Any]
    test_x: NDArray[np.float32]
    test_y: NDArray[Any]
    class_names: tuple[str, ...]
    valid_x: NDArray[np.float32] | None = None
    valid_y: NDArray[Any] | None = None
    prompts: NDArray[np.float32] | None = None

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def multilabel(self) -> bool:
        return self.train_y.ndim == 2

    def check(self, *needs: str, multilabel: bool = False) -> None:
        """Refuse what no probe can work on; every probe calls this first.

        ``needs`` are those of the probe. Raises BadFeatures on values that are not finite or widths that differ,
        BadDataset on one class, labels that are no class, missing rows or prompts, and several labels where
        ``multilabel`` is False.
        """
        if self.classes < 2:
            raise BadDataset(f"two classes are the least a probe can tell apart, got {list(self.class_names)}")
        pairs: list[tuple[str, NDArray[Any], NDArray[Any] | None]] = []
        pairs += [("test", self.test_x, self.test_y), ("train", self.train_x, self.train_y)]
        if self.valid_x is not None:
            pairs.append(("valid", self.valid_x, self.valid_y))
        for split, x, y in pairs:
            _check_features(f"{split} features", x, self.test_x.shape[-1])
            _check_labels(split, y, len(x), self.class_names, multilabel)
            if len(x) == 0 and split in ("test", *needs):
                raise BadDataset(f"the {split} split has no rows; this probe needs at least one")
        if "prompts" in needs:
            if self.prompts is None:
                raise BadDataset("this probe needs encoded prompts and the arrays hold none; give a text encoder")
            _check_features("prompts", self.prompts.reshape(-1, self.prompts.shape[-1]), self.test_x.shape[-1])
            if self.prompts.ndim != 3 or 0 in self.prompts.shape or len(self.prompts) != self.classes:
                raise BadDataset(
                    f"prompts must be [classes, templates, d] with {self.classes} classes, got {self.prompts.shape}"
                )


def _check_features(what: str, x: NDArray[Any], width: int) -> None:
    if x.ndim != 2 or x.shape[1] != width or width == 0:
        raise BadFeatures(f"{what} must be [rows, {width}] like the test features, got {x.shape}")
    # min and max carry NaN and infinity along and need no copy of the features
    if len(x) and not (np.isfinite(x.min()) and np.isfinite(x.max())):
        bad = int(sum(not np.isfinite(row).all() for row in x))
        raise BadFeatures(f"{what}: {bad} of {len(x)} rows hold NaN or infinity; check the encoder's precision")


def _check_labels(split: str, y: NDArray[Any] | None, rows: int, names: tuple[str, ...], multilabel: bool) -> None:
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


@dataclass(frozen=True)
class Probe:
    """``run(arrays, settings, trials=, seed=, device=)`` takes a sequence of settings and returns predictions for each.

    Settings come together so that a probe can solve all shots as one tensor problem. A prediction is int64
    ``[trials, m]``, or bool ``[trials, m, classes]`` for several labels. Trials are independent draws or
    initialisations derived from ``seed`` alone, the same whatever the model, so that models can be compared in pairs.
    ``needs`` lists what must be present: ``train``, ``prompts``; ``multilabel`` says whether it takes several labels;
    ``side_by_side`` whether two runs, each on half of the cores, are done before one after the other on all cores.
    """

    name: str
    run: Callable[..., list[NDArray[Any]]]
    settings: type[Settings]
    needs: tuple[str, ...] = ("train",)
    multilabel: bool = False
    side_by_side: bool = False
    about: str = ""


PROBES: Registry[Probe] = Registry("probe", package="mmbench.probes")
