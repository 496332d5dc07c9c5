"""A corpus of a few made-up drawings, so that training is tested without the wheels and in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from mmbench.zoo.corpus import Corpus


@pytest.fixture(scope="session")
def tiny_corpus() -> Corpus:
    rng = np.random.default_rng(0)
    n = 12
    pixels = rng.integers(0, 256, (n, 4, 72, 72), dtype=np.uint8)
    pixels[:, 3] = 255 * (rng.random((n, 72, 72)) < 0.5)
    return Corpus(
        ids=tuple(f"{row:04X}" for row in range(n)),
        names=tuple(f"thing {row}" for row in range(n)),
        keywords=tuple((f"object {row}", "blob") for row in range(n)),
        categories=tuple(f"kind {row % 3}" for row in range(n)),
        subcategories=tuple(f"sort-{row % 4}" for row in range(n)),
        pixels=pixels,
    )
