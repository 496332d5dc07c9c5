"""The sweep as a probe: epsilons together, trials, noise, what a lineup lowers, and a run that is killed."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmbench.attacks.sweep import Sweep, sweep
from mmbench.errors import BadSpec
from mmbench.inputs.pixels import Pixels
from mmbench.metrics import METRICS
from mmbench.probes import attack_sweep as module
from mmbench.probes.attack import Threat, start
from mmbench.probes.attack_sweep import (
    FIGURE,
    JUDGED,
    LINF_PUBLISHED,
    NOISE,
    TARGETED,
    UNTARGETED,
    SweepSettings,
    attack_sweep,
    epsilons_with,
    noise,
)
from mmbench.seeds import trial_seeds
from mmbench.training.entry import Checkpoint

N, SIDE, CLASSES, TRIALS = 40, 5, 4, 2
HERE = Path(__file__).parent
QUICK = SweepSettings(steps=6, relative_step=0.4, images=N)
EPSILONS, EPSILONS_L2 = (0.0, 0.003, 0.01, 0.03), (0.0, 0.05, 0.2, 0.6)


@pytest.fixture
def ladder(monkeypatch):
    """Sweeps of a few epsilons."""
    monkeypatch.setattr(module, "EPSILONS", {"linf": EPSILONS, "l2": EPSILONS_L2})


def made(seed=0, targeted=False):
    rng = np.random.default_rng(seed)
    first = torch.from_numpy(rng.standard_normal((3 * SIDE**2, 16)).astype(np.float32))
    encode = lambda images: ((images - 0.5).flatten(1) @ first).tanh()  # noqa: E731
    images = rng.uniform(0.2, 0.8, (N, 3, SIDE, SIDE)).astype(np.float32)
    weight = rng.standard_normal((1, CLASSES, 16)).astype(np.float32).repeat(TRIALS, axis=0)
    names, ids = tuple("abcd"), tuple(f"image {i}" for i in range(N))
    found = Pixels(images, np.zeros(N, np.int64), ids, names, encode, weight, np.zeros((TRIALS, CLASSES), np.float32))
    labels = found.logits(0)(torch.from_numpy(images)).argmax(dim=1).numpy()
    return dataclasses.replace(found, labels=labels, targets=(labels + 3) % CLASSES if targeted else None)


def at(epsilons=EPSILONS, **changed):
    return [dataclasses.replace(QUICK, epsilon=epsilon, **changed) for epsilon in epsilons]


def run(inputs, settings, seed=0):
    return attack_sweep(inputs, settings, trials=TRIALS, seed=seed)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("targeted", [False, True])
def test_it_is_the_sweep_of_each_trial_in_the_order_of_the_settings(norm, targeted, ladder):
    inputs = made(targeted=targeted)
    epsilons = EPSILONS if norm == "linf" else EPSILONS_L2
    order = (2, 0, 3, 1)
    found = run(inputs, at([epsilons[i] for i in order], norm=norm, targeted=targeted))
    images, labels = torch.from_numpy(inputs.images), torch.from_numpy(inputs.labels)
    targets = torch.from_numpy(inputs.targets) if targeted else None
    for trial, seed in enumerate(trial_seeds(0, TRIALS)):
        starts = start(images, Threat(norm, 1.0), seed, inputs.ids)
        expected = sweep(inputs.logits(trial), images, labels, Sweep(norm, epsilons, 6, 0.4), starts, targets=targets)
        for place, level in enumerate(order):
            np.testing.assert_array_equal(found[place][trial], expected.classes[level])
    won = METRICS.get("targeted_success" if targeted else "attack_success").outcome
    rates = [won(found[order.index(level)], inputs.truth).mean() for level in range(4)]
    assert rates == sorted(rates)
    assert rates[0] == 0 < rates[-1]


def test_trials_differ_in_their_starts_and_settings_beside_change_nothing(ladder):
    inputs = made()
    both = run(inputs, [*at((0.01, 0.003, 0.007), norm="linf"), *at((0.2,), norm="l2"), *at((0.01,), change="noise")])
    alone = run(inputs, at((0.01,)))
    np.testing.assert_array_equal(both[0], alone[0])
    images = torch.from_numpy(inputs.images)
    one, other = (start(images, Threat("linf", 1.0), seed, inputs.ids) for seed in trial_seeds(0, 2))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_noise_has_the_size_of_the_attack_and_fools_less(norm):
    inputs = made()
    images = torch.from_numpy(inputs.images)
    drawn = noise(images, norm, 7, inputs.ids).flatten(1)
    size = drawn.abs().amax(dim=1) if norm == "linf" else drawn.norm(dim=1)
    torch.testing.assert_close(size, torch.ones(N))
    assert abs(float(drawn.mean())) < 0.05
    assert not torch.equal(drawn, noise(images, norm, 8, inputs.ids).flatten(1))
    order = list(reversed(range(N)))
    moved = noise(images[order], norm, 7, [inputs.ids[i] for i in order]).flatten(1)
    assert torch.equal(moved, drawn[order])
    epsilon = 0.02 if norm == "linf" else 0.3
    attacked, noisy = run(inputs, [*at((epsilon,), norm=norm), *at((epsilon,), norm=norm, change="noise")])
    rate = lambda predictions: (predictions != inputs.labels).mean()  # noqa: E731
    assert rate(noisy) < rate(attacked) - 0.1
    (far,) = run(inputs, at((20.0,), norm=norm, change="noise"))
    assert rate(far) > 0.3  # so noise is really added


def test_a_lineup_lowers_steps_and_makes_them_longer():
    s = SweepSettings(steps=100, relative_step=0.025)
    assert s.within({}) == s
    assert s.within({"steps": 200}) == s
    lower = s.within({"steps": 8, "images": 3})
    assert (lower.steps, lower.images) == (8, s.images)
    assert lower.steps * lower.relative_step == pytest.approx(2.5)
    inputs = made()
    few = dataclasses.replace(inputs, reduced={"steps": 3})
    assert epsilons_with(s, {}) == LINF_PUBLISHED
    assert epsilons_with(s, {"epsilon": [0.0, 0.05]}) == (0.0, 0.01, 0.05)
    lowered = run(few, at((0.01,)))[0]
    np.testing.assert_array_equal(lowered, run(inputs, at((0.01,), steps=3, relative_step=0.8))[0])


def test_protocols_have_the_published_setting():
    assert LINF_PUBLISHED == (0, 1e-4, 2e-4, 5e-4, 8e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0)
    for protocol in (UNTARGETED, TARGETED):
        s = protocol.settings
        assert (s.steps, s.relative_step, s.images) == (100, 0.025, 1000)
    assert {p.settings.epsilon for p in FIGURE if p.settings.norm == "linf"} == {*LINF_PUBLISHED}
    assert {*JUDGED["linf"]} < {*LINF_PUBLISHED}
    assert all(len({p.fingerprint() for p in some}) == len(some) for some in (FIGURE,))
    assert NOISE.settings.change == "noise"
    assert list(itertools.chain(*[p.settings.for_inputs() for p in (UNTARGETED, TARGETED)])) == [
        1000,
        False,
        1000,
        True,
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"norm": "l1"}, "the norm of an attack is 'l2' or 'linf', not 'l1'"),
        ({"epsilon": -1.0}, "the epsilon of an attack must be 0 or more, got -1.0; pixels lie in [0, 1]"),
        ({"epsilon": -1.0, "change": "noise"},
         "the epsilon of an attack must be 0 or more, got -1.0; pixels lie in [0, 1]"),
        ({"change": "blur"}, "the change of a sweep is 'pgd' or 'noise', not 'blur'"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(changed, message):
    with pytest.raises(BadSpec) as found:
        run(made(), [dataclasses.replace(QUICK, **changed)])
    assert str(found.value) == message


def test_killed_sweeps_go_on_with_an_identical_result(tmp_path):
    if not hasattr(os, "fork"):
        pytest.skip("needs a system with fork and SIGKILL")
    path = os.pathsep.join([str(HERE.parent / "features"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_sweep.py"), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,  # some seconds on an idle machine
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len({json.dumps(one) for one in found["found"]}) > 1
    assert found["again"] == 0  # a finished sweep is read back
    assert len(found["rounds"]) == 4
    for one in found["rounds"]:
        assert one["killed"] == 2
        assert 0 < one["work"] < found["work"]
        assert one["same"]


def test_a_finished_sweep_is_kept_and_used_by_whoever_asks_again(ladder):
    """However short it was: another probe looks at the same sweep."""
    states = {}

    class Kept:
        def __init__(self, name):
            self.name = name

        def load(self):
            return states.get(self.name)

        def save(self, state):
            states[self.name] = dict(state)

    asked = []

    def watched(images):
        asked.append(len(images))
        return inputs.encode(images)

    inputs = made()
    kept = dataclasses.replace(inputs, encode=watched, checkpoint=lambda name: Checkpoint(Kept(name)))
    first = attack_sweep(kept, at(), trials=TRIALS, seed=0)
    assert asked
    assert [int(state["done"]) for state in states.values()] == [N] * TRIALS
    asked.clear()
    for one, other in zip(first, attack_sweep(kept, at(), trials=TRIALS, seed=0), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not asked
