"""What trainings learn from: made-up features, and what a lineup of toys offers."""

import pytest

from mmbench.bench.lineup_source import LineupSource
from mmbench.features.store import Store

from ..made_features import gaussians
from ..tiny_lineup import tiny_lineup

__all__ = ["gaussians"]


@pytest.fixture
def tiny_source(tmp_path):
    return LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)
