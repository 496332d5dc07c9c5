"""The image transform equals torchvision's to the bit, and has not changed; pooling is what its name says."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from mmbench.errors import BadItem, BadSpec
from mmbench.models import encoders
from mmbench.models.entry import Preprocess

HOW = {"bicubic": transforms.InterpolationMode.BICUBIC, "bilinear": transforms.InterpolationMode.BILINEAR}


def picture(width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def reference(want):
    from timm.data.transforms import CenterCropOrPad, ResizeKeepRatio

    side = want.resize
    resize = {
        "crop": transforms.Resize(side, HOW[want.interpolation]),
        "squash": transforms.Resize((side, side), HOW[want.interpolation]),
        "border": ResizeKeepRatio(side, longest=1.0, interpolation=want.interpolation),
    }[want.fit]
    crop = CenterCropOrPad(want.size, want.fill) if want.fit == "border" else transforms.CenterCrop(want.size)
    return transforms.Compose([resize, crop, transforms.ToTensor(), transforms.Normalize(want.mean, want.std)])


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 40),
    st.integers(0, 12),
    st.sampled_from(["bicubic", "bilinear"]),
    st.sampled_from(["crop", "squash", "border"]),
)
@settings(max_examples=60, deadline=None)
def test_equals_torchvision_to_the_bit(width, height, size, more, how, fit):
    assume(fit != "border" or max(width, height) < 2 * (size + more) * min(width, height))  # no side rounds to 0
    fill = (255, 120, 7)
    want = Preprocess(size, size + more, encoders.IMAGENET_MEAN, encoders.IMAGENET_STD, how, fit, fill=fill)
    image = picture(width, height)
    found = encoders.image_transform(want)(image)
    assert found.shape == (3, size, size)
    assert found.dtype == torch.float32
    assert torch.equal(found, reference(want)(image))


@pytest.mark.parametrize(
    "name", ["test_resnet", "resnet50.a1_in1k", "tf_efficientnet_lite0.in1k", "vit_base_patch16_clip_224.openai"]
)
def test_equals_timms_own_evaluation_transform(name):
    import timm
    from timm.data import create_transform, resolve_data_config

    from mmbench.models.timm import preprocess_of

    class Stub:
        pretrained_cfg = timm.models.get_pretrained_cfg(name).to_dict()

    config = resolve_data_config(pretrained_cfg=Stub.pretrained_cfg)
    image = picture(300, 201)
    found = encoders.image_transform(preprocess_of(Stub))(image)
    torch.testing.assert_close(found, create_transform(**config)(image), rtol=0, atol=2e-6)


def test_a_plain_picture_is_known_by_hand():
    want = Preprocess(4, 5, (0.5, 0.25, 0.0), (0.5, 0.25, 1.0))
    found = encoders.image_transform(want)(Image.new("RGB", (9, 7), (255, 0, 51)))
    assert found.tolist() == [[[value] * 4] * 4 for value in (1.0, -1.0, pytest.approx(0.2))]


def test_the_transform_has_not_changed():
    """What models see of a fixed picture, in a 2 x 2 mosaic: it turns when pillow or our code changes the fit."""
    rows, columns = np.mgrid[:60, :90]
    pixels = np.stack([rows * 4, columns * 2, (rows + columns) % 25 * 10], axis=-1).astype(np.uint8)
    tensor = encoders.image_transform(Preprocess(32, 40, encoders.CLIP_MEAN, encoders.CLIP_STD))(
        Image.fromarray(pixels)
    )
    mosaic = torch.nn.functional.avg_pool2d(tensor, 16)
    assert mosaic.flatten().tolist() == pytest.approx(MOSAIC, abs=2e-3)


MOSAIC = [-0.7704, -0.7704, 0.6311, 0.6311, -0.7766, -0.0562, -0.7766, -0.0562, 0.2258, 0.2284, 0.2284, 0.2314]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_other_modes_are_converted(mode):
    want = Preprocess(8, 8, (0.0,) * 3, (1.0,) * 3)
    image = picture(20, 20).convert(mode)
    assert torch.equal(encoders.image_transform(want)(image), encoders.image_transform(want)(image.convert("RGB")))


def test_raw_pixels_lie_between_0_and_1():
    want = encoders.unnormalised(Preprocess(8, 8, encoders.CLIP_MEAN, encoders.CLIP_STD))
    found = encoders.image_transform(want)(picture(20, 20))
    assert 0 <= found.min() < 0.3 < 0.7 < found.max() <= 1


def test_an_elongated_image_is_refused_before_it_fills_the_memory():
    want = Preprocess(224, 256, encoders.CLIP_MEAN, encoders.CLIP_STD)
    with pytest.raises(BadItem, match=r"an image of 2000 x 1 is too elongated: its short side at 256"):
        encoders.image_transform(want)(picture(2000, 1))


def test_the_transform_can_be_sent_to_a_worker():
    transform = encoders.image_transform(Preprocess(8, 8, encoders.CLIP_MEAN, encoders.CLIP_STD))
    image = picture(20, 20)
    assert torch.equal(pickle.loads(pickle.dumps(transform))(image), transform(image))


class TestPooling:
    hidden = torch.arange(24.0).reshape(2, 4, 3)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])

    def test_cls_takes_the_first(self):
        assert torch.equal(encoders.pooled(self.hidden, self.mask, "cls"), self.hidden[:, 0])

    def test_last_takes_the_last_real_one(self):
        wanted = torch.stack([self.hidden[0, 3], self.hidden[1, 1]])
        assert torch.equal(encoders.pooled(self.hidden, self.mask, "last"), wanted)

    def test_mean_leaves_padding_out(self):
        wanted = torch.stack([self.hidden[0].mean(dim=0), self.hidden[1, :2].mean(dim=0)])
        assert torch.equal(encoders.pooled(self.hidden, self.mask, "mean"), wanted)


def test_an_encoder_is_frozen_and_in_eval_mode():
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Dropout(), torch.nn.Flatten()).half()
    encoder = encoders.image_encoder(module, Preprocess(3, 3, (0.0,) * 3, (1.0,) * 3), 4)
    assert not encoder.module.training
    assert not any(weight.requires_grad for weight in encoder.module.parameters())
    assert {weight.dtype for weight in encoder.module.parameters()} == {torch.float32}


def test_batch_norm_is_folded_where_it_follows_a_convolution_and_nowhere_else():
    torch.manual_seed(0)
    inner = torch.nn.Sequential(torch.nn.Conv2d(4, 5, 3, stride=2), torch.nn.BatchNorm2d(5), torch.nn.ReLU())
    layers = (torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), inner)
    module = torch.nn.Sequential(*layers, torch.nn.Flatten())
    for _ in range(3):
        module(torch.randn(8, 3, 9, 9) * 2 + 1)  # moves the running means and variances
    images, plain = torch.randn(6, 3, 9, 9), module.eval()
    with torch.inference_mode():
        wanted = plain(images)
        folded = encoders.folded(module)
        torch.testing.assert_close(folded(images), wanted, rtol=1e-5, atol=1e-5)
    kinds = [type(layer).__name__ for layer in folded.modules() if not list(layer.children())]
    assert kinds == ["BatchNorm2d", "Conv2d", "Conv2d", "ReLU", "Flatten"]
    assert not any(layer.training for layer in folded.modules())


def test_versions_are_read_without_imports():
    found = dict(encoders.versions("torch", "no-such-distribution"))
    assert found == {"torch": torch.__version__.split("+")[0], "no-such-distribution": "not installed"} or (
        found["torch"] == torch.__version__
    )


@pytest.mark.parametrize(("changes", "words"), [
    ({"size": 0}, r"has size=0 and resize=8; give whole pixels above 0"),
    ({"size": 10**9, "resize": 10**9}, r"has size=1000000000 .*; give whole pixels above 0 and up to 8,000"),
    ({"size": 8.0}, r"has size=8.0 and resize=8; give whole pixels"),
    ({"resize": 7}, r"has resize=7, smaller than the crop of size=8"),
    ({"mean": 0.5}, r"has mean=0.5; give a tuple of three numbers, one a channel"),
    ({"mean": (0.5,)}, r"has mean=\(0.5,\); give a tuple of three numbers"),
    ({"mean": [0.5] * 3}, r"has mean=\[0.5, 0.5, 0.5\]; give a tuple"),
    ({"std": (0.5, 0.5, float("nan"))}, r"has std=\(0.5, 0.5, nan\); give a tuple of three numbers"),
    ({"std": (0.5, 0.0, 0.5)}, r"has std=\(0.5, 0.0, 0.5\); what pixels are divided by lies above 0"),
])  # fmt: skip
def test_a_preprocess_that_cannot_be_is_refused_where_it_is_written(changes, words):
    whole = {"size": 8, "resize": 8, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    Preprocess(**whole)
    Preprocess(**whole | {"resize": 9, "fit": "squash"})
    with pytest.raises(BadSpec, match=f"a Preprocess {words}"):
        Preprocess(**whole | changes)
