"""The gap between images and texts, and counterparts: answers that are known, and a second implementation."""

import dataclasses

import numpy as np
import pytest

from mmbench.errors import BadDataset
from mmbench.inputs.two_spaces import TwoSpaces
from mmbench.metrics import METRICS
from mmbench.probes.modality_gap import GapSettings, counterparts, differences, told_apart

RNG = np.random.default_rng(0)


def spaces(gap, n=200, d=8):
    """Texts are images moved by ``gap``."""
    image = {split: RNG.standard_normal((n, d)).astype(np.float32) for split in ("train", "test")}
    stay = {split: x + np.float32(gap) for split, x in image.items()}
    return TwoSpaces({split: np.stack([x, x]) for split, x in image.items()}, stay, tuple(map(str, range(n))))


def run(probe, inputs):
    return probe(inputs, [GapSettings()], trials=2, seed=0)[0]


def test_spaces_far_apart_are_told_apart_and_equal_ones_are_not():
    accuracy = METRICS.get("accuracy").outcome
    far = spaces(3.0)
    assert accuracy(run(told_apart, far), far.truth).mean() > 0.99
    same = spaces(0.0)
    assert accuracy(run(told_apart, same), same.truth).mean() < 0.02  # never right about a vector and its equal


def test_the_classifier_is_scikit_learns_ridge():
    from sklearn.linear_model import RidgeClassifier

    inputs = spaces(0.4)
    x = np.concatenate([inputs.moved["train"][0], inputs.stay["train"]]).astype(np.float64)
    y = np.repeat([1, 0], len(inputs.ids))
    penalty = 1e-3 * x.var(axis=0).mean() * len(x)
    judge = RidgeClassifier(alpha=penalty).fit(x, y)
    right = (judge.predict(inputs.moved["test"][0]) == 1) & (judge.predict(inputs.stay["test"]) == 0)
    assert 0.2 < right.mean() < 0.95
    np.testing.assert_array_equal(run(told_apart, inputs)[0] == inputs.truth, right)


def test_the_distance_is_that_of_the_means_of_unit_vectors():
    inputs = spaces(1.0)
    metric = METRICS.get("mean_distance").outcome
    moved, stay = run(differences, inputs), inputs.stay["test"].astype(np.float64)
    image = inputs.moved["test"][0].astype(np.float64)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (image, stay)]
    expected = np.linalg.norm(unit[0].mean(axis=0) - unit[1].mean(axis=0))
    assert metric(moved, inputs.truth).mean(axis=1) == pytest.approx([expected] * 2)
    slow = metric.statistic(np.delete(moved, 5, axis=1), inputs.truth[1:])
    assert metric.leave_one_out(moved, inputs.truth)[:, 5] == pytest.approx(slow)


def test_a_counterpart_is_found_by_cosine():
    inputs = spaces(0.0)
    assert (run(counterparts, inputs) == inputs.truth).all()
    longer = dataclasses.replace(inputs, moved={split: 5 * x for split, x in inputs.moved.items()})
    assert (run(counterparts, longer) == inputs.truth).all()
    turned = dataclasses.replace(inputs, stay={split: -x for split, x in inputs.stay.items()})
    assert not (run(counterparts, turned) == inputs.truth).any()


def test_spaces_of_two_widths_are_refused():
    inputs = spaces(0.0)
    narrow = dataclasses.replace(inputs, moved={split: x[..., :5] for split, x in inputs.moved.items()})
    with pytest.raises(BadDataset, match="expected one width, got 5 and 8"):
        run(told_apart, narrow)
