"""PGD through an encoder and linear heads: known answers on a linear encoder, and what must hold on any."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from mmbench.attacks.pgd import Threat
from mmbench.errors import BadDataset, BadFeatures, BadSpec
from mmbench.inputs.pixels import Pixels
from mmbench.metrics import METRICS
from mmbench.probes import attack as module
from mmbench.probes.attack import AttackSettings, attack, attacked, classes, start
from mmbench.seeds import trial_seeds

SIDE, TRIALS, N = 4, 2, 60
WIDTH = 3 * SIDE * SIDE


def network(x):
    """Features ``[n, 16]`` that bend: two layers with fixed weights."""
    first = torch.from_numpy(np.random.default_rng(1).standard_normal((WIDTH, 16)).astype(np.float32))
    return ((x - 0.5).flatten(1) @ first).tanh()


def made(encode=lambda x: x.flatten(1), width=WIDTH, classes=2, seed=0):
    """Images away from 0 and 1, so that nothing is cut, and heads that put the boundary in their middle."""
    rng = np.random.default_rng(seed)
    images = rng.uniform(0.35, 0.65, (N, 3, SIDE, SIDE)).astype(np.float32)
    weight = rng.standard_normal((TRIALS, classes, width)).astype(np.float32)
    middle = encode(torch.full((1, 3, SIDE, SIDE), 0.5)).numpy()[0]
    names = tuple(f"class {i}" for i in range(classes))
    ids = tuple(f"image {i}" for i in range(N))
    inputs = Pixels(images, np.zeros(N, np.int64), ids, names, encode, weight, -(weight @ middle))
    return dataclasses.replace(inputs, labels=classes_of(inputs, 0))


def classes_of(inputs, trial):
    return classes(inputs.logits(trial), torch.from_numpy(inputs.images))


def run(inputs, *settings, seed=0):
    return attack(inputs, settings, trials=TRIALS, seed=seed)


@pytest.mark.parametrize(("norm", "epsilon", "dual"), [("linf", 0.01, 1), ("l2", 0.06, 2)])
def test_on_a_linear_encoder_an_attack_wins_where_the_margin_is_below_epsilon_times_the_dual_norm(norm, epsilon, dual):
    inputs = made()
    found = run(inputs, AttackSettings(norm=norm, epsilon=epsilon, steps=40, relative_step=0.1))[0]
    for trial in range(TRIALS):
        across = inputs.weight[trial, 0] - inputs.weight[trial, 1]
        margin = inputs.images.reshape(N, -1) @ across + inputs.bias[trial, 0] - inputs.bias[trial, 1]
        margin *= np.where(inputs.labels == 0, 1, -1)
        reach = epsilon * np.linalg.norm(across, dual)
        clear = np.abs(margin - reach) > 0.02 * reach
        assert clear.mean() > 0.9
        wrong = found[trial] != inputs.labels
        np.testing.assert_array_equal(wrong[clear], (margin < reach)[clear])
        assert 0.2 < wrong.mean() < 0.95  # both outcomes occur


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_epsilon_zero_is_the_clean_prediction(norm):
    inputs = made(network, 16, classes=5)
    (found,) = run(inputs, AttackSettings(norm=norm, epsilon=0.0))
    np.testing.assert_array_equal(found, [classes_of(inputs, trial) for trial in range(TRIALS)])
    assert (found[0] == inputs.labels).all()
    assert (found[1] != inputs.labels).any()


@pytest.mark.parametrize(("norm", "epsilons"), [("linf", (0.0, 0.003, 0.01, 0.03)), ("l2", (0.0, 0.02, 0.06, 0.2))])
@pytest.mark.parametrize("encode", ["linear", "network"])
def test_a_larger_epsilon_never_wins_less(encode, norm, epsilons):
    inputs = made() if encode == "linear" else made(network, 16, classes=5)
    found = run(inputs, *(AttackSettings(norm=norm, epsilon=epsilon) for epsilon in epsilons))
    won = [METRICS.get("attack_success").outcome(predictions, inputs.labels) for predictions in found]
    if encode == "linear":
        assert all((less <= more).all() for less, more in itertools.pairwise(won))
    means = [outcomes.mean() for outcomes in won]
    assert means == sorted(means)
    assert means[0] < means[1] < means[-1]


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.02), ("l2", 0.1)])
def test_more_steps_never_lower_the_mean_loss(norm, epsilon):
    inputs = made(network, 16, classes=5)
    images, labels = torch.from_numpy(inputs.images), torch.from_numpy(inputs.labels)
    logits = inputs.logits(0)
    starts = start(images, Threat(norm, epsilon), 7, inputs.ids)
    losses = []
    for steps in (0, 1, 2, 4, 8, 16):
        s = AttackSettings(norm=norm, epsilon=epsilon, steps=steps)
        losses.append(float(functional.cross_entropy(logits(attacked(logits, images, labels, starts, s)), labels)))
    assert all(more >= less - 1e-3 for less, more in itertools.pairwise(losses)), losses
    assert losses[-1] > losses[0] + 0.05


def test_neither_order_nor_batches_nor_other_settings_change_an_outcome(monkeypatch):
    inputs, s = made(network, 16, classes=5), AttackSettings(epsilon=0.01, steps=3)
    (found,) = run(inputs, s)
    order = np.random.default_rng(3).permutation(N)
    moved = dataclasses.replace(
        inputs, images=inputs.images[order], labels=inputs.labels[order], ids=tuple(inputs.ids[row] for row in order)
    )
    np.testing.assert_array_equal(run(moved, s)[0], found[:, order])
    monkeypatch.setattr(module, "BATCH", 7)
    np.testing.assert_array_equal(run(inputs, AttackSettings(epsilon=0.05), s)[1], found)


def test_starts_depend_on_trial_and_id_alone():
    images, threat = torch.full((2, 3, SIDE, SIDE), 0.5), Threat("linf", 0.1)
    first, second = start(images, threat, 7, ("a", "b"))
    assert (first != second).any()
    assert (start(images, threat, 8, ("a", "b"))[0] != first).any()
    np.testing.assert_array_equal(start(images, threat, 7, ("b", "a"))[1], first)
    np.testing.assert_allclose(start(images, Threat("linf", 0.2), 7, ("a", "b"))[0], 2 * first)
    assert len(set(trial_seeds(0, TRIALS))) == TRIALS


def test_a_start_that_is_not_used_would_be_seen():
    """Without steps what is left of an attack is its start."""
    inputs = made(network, 16, classes=5)
    clean, started = run(inputs, AttackSettings(epsilon=0.3, steps=0), AttackSettings(epsilon=0.0, steps=0))
    assert (clean != started).any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": np.zeros((0, 3, 4, 4), np.float32), "labels": np.zeros(0, np.int64), "ids": ()}, BadDataset,
         "the test split has no rows; this probe needs at least one"),
        ({"weight": np.zeros((2, 3, WIDTH), np.float32)}, BadDataset,
         f"heads must be [trials, 2 classes, d], got weights (2, 3, {WIDTH})"),
        ({"weight": np.full((2, 2, WIDTH), np.nan, np.float32)}, BadFeatures,
         "heads: 4 of 4 rows hold NaN or infinity; check the encoder's precision"),
        ({"images": np.full((N, 3, 4, 4), 1.5, np.float32)}, BadSpec,
         "expected pixels in [0, 1], got values from 1.5 to 1.5; give images before their normalisation, and "
         "normalise inside of logits"),
    ],
)  # fmt: skip
def test_what_cannot_be_attacked_is_refused(change, error, message):
    with pytest.raises(error) as found:
        run(dataclasses.replace(made(), **change), AttackSettings())
    assert str(found.value) == message


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"norm": "l1"}, "the norm of an attack is 'l2' or 'linf', not 'l1'"),
        ({"epsilon": -0.1}, "the epsilon of an attack must be 0 or more, got -0.1; pixels lie in [0, 1]"),
        ({"steps": -1}, "an attack takes 0 or more steps, got -1"),
        ({"targeted": True},
         "a targeted attack succeeds where the target is predicted, and this probe compares with labels; set "
         "targeted=False, or take the probe attack_sweep, which has both"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(setting, message):
    with pytest.raises(BadSpec) as found:
        run(made(), AttackSettings(**setting))
    assert str(found.value) == message
