"""What features and labels must be before a probe or a training takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadDataset, BadFeatures


def check_features(what: str, x: NDArray[Any], width: int) -> None:
    """Raise BadFeatures unless ``x`` is ``[rows, width]`` and finite."""
    if x.ndim != 2 or x.shape[1] != width or width == 0:
        raise BadFeatures(f"{what} must be [rows, {width}] like the test features, got {x.shape}")
    # min and max carry NaN and infinity along and need no copy of the features
    if len(x) and not (np.isfinite(x.min()) and np.isfinite(x.max())):
        bad = int(sum(not np.isfinite(row).all() for row in x))
        raise BadFeatures(f"{what}: {bad} of {len(x)} rows hold NaN or infinity; check the encoder's precision")


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
