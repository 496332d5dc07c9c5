"""Attacks stay in their ball and in [0, 1], find the farthest point where it is known, and do as a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.attacks.pgd import Threat, pgd, random_change
from mmbench.errors import BadSpec

NORMS = ("l2", "linf")
EPSILON = {"l2": 0.8, "linf": 8 / 255}
SIDE, CLASSES = 6, 4


def drawn(seed, n=5, low=0.0, high=1.0):
    """Images with some pixels at the ends of their range, labels, and targets that are other classes."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(low - 0.2 * (high - low), high + 0.2 * (high - low), (n, 3, SIDE, SIDE)).clip(low, high)
    labels = rng.integers(CLASSES, size=n)
    targets = (labels + rng.integers(1, CLASSES, size=n)) % CLASSES
    return torch.from_numpy(pixels), torch.from_numpy(labels), torch.from_numpy(targets)


def network(seed=0):
    """A small network in float64 that treats each image alone."""
    rng = np.random.default_rng(seed)
    first, second = (torch.from_numpy(rng.standard_normal(shape)) for shape in ((3 * SIDE * SIDE, 16), (16, CLASSES)))
    return lambda images: (images.flatten(1) @ first).tanh() @ second


def loss(logits, images, labels):
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(logits(images), labels, reduction="none")


def distance(images, changed, norm):
    change = (changed - images).flatten(1)
    return change.norm(dim=1) if norm == "l2" else change.abs().amax(dim=1)


def attack(logits, images, labels, norm, **given):
    given = {"epsilon": EPSILON[norm], "steps": 5, "step_size": EPSILON[norm] / 2} | given
    seed = given.pop("seed", 0)
    return pgd(logits, images, labels, norm=norm, generator=torch.Generator().manual_seed(seed), **given)


