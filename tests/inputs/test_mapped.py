"""Mapped: what cannot be mapped is refused."""

import pytest

from mmbench.bench.bench import Bench
from mmbench.errors import BadSpec
from mmbench.features.store import Store
from mmbench.probes.retrieval import LINEAR_MAP_RETRIEVAL
from mmbench.protocol import Cell, Roles

from ..tiny_lineup import tiny_lineup


def test_a_hidden_layer_is_refused(tmp_path):
    cell = Cell(LINEAR_MAP_RETRIEVAL.at_layer("stage1"), Roles("clip", "clip_t"), "cifar10")
    with pytest.raises(BadSpec, match="images are mapped to texts from the output only, not layer 'stage1'"):
        Bench(tiny_lineup(), Store(tmp_path), progress=False).scores(cell)
