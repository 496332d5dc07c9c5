import pytest

from mmbench.bench.source import LineupSource
from mmbench.features.store import Store

from ..tiny_lineup import tiny_lineup


@pytest.fixture
def tiny_source(tmp_path):
    """What a lineup of toys offers to those that gather inputs."""
    return LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)