@pytest.mark.parametrize("norm", NORMS)
@given(
    seed=st.integers(0, 999),
    steps=st.integers(0, 4),
    epsilon=st.floats(0, 2),
    step_size=st.floats(0, 3),
    targeted=st.booleans(),
    random_start=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_the_images_lie_in_the_ball_and_in_range(norm, seed, steps, epsilon, step_size, targeted, random_start):
    images, labels, targets = drawn(seed)
    kept = images.clone()
    changed = attack(
        network(seed), images, labels, norm, seed=seed, steps=steps, epsilon=epsilon, step_size=step_size,
        targets=targets if targeted else None, random_start=random_start,
    )  # fmt: skip
    assert float(distance(images, changed, norm).max()) <= epsilon * (1 + 1e-9) + 1e-12
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
    assert not changed.requires_grad
    assert torch.equal(images, kept)


@pytest.mark.parametrize("norm", NORMS)
@given(seed=st.integers(0, 999), steps=st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_an_epsilon_of_nothing_changes_nothing(norm, seed, steps):
    images, labels, _ = drawn(seed)
    assert torch.equal(attack(network(), images, labels, norm, epsilon=0.0, steps=steps, step_size=1.0), images)


@pytest.mark.parametrize("norm", NORMS)
@given(seed=st.integers(0, 999))
@settings(max_examples=10, deadline=None)
def test_each_image_is_attacked_alone(norm, seed):
    images, labels, _ = drawn(seed)
    start = random_change(images, Threat(norm, EPSILON[norm]), torch.Generator().manual_seed(seed))
    together = attack(network(), images, labels, norm, start=start)
    alone = [attack(network(), images[i : i + 1], labels[i : i + 1], norm, start=start[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-12)


def slow_reference(logits, images, labels, targets, norm, epsilon, steps, step_size, start):
    """The same attack, image by image and by finite differences, with numpy alone."""
    found = []
    for row, image in enumerate(images.numpy()):
        clean = image.ravel()
        goal, sign = (labels[row], 1.0) if targets is None else (targets[row], -1.0)

        def entropy(flat, goal=goal, shape=image.shape):
            scores = logits(torch.from_numpy(flat.reshape(1, *shape))).numpy()[0]
            return float(np.log(np.exp(scores).sum()) - scores[goal])

        def back(flat, clean=clean):
            change = flat - clean
            if norm == "linf":
                change = np.minimum(np.maximum(change, -epsilon), epsilon)
            elif np.sqrt((change**2).sum()) > epsilon:
                change = change / np.sqrt((change**2).sum()) * epsilon
            return np.minimum(np.maximum(clean + change, 0.0), 1.0)

        here = back(clean + start[row].numpy().ravel())
        for _ in range(steps):
            slope = np.array([(entropy(here + h) - entropy(here - h)) / 2e-6 for h in np.eye(here.size) * 1e-6])
            direction = np.sign(slope) if norm == "linf" else slope / np.sqrt((slope**2).sum())
            here = back(here + sign * step_size * direction)
        found.append(here.reshape(image.shape))
    return torch.from_numpy(np.stack(found))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("targeted", [False, True])
def test_it_does_as_a_slow_reference(norm, targeted):
    images, labels, targets = drawn(3, n=3)
    targets = targets if targeted else None
    start = random_change(images, Threat(norm, EPSILON[norm]), torch.Generator().manual_seed(0))
    settings = {"epsilon": EPSILON[norm], "steps": 3, "step_size": EPSILON[norm] / 2}
    expected = slow_reference(network(), images, labels, targets, norm, start=start, **settings)
    found = attack(network(), images, labels, norm, targets=targets, start=start, **settings)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_classifier_it_finds_the_farthest_point(norm, targeted):
    """Of two classes with one difference of weights, the best of an Linf ball is a corner, of an L2 ball along it."""
    images, *_ = drawn(0, low=0.4, high=0.6)
    weights = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3, SIDE, SIDE)))
    logits = lambda given: torch.einsum("nchw,kchw->nk", given, weights)  # noqa: E731
    labels = torch.tensor([0, 1, 0, 1, 0])
    away = weights[1 - labels] - weights[labels]
    best = away.sign() if norm == "linf" else away / away.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    found = attack(logits, images, labels, norm, steps=40, targets=1 - labels if targeted else None)
    torch.testing.assert_close(found, images + EPSILON[norm] * best, rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_untargeted_raises_the_loss_and_targeted_lowers_that_of_the_target(norm):
    images, labels, targets = drawn(0, n=20)
    logits = network()
    assert bool((loss(logits, attack(logits, images, labels, norm), labels) > loss(logits, images, labels)).all())
    drawn_to = attack(logits, images, labels, norm, targets=targets)
    assert bool((loss(logits, drawn_to, targets) < loss(logits, images, targets)).all())


@pytest.mark.parametrize("norm", NORMS)
def test_a_random_start_is_in_the_ball_and_follows_the_generator(norm):
    images, labels, _ = drawn(0, n=50, low=0.3, high=0.7)
    one, same, other = (attack(network(), images, labels, norm, steps=0, seed=seed, epsilon=0.1) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    far = distance(images, one, norm)
    assert 0.05 < float(far.max()) <= 0.1 + 1e-9
    assert float((one - images).mean().abs()) < 0.01
    assert torch.equal(attack(network(), images, labels, norm, steps=0, random_start=False), images)


def test_it_works_where_gradients_are_off():
    images, labels, _ = drawn(0)
    with torch.no_grad():
        off = attack(network(), images, labels, "linf")
    assert torch.equal(off, attack(network(), images, labels, "linf"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"norm": "l1"}, "the norm of an attack is 'l2' or 'linf', not 'l1'"),
        ({"epsilon": -0.1}, "the epsilon of an attack must be 0 or more, got -0.1; pixels lie in [0, 1]"),
        ({"epsilon": float("nan")}, "the epsilon of an attack must be 0 or more, got nan; pixels lie in [0, 1]"),
        ({"steps": -1}, "an attack takes 0 or more steps, got -1"),
        ({"step_size": float("inf")}, "the step size of an attack must be 0 or more, got inf"),
        ({"images": torch.zeros(3, 8, 8)}, "expected float images [n, 3, h, w], got torch.float32 [3, 8, 8]"),
        (
            {"images": torch.full((1, 3, 2, 2), -2.0)},
            "expected pixels in [0, 1], got values from -2 to -2; give images before their normalisation, and "
            "normalise inside of logits",
        ),
        (
            {"images": torch.full((1, 3, 2, 2), torch.nan)},
            "expected pixels in [0, 1], got values from nan to nan; give images before their normalisation, and "
            "normalise inside of logits",
        ),
    ],
)
def test_bad_settings_are_refused(given, message):
    images, labels, _ = drawn(0)
    settings = {"images": images, "labels": labels, "norm": "l2", "epsilon": 0.1, "steps": 1, "step_size": 0.1} | given
    with pytest.raises(BadSpec) as refused:
        pgd(network(), **settings)
    assert str(refused.value) == message
