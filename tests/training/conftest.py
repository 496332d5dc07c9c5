"""Gaussian features, and what a lineup of toys offers to those that gather inputs."""

import pytest

from mmbench.bench.lineup_source import LineupSource
from mmbench.features.store import Store

from ..made_features import gaussians
from ..tiny_lineup import tiny_lineup

__all__ = ["gaussians", "tiny_source"]


@pytest.fixture
def tiny_source(tmp_path):
    """What a lineup of toys offers to those that gather inputs."""
    return LineupSource(tiny_lineup(), Store(tmp_path / "store"), progress=False)
