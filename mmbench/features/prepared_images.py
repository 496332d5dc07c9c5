"""Images that were prepared for one encoder and are kept in memory for the next.

The encoders of a lineup are given a dataset one after another, and most of them prepare images in the same way. So an
image is decoded, resized and normalised once, and not once for each encoder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SOURCES = 4  # the training and test images of one dataset under two transforms
BYTES = 2**27  # for each source; images beyond that are prepared again


@dataclass(frozen=True)
class Kept:
    """Images of one source as one transform prepared them, by row, up to ``max_bytes``."""

    images: Any
    prepare: Callable[[Any], Any]
    max_bytes: int = BYTES
    rows: dict[int, torch.Tensor] = field(default_factory=dict)

    def add(self, row: int, tensor: torch.Tensor) -> None:
        """Keep the prepared image of ``row``, if there is room."""
        if (len(self.rows) + 1) * tensor.nbytes <= self.max_bytes:
            self.rows[row] = tensor


class PreparedImages:
    """The prepared images of the ``sources`` that were used last, each up to ``max_bytes``; pass it to ``extract``."""

    def __init__(self, sources: int = SOURCES, max_bytes: int = BYTES) -> None:
        self._recent: deque[Kept] = deque(maxlen=sources)
        self._max_bytes = max_bytes

    def of(self, images: Any, prepare: Callable[[Any], Any]) -> Kept:
        """What is kept of this ``images`` object under an equal transform, or a new place to keep it."""
        same = (kept for kept in self._recent if kept.images is images and kept.prepare == prepare)
        found = next(same, None) or Kept(images, prepare, self._max_bytes)
        others = [kept for kept in self._recent if kept is not found]
        self._recent.clear()
        self._recent.extend([*others, found])
        return found
