"""Attacks stay within their epsilon and raise the loss; adversarial training shows attacked views and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mmbench import zoo
from mmbench.attacks.pgd import Threat
from mmbench.zoo.frozen.adversarial import attacked
from mmbench.zoo.frozen.loop import Trainer

THREATS = [Threat("l2", 0.857), Threat("linf", 4 / 255), Threat("linf", 8 / 255)]
ids = lambda threat: f"{threat.norm}-{threat.epsilon:.3f}"  # noqa: E731


def images(seed=0, n=5):
    """Normalised images, some of whose pixels lie at the ends of their range."""
    import torch

    pixels = np.random.default_rng(seed).uniform(-0.2, 1.2, (n, 3, 64, 64)).clip(0, 1).astype(np.float32)
    return (torch.from_numpy(pixels) - 0.5) / 0.25


def moved(given, hard, norm):
    away = (hard - given).flatten(1) * 0.25
    return away.norm(dim=1) if norm == "l2" else away.abs().amax(dim=1)


@pytest.mark.parametrize("threat", THREATS, ids=ids)
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_an_attack_on_normalised_images_stays_within_its_epsilon(threat, steps):
    import torch

    given, labels = images(), torch.zeros(5, dtype=torch.int64)
    weights = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3 * 64 * 64)).astype(np.float32))
    logits = lambda seen: seen.flatten(1) @ weights.T  # noqa: E731
    hard = attacked(given, logits, labels, threat, steps, np.random.default_rng(0))
    assert float(moved(given, hard, threat.norm).max()) <= threat.epsilon * 1.001 + 1e-6
    assert float(hard.abs().max()) <= 2 + 1e-5
    assert not hard.requires_grad


@pytest.mark.parametrize("threat", THREATS, ids=ids)
def test_steps_gain_on_a_random_start(threat, tiny_corpus):
    import torch
    from torch.nn import functional as F

    run = trainer(tiny_corpus)
    given, labels = images(), torch.arange(5) % 3
    logits = lambda seen: run.objective.parts["head"](run.tower(seen))  # noqa: E731
    run.tower.eval()
    losses = []
    for steps in (0, 2, 10):
        hard = attacked(given, logits, labels, threat, steps, np.random.default_rng(0))
        with torch.no_grad():
            losses.append(float(F.cross_entropy(logits(hard), labels)))
    assert losses[0] < losses[1] - 1e-3
    assert losses[1] < losses[2] + 1e-3


def trainer(corpus, name="ar_li8", **options):
    recipe = zoo.RECIPES.get(name)
    return Trainer(dataclasses.replace(recipe, batch=6, steps=4, options={**recipe.options, **options}), corpus)


@pytest.mark.parametrize(
    ("name", "norm", "size"), [("ar_l2", "l2", 0.857), ("ar_li4", "linf", 0.0157), ("ar_li8", "linf", 0.0314)]
)
def test_training_shows_attacked_views(name, norm, size, tiny_corpus):
    import torch

    run = trainer(tiny_corpus, name, ramp=0.25)  # of four steps: the whole epsilon at once
    seen = []
    run.tower.register_forward_hook(lambda module, given, out: seen.append((module.training, given[0].detach())))
    run.advance()
    assert [training for training, _ in seen] == [False, False, True]
    with torch.autocast("cpu", torch.bfloat16):  # as in training; the poses depend on it
        far = moved(run.batch(0).view(), seen[-1][1], norm)
    assert float(far.max()) <= size * 1.01
    assert float(far.min()) > 0.5 * size


def test_the_epsilon_grows_to_its_size(tiny_corpus):
    run = trainer(tiny_corpus, ramp=0.75)
    found = [moved(run.batch(s).view(), run.objective.attack(run.tower, run.batch(s)), "linf") for s in range(4)]
    expected = [8 / 255 * share for share in (1 / 3, 2 / 3, 1, 1)]
    assert [float(far.max()) for far in found] == pytest.approx(expected, rel=1e-4)


def test_the_attack_raises_the_loss_it_is_trained_on(tiny_corpus):
    import torch
    from torch.nn import functional as F

    run = trainer(tiny_corpus)
    for _ in range(3):
        run.advance()
    plain, hard = run.batch(3).view(), run.objective.attack(run.tower, run.batch(3))
    targets = torch.from_numpy(run.objective.targets[run.batch(3).rows])
    run.tower.eval()
    with torch.no_grad():
        losses = [
            float(F.cross_entropy(run.objective.parts["head"](run.tower(seen)), targets)) for seen in (plain, hard)
        ]
    assert losses[1] > losses[0] + 1e-3


def test_without_an_epsilon_the_step_is_that_of_plain_labels(tiny_corpus):
    """The attack leaves no gradient and no running average behind."""
    import torch

    plain = Trainer(dataclasses.replace(zoo.RECIPES.get("rn50"), batch=6, steps=4, autocast=False), tiny_corpus)
    hard = trainer(tiny_corpus, epsilon=0.0)
    hard = Trainer(dataclasses.replace(hard.recipe, autocast=False), tiny_corpus)
    assert hard.advance() == pytest.approx(plain.advance(), rel=1e-5)
    for one, other in zip(plain.tower.buffers(), hard.tower.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    for one, other in zip(plain.tower.parameters(), hard.tower.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5)
