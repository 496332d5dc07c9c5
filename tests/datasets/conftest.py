"""Makes paper_data importable (tests are no package), and keeps notes out of the user's cache."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))


@pytest.fixture
def own_notes(tmp_path_factory, monkeypatch):
    """A cache folder without the digests that earlier tests noted."""
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
