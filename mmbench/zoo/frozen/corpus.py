"""What the zoo is trained on: the drawings of the training concepts, and nothing of the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PIXELS = 72


@dataclass(frozen=True)
class Corpus:
    """Training drawings, one a row; ``pixels`` is uint8 ``[n, 4, 72, 72]``, RGBA with straight alpha."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    keywords: tuple[tuple[str, ...], ...]
    categories: tuple[str, ...]
    subcategories: tuple[str, ...]
    pixels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)


def training_corpus() -> Corpus:
    """The drawings whose concept is not kept for evaluation."""
    from mmbench.datasets.openmoji import drawings

    found = drawings(PIXELS)
    rows = np.flatnonzero(~found.evaluation)
    return Corpus(
        ids=tuple(found.ids[row] for row in rows),
        names=tuple(found.names[row] for row in rows),
        keywords=tuple(found.keywords[row] for row in rows),
        categories=tuple(found.categories[row] for row in rows),
        subcategories=tuple(found.subcategories[row] for row in rows),
        pixels=np.ascontiguousarray(found.pixels[rows].transpose(0, 3, 1, 2)),
    )
