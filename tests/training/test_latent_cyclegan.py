"""The Latent CycleGAN against a second, plain implementation; its batches; what each reading trains on."""

import dataclasses

import numpy as np
import pytest

from mmbench.errors import BadDataset
from mmbench.seeds import trial_seeds
from mmbench.training import latent_cyclegan as g
from mmbench.training.entry import Checkpoint
from mmbench.training.unpaired import Unpaired, of_images

from .test_linear_map import Memory

SMALL = dataclasses.replace(
    g.PAPER, epochs=2, batch_size=8, learning_rate=1e-2, warm_up=2, hidden=5, networks=2, unit=2.0
)
CODE = dataclasses.replace(SMALL.as_code(), epochs=4)


def vectors(rows=24, width=6, seed=0, captions=2):
    """Images, and texts of them that are shifted and stretched."""
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((rows, width)).astype(np.float32)
    own = np.repeat(np.arange(rows), captions)
    text = (1.5 * image[own] + 1 + 0.1 * rng.standard_normal((len(own), width))).astype(np.float32)
    return Unpaired(image, text, own)


def plain(inputs, s, seed, network):
    """One network by torch's own layers, losses and optimisers, written from the description."""
    import torch
    from torch import nn

    width = inputs.image.shape[1]

    def generator():
        layers = []
        for layer in range(4):
            layers += [nn.Linear(width, width), *([nn.Tanh()] if layer < 3 or s.tanh_output else [])]
        return nn.Sequential(*layers)

    def critic():
        return nn.Sequential(nn.Linear(width, s.hidden), nn.LeakyReLU(0.2), nn.Linear(s.hidden, 1))

    to_text, to_image, judge_text, judge_image = generator(), generator(), critic(), critic()
    start = g._networks(width, s, trial_seeds(seed, s.networks))
    for part, side, net in (
        ("generators", "text", to_text),
        ("generators", "image", to_image),
        ("critics", "text", judge_text),
        ("critics", "image", judge_image),
    ):
        linear = [layer for layer in net if isinstance(layer, nn.Linear)]
        for number, layer in enumerate(linear):
            layer.weight.data = start[part][f"{side}_{number}_weight"][network].detach().clone()
            layer.bias.data = start[part][f"{side}_{number}_bias"][network].detach().clone()
    makers = torch.optim.AdamW([*to_text.parameters(), *to_image.parameters()], weight_decay=0, eps=1e-6)
    critics = torch.optim.AdamW([*judge_text.parameters(), *judge_image.parameters()], weight_decay=0, eps=1e-6)
    bce, l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()
    real_text, real_image = torch.from_numpy(inputs.text) / s.unit, torch.from_numpy(inputs.image) / s.unit
    steps, step = max(len(inputs.image), len(inputs.text)) // s.batch_size, 0
    passed = 0
    for epoch in range(s.epochs):
        for rows, lines in g.batches(inputs, s, trial_seeds(seed, s.networks), epoch):
            a, b = real_image[rows[network]], real_text[lines[network]]
            skipped = not s.every_step and step % 12 == 0
            for optimiser in (makers, critics):
                optimiser.param_groups[0]["lr"] = s.learning_rate * g.warm_then_falling(
                    passed, s.warm_up, s.epochs * steps
                )
            made_text, made_image = to_text(a), to_image(b)
            loss = s.identity_text * l1(to_text(b), b) + s.identity_image * l1(to_image(a), a)
            if s.every_step or step % 12 == 1 or step == 0:
                said_text, said_image = judge_text(made_text), judge_image(made_image)
                loss = loss + s.adversarial_text * bce(said_text, torch.ones_like(said_text))
                loss = loss + s.adversarial_image * bce(said_image, torch.ones_like(said_image))
                loss = loss + s.cycle_image * l1(to_image(made_text), a) + s.cycle_text * l1(to_text(made_image), b)
            makers.zero_grad()
            loss.backward()
            makers.step()
            if not skipped:
                critics.zero_grad()
                for judge, real, made in ((judge_text, b, made_text), (judge_image, a, made_image)):
                    good, bad = judge(real), judge(made.detach())
                    (0.5 * (bce(good, torch.ones_like(good)) + bce(bad, torch.zeros_like(bad)))).backward()
                critics.step()
            step += 1
            passed += not skipped or s.every_step
    return to_text, to_image


@pytest.mark.parametrize("settings", [SMALL, CODE], ids=["paper", "code"])
@pytest.mark.parametrize("network", [0, 1])
def test_each_network_is_that_of_a_plain_implementation(settings, network):
    import torch

    inputs = vectors()
    weights = g.fit(inputs, settings, 3, Checkpoint())
    to_text, to_image = plain(inputs, settings, 3, network)
    with torch.inference_mode():
        for side, net, x in (("text", to_text, inputs.image), ("image", to_image, inputs.text)):
            expected = net(torch.from_numpy(x) / settings.unit).numpy() * settings.unit
            np.testing.assert_allclose(g.translate(weights, x, network, side), expected, atol=2e-4)


