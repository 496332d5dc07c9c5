"""A few made-up drawings and paragraphs, so that training is tested without the wheels and in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from mmbench.program import digest
from mmbench.zoo import fingerprint
from mmbench.zoo.frozen import wikipedia
from mmbench.zoo.frozen.corpus import Corpus


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


@pytest.fixture
def edit_module(monkeypatch):
    """``edit_module(name, text)``: as if ``text`` stood at the end of a module, and of no other."""
    read = digest.source_of

    def edit(module, text):
        def edited(name):
            source = read(name)
            return source._replace(text=f"{source.text}\n{text}\n") if name == module else source

        monkeypatch.setattr(digest, "source_of", edited)
        fingerprint._programs.cache_clear()

    yield edit
    fingerprint._programs.cache_clear()


SEAS = "red black white dead yellow north".split()
PARAGRAPHS = [f"The {name} sea is wide, and the ships on it are small and far between." for name in SEAS * 10]


@pytest.fixture(autouse=True)
def tiny_wikipedia(monkeypatch) -> list[str]:
    """In the place of Wikipedia, for every test of the zoo; a window each, all words common but the seas."""
    monkeypatch.setattr(wikipedia, "paragraphs", lambda: PARAGRAPHS)
    return PARAGRAPHS
