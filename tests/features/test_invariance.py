"""The invariance checks pass sound encoders and fail faulty ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tiny_encoders import image_encoder, pictures, prepare, sentences, text_encoder

from mmbench.errors import BadFeatures
from mmbench.features import invariance
from mmbench.features.invariance import CHECKS, TOLERANCE, relative_difference
from mmbench.models.entry import Encoder

PICTURES = pictures(range(12))


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_honest_encoders_pass(check):
    check(image_encoder(), PICTURES)
    check(text_encoder(), sentences(12))


def test_tolerance_has_room_over_the_noise_of_batch_sizes():
    """A network of fifty layers: its noise is real, and at least ten times under the tolerance."""
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 16, 3, padding=1)]
    for _ in range(50):
        layers += [torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU()]
    deep = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    deep.train()(torch.randn(32, 3, 8, 8))  # give batch-norm statistics, so that signals do not die out
    invariance.check_batch_invariance(image_encoder(deep.eval()), PICTURES, tolerance=TOLERANCE / 10)


def of_pixels(function):
    """An encoder whose features are ``function`` of the flattened pixels."""
    import torch

    class Module(torch.nn.Module):
        def forward(self, batch):
            return function(batch.flatten(1)[:, :16])

    return image_encoder(Module().eval())


def batch_mean():
    return of_pixels(lambda pixels: pixels - pixels.mean(0))


def batch_norm_in_training():
    encoder = image_encoder()
    encoder.module.train()
    return encoder


def dropout():
    import torch

    return of_pixels(lambda pixels: torch.nn.functional.dropout(pixels, 0.1, training=True))


def place_in_batch():
    import torch

    return of_pixels(lambda pixels: pixels + 0.01 * torch.arange(len(pixels))[:, None])


def memory():
    calls = itertools.count()
    return of_pixels(lambda pixels: pixels * (1 + next(calls) / 1000))


def random_crop():
    import torch

    dice = np.random.default_rng(0)
    return image_encoder(prepare=lambda image: torch.roll(prepare(image), int(dice.integers(1, 8)), 1))


def unsafe_on_threads():
    """Prepares by the name of the thread: what a shared buffer does by chance, done always."""
    import threading

    def twisted(image):
        main = threading.current_thread() is threading.main_thread()
        return prepare(image) if main else prepare(image).flip(1)

    return image_encoder(of_pixels(lambda pixels: pixels).module, prepare=twisted)


def padded_texts():
    """Averages over padding, so that a sentence's features depend on its longest neighbour."""
    import torch

    torch.manual_seed(0)
    table = torch.nn.Embedding(256, 8).eval()

    def forward(texts):
        longest = max(map(len, texts))
        return torch.stack([table(torch.tensor(list(text.ljust(longest).encode()))).mean(0) for text in texts])

    return Encoder("text", 8, table, forward)


@pytest.mark.parametrize(
    ("check", "faulty"),
    [
        ("batch_invariance", batch_mean),
        ("batch_invariance", batch_norm_in_training),
        ("batch_invariance", place_in_batch),
        ("batch_invariance", padded_texts),
        ("order_invariance", place_in_batch),
        ("order_invariance", memory),
        ("workers_invariance", unsafe_on_threads),
        ("workers_invariance", random_crop),
        ("repeatable", dropout),
        ("repeatable", memory),
        ("repeatable", random_crop),
    ],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_faulty_encoders_fail(check, faulty):
    encoder = faulty()
    split = PICTURES if encoder.modality == "image" else sentences(12)
    with pytest.raises(AssertionError, match=r"^faulty gives item '[ps]\d+' other features .*: relative difference"):
        CHECKS[check](encoder, split, name="faulty")


def test_training_mode_is_named():
    with pytest.raises(BadFeatures, match="faulty is in training mode"):
        invariance.check_eval_mode(batch_norm_in_training(), name="faulty")


def test_nan_and_width_are_named():
    import dataclasses

    with pytest.raises(BadFeatures, match=r"^faulty gave NaN for item 'p0'"):
        invariance.check_finite_and_width(of_pixels(lambda pixels: pixels * float("nan")), PICTURES, name="faulty")
    with pytest.raises(BadFeatures, match=r"^faulty gave infinite values for item 'p0'"):
        invariance.check_finite_and_width(of_pixels(lambda pixels: pixels / 0), PICTURES, name="faulty")
    with pytest.raises(BadFeatures, match=r"declares dim=15 but gave 16 columns"):
        invariance.check_finite_and_width(dataclasses.replace(image_encoder(), dim=15), PICTURES, name="faulty")
    with pytest.raises(AssertionError, match="the same features for all of 12 items"):
        invariance.check_finite_and_width(of_pixels(lambda pixels: pixels * 0), PICTURES, name="faulty")


def test_nan_is_no_agreement():
    calls = itertools.count()
    now_and_then = of_pixels(lambda pixels: pixels * (float("nan") if next(calls) else 1.0))
    with pytest.raises(AssertionError, match="relative difference nan"):
        invariance.check_repeatable(now_and_then, PICTURES)


@given(arrays(np.float32, (4, 3), elements=st.floats(-100, 100, width=32)), st.floats(1e-3, 1e3))
def test_relative_difference_has_no_unit(rows, scale):
    other = rows + np.float32(0.5)
    plain = relative_difference(rows.astype(np.float64), other.astype(np.float64))
    scaled = relative_difference(rows.astype(np.float64) * scale, other.astype(np.float64) * scale)
    np.testing.assert_allclose(plain, scaled, rtol=1e-9)
    assert (relative_difference(rows, rows) == 0).all()
