import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import norm, ortho_group

from mmbench.errors import BadDataset, BadFeatures
from mmbench.inputs.prompts import Prompted
from mmbench.probes.zero_shot import ZeroShotSettings, zero_shot

THREE = ZeroShotSettings()
EACH_OR_NOT = [THREE, dataclasses.replace(THREE, normalise_each=False)]


def slow_zero_shot(arrays, setting):
    weights = []
    for prompts in arrays.prompts.astype(float):
        rows = [p / np.linalg.norm(p) if setting.normalise_each else p for p in prompts]
        mean = sum(rows) / len(rows)
        weights.append(mean / np.linalg.norm(mean))
    return np.array([np.argmax([x @ w for w in weights]) for x in arrays.test_x.astype(float)])


@pytest.mark.parametrize("setting", EACH_OR_NOT, ids=["each", "mean_only"])
def test_agrees_with_the_slow_loop_in_every_trial(gaussians, setting):
    arrays = gaussians(spread=0.5, test=200, prompted=True)
    arrays.prompts[:, 0] *= 20  # one loud template, so that the two ways differ
    found = zero_shot(arrays, [setting], trials=3, seed=0)[0]
    np.testing.assert_array_equal(found, np.tile(slow_zero_shot(arrays, setting), (3, 1)))


def test_a_loud_template_counts_once_only_where_each_is_normalised():
    prompts = np.array([[[1, 0], [0, 100]], [[0.6, 0.8], [0.6, 0.8]]], dtype=np.float32)
    test_x = np.array([[0.65, 0.76]], dtype=np.float32)
    arrays = Prompted(test_x, np.array([0]), ("a", "b"), prompts)
    two = ZeroShotSettings()
    each, mean = zero_shot(arrays, [two, dataclasses.replace(two, normalise_each=False)], trials=1, seed=0)
    assert each.item() == 1  # prompts a: (0.71, 0.71), b: (0.6, 0.8)
    assert mean.item() == 1
    arrays.test_x[0] = [0.05, 1.0]
    each, mean = zero_shot(arrays, [two, dataclasses.replace(two, normalise_each=False)], trials=1, seed=0)
    assert (each.item(), mean.item()) == (1, 0)


def test_prompts_at_the_means_reach_the_bayes_rate():
    rng = np.random.default_rng(0)
    mean = np.array([0.48, 0.64, 0.6])
    y = np.arange(20_000) % 2
    x = (rng.standard_normal((20_000, 3)) + np.where(y, -1, 1)[:, None] * mean).astype(np.float32)
    arrays = Prompted(x, y, ("a", "b"), np.stack([mean, -mean])[:, None].astype(np.float32))
    found = zero_shot(arrays, [ZeroShotSettings()], trials=1, seed=0)[0]
    bayes = norm.cdf(1.0)
    assert (found == y).mean() == pytest.approx(bayes, abs=4 * (bayes * (1 - bayes) / 20_000) ** 0.5)


@hypothesis_settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(EACH_OR_NOT))
def test_rotation_order_names_and_scale_change_nothing(gaussians, seed, setting):
    arrays, rng = gaussians(seed=seed, prompted=True), np.random.default_rng(seed)
    turn = ortho_group.rvs(8, random_state=seed).astype(np.float32)
    order, names = rng.permutation(len(arrays.test_x)), rng.permutation(4)
    prompts = np.empty_like(arrays.prompts)
    prompts[names] = 17 * arrays.prompts @ turn
    moved = dataclasses.replace(arrays, test_x=(3 * arrays.test_x @ turn)[order], prompts=prompts)
    before, after = (zero_shot(a, [setting], trials=1, seed=0)[0] for a in (arrays, moved))
    assert (names[before[:, order]] != after).sum() <= 1  # a tie to the last digit may fall either way


def test_prompts_of_another_width_are_refused(gaussians):
    inputs = gaussians(prompted=True)
    with pytest.raises(BadFeatures, match=r"prompts must be \[rows, 8\] like the test features, got \(12, 7\)"):
        zero_shot(dataclasses.replace(inputs, prompts=inputs.prompts[:, :, :7]), [THREE], trials=1, seed=0)


def test_one_row_of_prompts_a_class(gaussians):
    arrays = gaussians(prompted=True)
    with pytest.raises(BadDataset, match=r"with 4 classes, got \(3, 3, 8\)"):
        zero_shot(dataclasses.replace(arrays, prompts=arrays.prompts[:3]), [THREE], trials=1, seed=0)
