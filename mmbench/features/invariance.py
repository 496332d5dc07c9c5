"""Contract checks of an encoder: an item has the same features whatever its batch, its place in it and the workers.

Each check takes an encoder and a split, returns nothing, and raises AssertionError (BadFeatures for widths, training
mode and values that are not finite) with a message that names model and item.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.entry import Split
from mmbench.features.encode import check_finite, check_ready, encode_rows
from mmbench.models.entry import Encoder

# Largest relative difference ||a - b|| / ||b|| of one row between two ways of encoding it in float32. Kernels chosen
# by batch size add in another order: at most 1.5e-6 was measured on CPU (ResNet-18 and -50, EfficientNet-Lite0, ViT-S,
# MiniLM). Sixty times that still bounds the change of any cosine by about 2e-4, and stays well under what a dependence
# on the batch through batch-norm, dropout or padding does.
TOLERANCE = 1e-4
ITEMS = 12


def relative_difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """``||a - b|| / ||b||`` of each row, float64 ``[n]``.

    A length ``||b||`` below a thousandth of the mean length is replaced by that.
    """
    lengths = np.linalg.norm(b.astype(np.float64), axis=1)
    floor = max(1e-3 * float(lengths.mean()), 1e-30)
    return np.linalg.norm(a.astype(np.float64) - b, axis=1) / np.maximum(lengths, floor)


def _rows(split: Split, items: int) -> list[int]:
    return list(range(min(items, len(split))))


def _same(
    got: NDArray[np.float32], want: NDArray[np.float32], ids: Sequence[str], name: str, change: str, tolerance: float
) -> None:
    differences = relative_difference(got, want)
    worst = int(np.nan_to_num(differences, nan=np.inf).argmax())
    if not differences[worst] <= tolerance:
        raise AssertionError(
            f"{name} gives item {ids[worst]!r} other features {change}: relative difference "
            f"{differences[worst]:.2g}, allowed {tolerance:.2g}"
        )


def check_batch_invariance(
    encoder: Encoder, split: Split, *, name: str = "the encoder", items: int = ITEMS, tolerance: float = TOLERANCE
) -> None:
    """One batch of all, batches of 5 (with a short last one) and batches of 1 agree."""
    rows = _rows(split, items)
    ids = [split.ids[row] for row in rows]
    together = encode_rows(encoder, split, rows, batch_size=len(rows), name=name)
    for size in (1, 5):
        got = encode_rows(encoder, split, rows, batch_size=size, name=name)
        _same(got, together, ids, name, f"in batches of {size} than of {len(rows)}", tolerance)


def check_order_invariance(
    encoder: Encoder, split: Split, *, name: str = "the encoder", items: int = ITEMS, tolerance: float = TOLERANCE
) -> None:
    """The items in reverse, and shuffled, give the same rows in that order."""
    rows = _rows(split, items)
    straight = encode_rows(encoder, split, rows, name=name)
    shuffled = np.random.default_rng(0).permutation(len(rows)).tolist()
    for order, how in ((rows[::-1], "in reverse order"), (shuffled, "in another order")):
        got = encode_rows(encoder, split, order, name=name)
        _same(got, straight[order], [split.ids[row] for row in order], name, how, tolerance)


def check_workers_invariance(
    encoder: Encoder, split: Split, *, name: str = "the encoder", items: int = ITEMS, tolerance: float = TOLERANCE
) -> None:
    """Items prepared on two and on four threads have the same features as items prepared on the calling thread."""
    rows = _rows(split, items)
    alone = encode_rows(encoder, split, rows, name=name)
    for workers in (2, 4):
        got = encode_rows(encoder, split, rows, workers=workers, name=name)
        _same(got, alone, [split.ids[row] for row in rows], name, f"with {workers} workers", tolerance)


def check_repeatable(
    encoder: Encoder, split: Split, *, name: str = "the encoder", items: int = ITEMS, tolerance: float = TOLERANCE
) -> None:
    """Three equal calls give the same features."""
    rows = _rows(split, items)
    first = encode_rows(encoder, split, rows, name=name)
    for _ in range(2):
        again = encode_rows(encoder, split, rows, name=name)
        _same(again, first, [split.ids[row] for row in rows], name, "in a second call", tolerance)


def check_finite_and_width(encoder: Encoder, split: Split, *, name: str = "the encoder", items: int = ITEMS) -> None:
    """Finite values, the declared width, and not the same features for all items; raises BadFeatures."""
    rows = _rows(split, items)
    features = encode_rows(encoder, split, rows, name=name)
    check_finite(features, [split.ids[row] for row in rows], name)
    if len(rows) > 1 and not np.ptp(features, axis=0).any():
        raise AssertionError(f"{name} gives the same features for all of {len(rows)} items")


def check_eval_mode(encoder: Encoder, split: Split | None = None, *, name: str = "the encoder") -> None:
    """No part of the network is in training mode; raises BadFeatures."""
    check_ready(encoder, name)


CHECKS = {
    "batch_invariance": check_batch_invariance,
    "order_invariance": check_order_invariance,
    "workers_invariance": check_workers_invariance,
    "repeatable": check_repeatable,
    "finite_and_width": check_finite_and_width,
    "eval_mode": check_eval_mode,
}
