"""MMV's network for one frame gives what its definition gives, from the authors' parameters under haiku's names."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import tsm_by_hand
from paper_files import TSM, flattened, tsm_haiku
from safetensors.numpy import save_file

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset, Unmeasured
from mmbench.models import mmv
from mmbench.models.specs import resolve

SPEC = "tfhub:deepmind/mmv/tsm-resnet50/1@mmv_tsm_resnet_x1.safetensors?dim=2048&size=64"
# Features 0 to 3, mean and deviation of the same network in haiku 0.0.16 on these parameters and this image.
HAIKU = (1.0739236, 0.1315501, 1.9579859, 1.0706642), 0.7628865, 0.9538823


@pytest.fixture(scope="module")
def arrays():
    return tsm_haiku()


def write(weights, arrays):
    save_file(flattened(arrays), weights / "mmv_tsm_resnet_x1.safetensors")


def image():
    y, x = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    rows = np.stack([(3 * x + y) % 64, (x + 5 * y) % 64, (x * y) % 64]).astype(np.float32) / 63
    return torch.from_numpy(rows)[None]


def test_features_equal_the_definition_and_haiku(weights, arrays):
    write(weights, arrays)
    encoder = resolve(SPEC).load()
    with torch.inference_mode():
        found, wanted = encoder.forward(image())[0], tsm_by_hand.features(arrays, image())
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    few, mean, deviation = HAIKU
    np.testing.assert_allclose(found[:4], few, rtol=1e-4)
    np.testing.assert_allclose((found.mean(), found.std(correction=0)), (mean, deviation), rtol=1e-4)


def test_one_frame_loses_what_others_would_bring(arrays):
    """The definition on a clip of four equal frames differs, though nothing moves."""
    alone = tsm_by_hand.features(arrays, image())
    clip = tsm_by_hand.features(arrays, image().repeat(4, 1, 1, 1))
    assert (alone - clip).abs().mean() > 0.1


def test_odd_sizes_are_padded_as_tensorflow_does(weights, arrays):
    write(weights, arrays)
    encoder, odd = resolve(SPEC).load(), image()[:, :, :51, :51].contiguous()
    with torch.inference_mode():
        torch.testing.assert_close(encoder.forward(odd)[0], tsm_by_hand.features(arrays, odd), rtol=1e-4, atol=1e-4)


def test_pixels_stay_between_0_and_1(weights, arrays, pictures):
    write(weights, arrays)
    batch = resolve(SPEC).load().prepare(pictures[0])
    assert 0 <= batch.min() < 0.1 < 0.9 < batch.max() <= 1


def test_identity_follows_the_file(weights, arrays):
    assert resolve(SPEC).identity().weights is None
    write(weights, arrays)
    first = resolve(SPEC).identity()
    (weights / "mmv_tsm_resnet_x1.safetensors").write_bytes(b"other")
    assert None not in (first.weights, resolve(SPEC).identity().weights)
    assert first != resolve(SPEC).identity()


@pytest.mark.parametrize(("module", "leaf", "wanted"), [
    ("tsm_resnet_stem", "w", "stem.conv.weight"),
    ("tsm_resnet_unit_1/block_2/conv_0", "w", "stages.1.blocks.2.conv1.weight"),
    ("tsm_resnet_unit_0/block_0/shortcut_conv", "w", "stages.0.blocks.0.downsample.conv.weight"),
    ("tsm_resnet_unit_3/block_0/__cross_replica_batch_norm_2", "scale", "stages.3.blocks.0.norm3.weight"),
    ("tsm_resnet_unit_3/block_0/batch_norm_2/~/var_ema", "average", "stages.3.blocks.0.norm3.running_var"),
    ("tsm_resnet_unit_3/block_0/batch_norm/~/var_ema", "hidden", ""),
    ("cross_replica_batch_norm", "offset", "norm.bias"),
])  # fmt: skip
def test_names(module, leaf, wanted):
    assert mmv.timm_name(module, leaf) == wanted


class TestRefusals:
    def test_the_saved_model_itself(self):
        with pytest.raises(
            Unmeasured, match=r"does not read TensorFlow SavedModels; name a converted file, tfhub:deep"
        ):
            resolve("tfhub:deepmind/mmv/tsm-resnet50/1").load()
        with pytest.raises(BadSpec, match=r"only deepmind/mmv/tsm-resnet50/1 of TensorFlow Hub can be read"):
            resolve("tfhub:google/other/1@a.safetensors")

    def test_a_missing_file_says_how_to_make_it(self, weights):
        with pytest.raises(MissingAsset) as caught:
            resolve(SPEC).load()
        pickle, out = weights / "mmv_tsm_resnet_x1.pkl", weights / "mmv_tsm_resnet_x1.safetensors"
        assert str(caught.value).endswith(
            f"it is converted from a pickle: fetch https://storage.googleapis.com/deepmind-research-mmv/{pickle.name} "
            f"to {pickle}, then if you trust that file, run: mmbench convert {pickle} {out} --trust"
        )

    def test_missing_and_extra_array(self, weights, arrays):
        params, gone = arrays["params"], f"{TSM}/tsm_resnet_unit_1/block_2/conv_0"
        write(weights, arrays | {"params": {key: value for key, value in params.items() if key != gone}})
        with pytest.raises(
            CorruptAsset, match=r"lacks weights that MMV's TSM .* needs: stages.1.blocks.2.conv1.weight$"
        ):
            resolve(SPEC).load()
        write(weights, arrays | {"params": params | {f"{TSM}/more": {"w": np.zeros((1, 1, 2, 3), np.float32)}}})
        with pytest.raises(CorruptAsset, match=r"has weights that MMV's TSM ResNet-50 does not use: more.weight$"):
            resolve(SPEC).load()

    def test_another_width(self, weights, arrays):
        stem = {f"{TSM}/tsm_resnet_stem": {"w": np.zeros((7, 7, 3, 128), np.float32)}}
        write(weights, arrays | {"params": arrays["params"] | stem})
        with pytest.raises(BadSpec, match=r"is of another architecture than MMV's TSM ResNet-50: stem.conv.weight"):
            resolve(SPEC).load()

    def test_another_file(self, weights):
        write(weights, {"conv1.weight": np.zeros(3, np.float32)})
        with pytest.raises(BadSpec, match=r"holds no parameters of MMV's TSMResNetV2: it has conv1.weight$"):
            resolve(SPEC).load()
