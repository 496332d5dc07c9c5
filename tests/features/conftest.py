"""Makes tiny_encoders importable (tests are no package) and gives a store."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def store(tmp_path):
    from mmbench.features.store import Store

    return Store(tmp_path / "store", shard_items=8)
