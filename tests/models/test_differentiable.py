"""Gradients to pixels: the same features as from prepared images, gradients that are right, and clear errors."""

from __future__ import annotations

import re

import pytest
import torch

from mmbench.errors import BadSpec, NoGradients
from mmbench.models import encoders
from mmbench.models.entry import Encoder, Preprocess
from mmbench.models.objects import from_module, from_object
from mmbench.models.specs import resolve

PLAIN = Preprocess(4, 4, (0.5, 0.4, 0.3), (0.5, 0.6, 0.7))
NAMES = ["zoo:random", "zoo:clip", "zoo:vit", "timm:test_resnet?random=0", "timm:test_vit?random=0"]


def pixels(size, count=2, dtype=torch.float32):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=dtype)


def tiny():
    torch.manual_seed(0)
    layers = (torch.nn.Conv2d(3, 5, 3), torch.nn.Tanh(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    return encoders.image_encoder(torch.nn.Sequential(*layers), PLAIN, 5)


@pytest.mark.parametrize("name", NAMES)
def test_features_of_pixels_are_those_of_prepared_images(name, pictures):
    encoder = resolve(name).load()
    made = torch.stack([encoder.pixels(picture) for picture in pictures])
    assert 0 <= made.min() < 0.1 < 0.9 < made.max() <= 1
    with torch.no_grad():
        found = encoder.with_gradients()(made)
        wanted = encoder.forward(torch.stack([encoder.prepare(picture) for picture in pictures]))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_the_pixels_and_not_the_weights(name):
    encoder = resolve(name).load()
    given = pixels(encoder.prepare.preprocess.size).requires_grad_()
    encoder.with_gradients()(given).square().sum().backward()
    assert torch.isfinite(given.grad).all()
    assert (given.grad.flatten(1).abs().sum(dim=1) > 0).all()
    assert all(weight.grad is None and not weight.requires_grad for weight in encoder.module.parameters())


def test_gradients_equal_finite_differences():
    encoder = tiny()
    encoder.module.double()
    given = pixels(4, dtype=torch.float64).clamp(0.01, 0.99).requires_grad_()
    assert torch.autograd.gradcheck(encoder.with_gradients(), (given,), eps=1e-6, atol=1e-7)


def test_each_image_has_its_own_gradient():
    encoder, given = tiny(), pixels(4).requires_grad_()
    (slope,) = torch.autograd.grad(encoder.with_gradients()(given)[0].sum(), given)
    assert slope[0].abs().sum() > 0 == slope[1].abs().sum()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(1, 3, 5, 5), "got torch.float32 [1, 3, 5, 5]; make them with the encoder's pixels(image)"),
        (torch.zeros(3, 4, 4), "got torch.float32 [3, 4, 4]; make them with the encoder's pixels(image)"),
        (torch.zeros(1, 3, 4, 4).byte(), "got torch.uint8 [1, 3, 4, 4]; make them with the encoder's pixels(image)"),
    ],
)
def test_pixels_of_another_shape_or_type_are_refused(given, message):
    with pytest.raises(BadSpec, match=re.escape(f"expected float pixels [batch, 3, 4, 4] in [0, 1], {message}")):
        tiny().with_gradients()(given)


@pytest.mark.parametrize("value", [255.0, -1.0, float("nan")])
def test_pixels_that_are_not_between_0_and_1_are_refused(value):
    given = torch.zeros(1, 3, 4, 4)
    given[0, 0, 0, 0] = value
    message = "expected pixels in [0, 1], got values from {} to {}; do not normalise them, and divide bytes by 255"
    low, high = {255.0: ("0", "255"), -1.0: ("-1", "0")}.get(value, ("nan", "nan"))
    with pytest.raises(BadSpec, match=re.escape(message.format(low, high))):
        tiny().with_gradients()(given)


def test_no_pixels_give_no_features():
    assert tiny().with_gradients()(torch.zeros(0, 3, 4, 4)).shape == (0, 5)


class Object:
    preprocess = PLAIN

    def __init__(self, encode):
        self.encode_image = encode


def without_gradients(batch):
    with torch.no_grad():
        return batch.mean(dim=(2, 3))


def through_numpy(batch):
    return torch.from_numpy(batch.numpy().mean(axis=(2, 3)))


@pytest.mark.parametrize("encode", [without_gradients, through_numpy])
def test_an_object_that_computes_without_gradients_has_none(encode):
    encoder = from_object(Object(encode), name="mine").load()
    assert encoder.differentiable is None
    assert encoder.forward(pixels(4)).shape == (2, 3)
    with pytest.raises(BadSpec) as caught:
        encoder.with_gradients("mine")
    assert str(caught.value) == (
        "gradients to pixels are needed, and mine has none: it computes its features without gradients; name an image "
        "model whose features are computed by torch with gradients enabled"
    )


def test_an_object_and_a_module_that_compute_in_torch_have_gradients():
    objects = from_object(Object(lambda batch: batch.mean(dim=(2, 3))), name="mine").load()
    modules = from_module(torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten()), PLAIN).load()
    for encoder in (objects, modules):
        given = pixels(4).requires_grad_()
        encoder.with_gradients()(given).sum().backward()
        wanted = 1 / 16 / torch.tensor(PLAIN.std).view(1, 3, 1, 1)
        torch.testing.assert_close(given.grad, wanted.expand_as(given))


def test_features_that_lose_their_gradients_are_refused_when_they_are_needed():
    encoder = encoders.image_encoder(torch.nn.Identity(), PLAIN, 3, without_gradients)
    assert encoder.differentiable(pixels(4)).shape == (2, 3)
    with pytest.raises(BadSpec, match="the encoder gives features without gradients to its pixels"):
        encoder.differentiable(pixels(4).requires_grad_())


def test_texts_have_no_pixels():
    encoder = Encoder("text", 3, torch.nn.Identity(), lambda texts: torch.zeros(len(texts), 3))
    with pytest.raises(
        NoGradients, match="gradients to pixels are needed, and words has none: it encodes texts; name an"
    ):
        encoder.with_gradients("words")
