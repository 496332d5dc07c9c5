"""Prepared images of the splits asked for last.

A lineup's encoders see a dataset one after another, and most are fed alike: so its images are resized and normalised
once and not once for each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SPLITS = 4  # a dataset's training and test images under two transforms
BYTES = 2**27  # for each of them; what goes beyond is prepared anew


@dataclass(frozen=True)
class Kept:
    """Images of one source as one transform prepared them, by row, up to ``BYTES``."""

    images: Any
    prepare: Callable[[Any], Any]
    rows: dict[int, torch.Tensor] = field(default_factory=dict)

    def add(self, row: int, tensor: torch.Tensor) -> None:
        if (len(self.rows) + 1) * tensor.nbytes <= BYTES:
            self.rows[row] = tensor


_recent: deque[Kept] = deque(maxlen=SPLITS)


def kept(images: Any, prepare: Callable[[Any], Any]) -> Kept:
    """What is kept of these very ``images`` under an equal transform, or the place to keep it; now the most recent."""
    found = next((k for k in _recent if k.images is images and k.prepare == prepare), Kept(images, prepare))
    others = [k for k in _recent if k is not found]
    _recent.clear()
    _recent.extend([*others, found])
    return found
