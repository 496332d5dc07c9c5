"""Operations are counted: those of layers whose number is known."""

import numpy as np
import pytest
import torch

from mmbench.inputs.operations import Operations, counted
from mmbench.metrics import METRICS
from mmbench.probes.translation_cost import TranslationCostSettings, translation_cost
from mmbench.training.latent_cyclegan import LatentCycleGANSettings, translate, untrained


def test_layers_of_known_size():
    layer, x = torch.nn.Linear(7, 5), torch.zeros(3, 7)
    assert counted(lambda: layer(x)) == 2 * 3 * 7 * 5
    weights = untrained(16, LatentCycleGANSettings(networks=2), 0)
    assert counted(lambda: translate(weights, np.zeros((1, 16), np.float32), 0)) == 4 * 2 * 16 * 16


def test_the_score_is_the_share():
    ones = np.ones(6, dtype=np.int64)
    inputs = Operations(400 * ones, 3 * ones, tuple("abcdef"))
    found = translation_cost(inputs, [TranslationCostSettings()], trials=2, seed=0)[0]
    assert METRICS.get("share_of_encoder").outcome(found, inputs.truth).mean() * 100 == pytest.approx(0.75)
