"""Alignment over items: a slow unbiased estimate, what does not change it, and independence."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.inputs.items import Items
from mmbench.metrics import METRICS
from mmbench.probes.item_cka import ItemCKASettings, item_cka

METRIC = METRICS.get("cka_items")


def alignment(x, y):
    given_items = Items((x.astype(np.float32), y.astype(np.float32)), tuple(map(str, range(len(x)))))
    found = item_cka(given_items, [ItemCKASettings()], trials=1, seed=0)[0]
    return float(METRIC.outcome.statistic(found, given_items.truth)[0])


def slow(x, y):
    """Song et al. 2012: the unbiased criterion as a mean over ordered quadruples of different items."""

    def criterion(k, m):
        def h(i, j, q, r):
            return k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])

        return np.mean([h(*four) for four in itertools.permutations(range(len(k)), 4)])

    k, m = x @ x.T, y @ y.T
    return criterion(k, m) / np.sqrt(criterion(k, k) * criterion(m, m))


def test_it_is_the_unbiased_estimate_written_out():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((7, 3))
    y = x[:, :2] + 0.5 * rng.standard_normal((7, 2))
    assert alignment(x, y) == pytest.approx(slow(x, y), abs=1e-4)


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_turning_scaling_and_shifting_change_nothing(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((12, 4)), rng.standard_normal((12, 3))
    turned = x @ np.linalg.qr(rng.standard_normal((4, 4)))[0] * 7 + 3
    assert alignment(turned, y) == pytest.approx(alignment(x, y), abs=1e-3)
    assert alignment(x, turned) == pytest.approx(1.0, abs=1e-3)


def test_independent_features_do_not_align_however_wide_they_are():
    rng = np.random.default_rng(1)
    found = [alignment(rng.standard_normal((30, 200)), rng.standard_normal((30, 200))) for _ in range(10)]
    assert abs(np.mean(found)) < 0.05


def test_an_outcome_for_each_item():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((9, 4)).astype(np.float32)
    found = item_cka(Items((x, x[:, :2].copy()), tuple("abcdefghi")), [ItemCKASettings()], trials=2, seed=0)[0]
    assert found.shape == (2, 2, 9, 9)
    assert METRIC.outcome(found, np.arange(9)).shape == (2, 9)
    assert METRIC.over == "rows"
