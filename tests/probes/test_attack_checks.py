"""Attacks at each epsilon by itself: what a sweep cannot show, since success never falls there."""

import dataclasses

import numpy as np
import torch

from mmbench.inputs.pixels import Pixels
from mmbench.inputs.transferred import Transferred
from mmbench.metrics.outcomes import attack_success
from mmbench.probes import attack_checks
from mmbench.probes.attack_checks import CheckSettings
from mmbench.probes.attack_sweep import SweepSettings
from mmbench.probes.entry import PROBES

SIZE, N = 8, 8
SMALL, LARGE = 0.04, 0.4


def narrow_band():
    """Grey images of a class that is left only in a narrow band of brightness: large steps pass over the band."""

    def encode(images):
        away = (images.mean(dim=(1, 2, 3)) - 0.53) / 0.006
        return torch.stack([torch.zeros_like(away), 1 - away**2], dim=1)

    return Pixels(
        images=np.full((N, 3, SIZE, SIZE), 0.5, dtype=np.float32),
        labels=np.zeros(N, dtype=np.int64),
        ids=tuple(map(str, range(N))),
        class_names=("grey", "a little lighter"),
        encode=encode,
        weight=np.eye(2, dtype=np.float32)[None],
        bias=np.zeros((1, 2), dtype=np.float32),
    )


def success(probe, settings):
    inputs = narrow_band()
    return [
        float(attack_success(found, inputs.labels).mean())
        for found in PROBES.get(probe).run(inputs, settings, trials=1, seed=0)
    ]


def test_an_attack_that_fails_at_a_larger_epsilon_shows_alone_and_not_in_a_sweep():
    how = {"norm": "linf", "steps": 10, "relative_step": 0.25}
    alone = [CheckSettings(**how, epsilon=epsilon, quantity="class") for epsilon in (SMALL, LARGE)]
    small, large = success("attack_checks", alone)
    assert small == 1.0
    assert large < 0.5
    [swept] = success("attack_sweep", [SweepSettings(**how, epsilon=LARGE)])
    assert swept > large


def test_an_epsilon_of_almost_nothing_leaves_the_image_as_it_is():
    [none] = success("attack_checks", [CheckSettings(epsilon=1e-9, steps=3, quantity="class")])
    assert none == 0.0


def test_images_that_are_shown_to_another_model_have_just_crossed_the_boundary():
    """An image stops where it breaks: a second model with a boundary a little further on is not fooled."""
    one, further = narrow_band(), narrow_band()
    further = dataclasses.replace(further, encode=lambda images: one.encode(images - 0.02))
    how = SweepSettings(norm="linf", steps=40, relative_step=0.05, epsilon=0.06)
    inputs = Transferred(one, further)
    [stopped] = PROBES.get("transfer").run(inputs, [how], trials=1, seed=0)
    assert attack_success(stopped, one.labels).mean() == 0.0
    [itself] = PROBES.get("transfer").run(Transferred(one, one), [how], trials=1, seed=0)
    assert attack_success(itself, one.labels).mean() == 1.0


def test_pairs_with_one_first_model_share_its_adversarial_images(monkeypatch):
    """Attacked anew only where something differs: the images, the head, the seed or the settings."""
    calls, real = [], attack_checks.sweep
    monkeypatch.setattr(attack_checks, "sweep", lambda *given, **how: calls.append(given) or real(*given, **how))
    one, shown = narrow_band(), narrow_band()
    how = SweepSettings(norm="linf", steps=10, relative_step=0.2, epsilon=0.06)

    def run(attacked, settings=how, seed=0):
        return PROBES.get("transfer").run(Transferred(attacked, shown), [settings], trials=1, seed=seed)[0]

    first = run(one)
    assert len(calls) == 1
    np.testing.assert_array_equal(run(dataclasses.replace(one)), first)
    assert len(calls) == 1
    run(dataclasses.replace(one, images=one.images + np.float32(0.01)))
    run(dataclasses.replace(one, bias=one.bias + np.float32(0.1)))
    run(one, seed=1)
    run(one, dataclasses.replace(how, epsilon=0.05))
    assert len(calls) == 5
    run(narrow_band())  # another network: what was made for the first is let go
    run(one)
    assert len(calls) == 7
