"""BiT's published npz becomes timm's network: the features that timm itself makes of the same file."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from paper_files import bit_npz

from mmbench.errors import BadSpec, CorruptAsset
from mmbench.models import bit, checkpoints
from mmbench.models.specs import resolve

SPEC = "timm:resnetv2_50x1_bit.goog_in21k@BiT-M-R50x1.npz?size=64&interpolation=bicubic&dim=2048"


@pytest.fixture(scope="module")
def arrays():
    return bit_npz()


def write(weights, arrays):
    np.savez(weights / "BiT-M-R50x1.npz", **arrays)
    return weights / "BiT-M-R50x1.npz"


def test_features_equal_those_of_timms_own_reader(weights, arrays, pictures):
    path = write(weights, arrays)
    entry = resolve(SPEC)
    encoder = entry.load()
    module = timm.create_model("resnetv2_50x1_bit.goog_in21k", pretrained=False, num_classes=10).eval()
    module.load_pretrained(str(path))
    module.reset_classifier(0)
    batch = torch.stack([encoder.prepare(picture) for picture in pictures])
    with torch.inference_mode():
        torch.testing.assert_close(encoder.forward(batch), module(batch), rtol=1e-3, atol=2e-4)
    assert entry.identity().weights == checkpoints.file_digest(path)
    assert (entry.source, entry.licence) == ("https://storage.googleapis.com/bit_models/BiT-M-R50x1.npz", "Apache-2.0")
    assert encoder.prepare.preprocess.mean == encoder.prepare.preprocess.std == (0.5, 0.5, 0.5)


def test_first_convolution_by_hand(weights, arrays):
    """Weights standardised over each kernel, then an ordinary convolution: Qiao et al. 2019, equation 5."""
    write(weights, arrays)
    encoder = resolve(SPEC).load()
    kernel = arrays["resnet/root_block/standardized_conv2d/kernel"].astype(np.float64)
    mean, var = kernel.mean(axis=(0, 1, 2)), kernel.var(axis=(0, 1, 2))
    standard = torch.from_numpy(((kernel - mean) / np.sqrt(var + 1e-10)).transpose(3, 2, 0, 1).copy())
    image = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = encoder.module.stem.conv(image)
        padding = encoder.module.stem.conv.padding
        wanted = torch.nn.functional.conv2d(image.double(), standard, stride=2, padding=padding)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)


def test_every_name_of_the_network_has_one_in_the_file(arrays):
    module = timm.create_model("resnetv2_50x1_bit", pretrained=False, num_classes=0)
    names = [bit.timm_name(key.removeprefix("resnet/")) for key in arrays if "/head/" not in key]
    assert sorted(names) == sorted(module.state_dict())


@pytest.mark.parametrize("key", ["block9/unit01/a/group_norm/moving_mean", "extra/kernel", "block1/unit01/d/x"])
def test_unknown_names_stay_and_are_told(key):
    assert bit.timm_name(key) == key


class TestRefusals:
    def test_missing_and_extra_array(self, weights, arrays):
        gone = "resnet/block2/unit03/b/group_norm/gamma"
        write(weights, {key: value for key, value in arrays.items() if key != gone})
        with pytest.raises(
            CorruptAsset, match=r"lacks weights that timm resn\S+ needs: stages.1.blocks.2.norm2.weight$"
        ):
            resolve(SPEC).load()
        write(weights, arrays | {"resnet/block2/unit03/d/kernel": np.zeros(3, np.float32)})
        with pytest.raises(CorruptAsset, match=r"has weights that timm \S+ does not use: block2/unit03/d/kernel$"):
            resolve(SPEC).load()

    def test_batch_norm_in_place_of_group_norm(self, weights, arrays):
        """Another normalisation has other arrays, so it is never read as if it were this one."""
        moving = {"resnet/group_norm/moving_mean": np.zeros(2048, np.float32)}
        write(weights, arrays | moving)
        with pytest.raises(CorruptAsset, match=r"does not use: group_norm/moving_mean$"):
            resolve(SPEC).load()

    def test_another_width(self, weights, arrays):
        write(weights, arrays | {"resnet/group_norm/gamma": np.ones(6144, np.float32)})
        with pytest.raises(
            BadSpec, match=r"of another architecture than timm \S+: norm.weight \(6144,\) instead of \(2048,"
        ):
            resolve(SPEC).load()

    def test_another_layout(self, weights):
        write(weights, {"Transformer/encoder_norm/bias": np.zeros(3, np.float32)})
        with pytest.raises(BadSpec, match=r"is not laid out as BiT's published weights are: it has Transformer/enc"):
            resolve(SPEC).load()

    def test_timms_own_reader_would_take_them(self, weights, arrays):
        """The reason for a reader of our own; where it no longer holds, timm's can serve."""
        odd = {"resnet/group_norm/moving_mean": np.zeros(2048, np.float32), "resnet/group_norm/gamma": np.ones(1)}
        path = write(weights, arrays | odd)
        module = timm.create_model("resnetv2_50x1_bit.goog_in21k", pretrained=False, num_classes=10)
        module.load_pretrained(str(path))
        assert torch.equal(module.norm.weight, torch.ones(2048))
        with pytest.raises(BadSpec, match=r"norm.weight \(1,\) instead of \(2048,\)"):
            resolve(SPEC).load()

    def test_other_networks_read_no_npz(self, weights, arrays):
        write(weights, arrays)
        with pytest.raises(BadSpec, match=r"is a NumPy archive"):
            resolve("timm:resnet18@BiT-M-R50x1.npz").load()