def test_a_network_does_not_depend_on_those_beside_it():
    alone = g.fit(vectors(), dataclasses.replace(SMALL, networks=1), 3, Checkpoint())
    beside = g.fit(vectors(), SMALL, 3, Checkpoint())
    np.testing.assert_allclose(alone["text_2_weight"][0], beside["text_2_weight"][0], atol=1e-5)
    assert not np.allclose(beside["text_2_weight"][0], beside["text_2_weight"][1], atol=1e-2)


@pytest.mark.parametrize("settings", [SMALL, CODE, dataclasses.replace(g.NO_CRITICS, **{
    name: getattr(SMALL, name) for name in ("epochs", "batch_size", "learning_rate", "networks", "warm_up")
})], ids=["paper", "code", "no critics"])  # fmt: skip
def test_a_fit_that_was_stopped_ends_with_the_same_weights(settings):
    whole = g.fit(vectors(), settings, 5, Checkpoint())
    memory = Memory(most=1)
    with pytest.raises(KeyboardInterrupt):
        g.fit(vectors(), settings, 5, Checkpoint(memory, every=0))
    memory.most = None
    again = g.fit(vectors(), settings, 5, Checkpoint(memory, every=0))
    for name in whole:
        np.testing.assert_array_equal(whole[name], again[name])


class TestBatches:
    def pairs(self, settings):
        inputs = vectors(rows=40, captions=5)
        found = [b for epoch in range(3) for b in g.batches(inputs, settings, trial_seeds(0, 2), epoch)]
        rows, lines = (np.concatenate([part[i].numpy() for part in found], axis=1) for i in (0, 1))
        return inputs, rows, lines

    def test_images_and_texts_of_a_batch_do_not_belong_together(self):
        """As often as two independent orders put an image beside its text: one time in 40, within four deviations."""
        inputs, rows, lines = self.pairs(SMALL)
        beside = rows == inputs.own[lines]
        assert abs(beside.mean() - 1 / 40) < 4 * np.sqrt(1 / 40 / beside.size)
        assert not np.array_equal(lines[0], lines[1])  # each network has an order of its own

    def test_those_of_the_code_do(self):
        inputs, rows, lines = self.pairs(CODE)
        np.testing.assert_array_equal(rows, inputs.own[lines])

    def test_every_text_is_read_once_an_epoch_and_every_image_as_often(self):
        _, rows, lines = self.pairs(SMALL)
        assert np.bincount(lines[0, :200]).tolist() == [1] * 200
        assert np.bincount(rows[0, :200]).tolist() == [5] * 40


def test_the_pairing_changes_nothing_in_the_papers_reading():
    inputs = vectors()
    other = dataclasses.replace(inputs, own=inputs.own[::-1].copy())
    one, two = (g.fit(x, SMALL, 0, Checkpoint()) for x in (inputs, other))
    np.testing.assert_array_equal(one["text_0_weight"], two["text_0_weight"])


def test_it_brings_shifted_vectors_closer_and_tanh_bounds_them():
    inputs = vectors(rows=200)
    s = dataclasses.replace(SMALL, epochs=20, tanh_output=False, unit=1.0)
    made = g.translate(g.fit(inputs, s, 0, Checkpoint()), inputs.image, 0)
    gap = np.linalg.norm(inputs.text.mean(axis=0) - inputs.image.mean(axis=0))
    assert np.linalg.norm(inputs.text.mean(axis=0) - made.mean(axis=0)) < 0.75 * gap
    bounded = g.translate(g.fit(inputs, SMALL, 0, Checkpoint()), 100 * inputs.image, 0)
    assert np.abs(bounded).max() <= SMALL.unit


def test_the_readings():
    paper, code = g.PAPER, g.PAPER.as_code()
    assert (paper.tanh_output, paper.every_step, paper.matched) == (True, True, False)
    weights = ("adversarial_text", "adversarial_image", "cycle_text", "cycle_image", "identity_text", "identity_image")
    assert [getattr(code, name) for name in weights] == [1, 2, 10, 100, 5, 50]
    assert (code.tanh_output, code.every_step, code.matched) == (False, False, True)


def test_spaces_of_two_widths_are_refused():
    inputs = vectors()
    with pytest.raises(BadDataset, match=r"expected one width, got 6 \(images\) and 4 \(texts\)"):
        g.fit(dataclasses.replace(inputs, text=inputs.text[:, :4]), SMALL, 0, Checkpoint())


def test_some_images_with_the_texts_of_others():
    inputs = vectors(rows=4)
    even = np.arange(4) % 2 == 0
    apart, same = of_images(inputs, even, ~even), of_images(inputs, even, even)
    assert apart.own.tolist() == [-1] * 4
    assert same.own.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(apart.text, inputs.text[[2, 3, 6, 7]])
    np.testing.assert_array_equal(same.image, inputs.image[[0, 2]])
