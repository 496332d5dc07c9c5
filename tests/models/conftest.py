"""Pictures, and a weights folder with a cache of its own, for the loaders' tests; makes their helpers importable."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The folder that @FILE is relative to; nothing is noted in the user's cache, and no hub cache is seen."""
    monkeypatch.setenv("MMBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="session")
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)) for _ in range(3)]
