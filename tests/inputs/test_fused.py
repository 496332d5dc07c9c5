"""Fused: a text beside an image at an early layer, at the last, or both."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench.lineup_source import LineupSource
from mmbench.errors import BadSpec, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs import fused, labelled
from mmbench.models.encoders import image_encoder
from mmbench.models.hidden import Layer
from mmbench.probes.fusion import DUAL_FUSION, EARLY_FUSION, FUSIONS, LATE_FUSION, FusionSettings, fusion
from mmbench.probes.mlp import MLP_HEAD, mlp
from mmbench.protocol import Cell, Roles

from ..tiny_lineup import PLAIN, colours, tiny_lineup

PAIR = Roles("clip", "clip_t")


def staged(name="stage1"):
    """``colours`` as a network of two stages: the early one shows the mean colour, the last its negative."""

    def load():
        import torch
        from torch import nn

        class Negative(nn.Module):
            def forward(self, x):
                return -x.mean(dim=(2, 3))

        network = nn.Sequential(nn.Identity(), Negative()).eval()
        assert isinstance(network, torch.nn.Module)
        return image_encoder(network, PLAIN, 3, layers={name: Layer(network[0])})

    return dataclasses.replace(colours("staged")[0], load=load)


def source_with(tmp_path, **stage):
    return LineupSource(tiny_lineup({"clip": staged(**stage)}), Store(tmp_path / "store"), progress=False)


def test_the_text_comes_first_then_the_layers_that_are_asked(tmp_path):
    source = source_with(tmp_path)
    early, late, dual = (
        fused.gather(source, Cell(p, PAIR, "cifar10")) for p in (EARLY_FUSION, LATE_FUSION, DUAL_FUSION)
    )
    texts = np.eye(3)[late.test_y]
    for found, width in ((early, 6), (late, 6), (dual, 9)):
        assert found.test_x.shape == (53, width)
        np.testing.assert_array_equal(found.test_x[:, :3], texts)
    np.testing.assert_allclose(early.test_x[:, 3:], -late.test_x[:, 3:], atol=1e-6)
    np.testing.assert_array_equal(dual.test_x, np.concatenate([early.test_x, late.test_x[:, 3:]], axis=1))
    assert early.valid_x is None


def test_late_fusion_is_the_thesis_pair(tmp_path):
    source = source_with(tmp_path)
    late = fused.gather(source, Cell(LATE_FUSION, PAIR, "cifar10"))
    pair = labelled.gather(source, Cell(MLP_HEAD, PAIR, "cifar10"))
    np.testing.assert_array_equal(late.train_x, pair.train_x)
    np.testing.assert_array_equal(
        fusion(late, [FusionSettings()], trials=2, seed=0)[0], mlp(pair, [MLP_HEAD.settings], trials=2, seed=0)[0]
    )


def test_the_three_are_never_solved_together_and_differ_in_key():
    assert len({protocol.settings.for_inputs() for protocol in FUSIONS}) == 3
    assert len({protocol.fingerprint() for protocol in FUSIONS}) == 3


def test_unknown_stages_hidden_layers_and_other_kinds_are_refused(tmp_path):
    source = source_with(tmp_path, name="blocks.0")
    with pytest.raises(
        Unmeasured, match=r"no early stage called stage1 or layer1 or stages.0; its layers are .*blocks.0"
    ):
        fused.gather(source, Cell(EARLY_FUSION, PAIR, "cifar10"))
    assert fused.gather(source, Cell(LATE_FUSION, PAIR, "cifar10")).test_x.shape == (53, 6)
    with pytest.raises(BadSpec, match="its own settings say at which layers images are taken only, not layer 'stage1'"):
        fused.gather(source, Cell(LATE_FUSION.at_layer("stage1"), PAIR, "cifar10"))
    with pytest.raises(Unmeasured, match="expected the encoders in the order image, text"):
        fused.gather(source, Cell(LATE_FUSION, Roles("clip_t", "clip"), "cifar10"))
