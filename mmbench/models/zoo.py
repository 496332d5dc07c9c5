"""The zoo's models: ``zoo:bit_m``, ``zoo:rn50``, ``zoo:clip``, ``zoo:clip_t`` and the untrained ``zoo:random``.

Each stands in for the paper's model of that name and is not it. What is registered is what has weights in
``mmbench/zoo/weights``, and ``random``, which needs none.
"""

from __future__ import annotations

import functools
import hashlib
from functools import partial

from mmbench.models import encoders
from mmbench.models.entry import MODELS, Encoder, Identity, ModelEntry, Preprocess
from mmbench.zoo import backbone, text, weight_files
from mmbench.zoo.fingerprint import canonical, source_of
from mmbench.zoo.recipes import RECIPES

PREPROCESS = Preprocess(backbone.SIZE, backbone.SIZE, backbone.MEAN, backbone.STD)
LICENCE = "weights: CC BY-SA 4.0, trained on OpenMoji drawings"


def _image(name: str, preprocess: Preprocess) -> Encoder:
    return encoders.image_encoder(weight_files.image_tower(name), preprocess, backbone.DIM)


def _text(name: str) -> Encoder:
    import torch

    tower, tokenizer = weight_files.text_tower(name)

    def features(texts: list[str]) -> torch.Tensor:
        return tower(torch.from_numpy(tokenizer.encode(texts)).to(encoders.device_of(tower)))

    return encoders.text_encoder(tower, backbone.DIM, features)


@functools.cache
def _code(*modules: str) -> str:
    """A short digest of what the network's modules do, so that an edited network is another model to the store."""
    return hashlib.sha256("\n".join(canonical(source_of(name)) for name in modules).encode()).hexdigest()[:12]


def _image_identity(name: str, preprocess: Preprocess) -> Identity:
    code = _code("mmbench.zoo.backbone", "mmbench.zoo.convolution")
    trained = name != weight_files.RANDOM
    return Identity(
        weights=weight_files.digest(name) if trained else f"{code}, seed {weight_files.RANDOM_SEED}",
        architecture=f"{backbone.ARCHITECTURE} ({code})",
        layer="projection" if trained and RECIPES.get(name).projection else "mean over positions",
        preprocess=preprocess,
        versions=dict(encoders.versions("torch", "pillow")),
    )


def _text_identity(name: str) -> Identity:
    code = _code("mmbench.zoo.text")
    known = dict(encoders.versions("torch"))
    return Identity(weight_files.digest(name), f"{text.ARCHITECTURE} ({code})", "end mark, projected", None, known)


def _image_entry(name: str, about: str, training: str, preprocess: Preprocess = PREPROCESS) -> ModelEntry:
    plain = encoders.unnormalised(PREPROCESS)

    def raw() -> ModelEntry:
        return _image_entry(name, f"{about} Pixels in [0, 1].", training, plain)

    return ModelEntry(
        name=f"zoo:{name}_raw" if preprocess == plain else f"zoo:{name}",
        modality="image",
        dim=backbone.DIM,
        load=partial(_image, name, preprocess),
        identity=partial(_image_identity, name, preprocess),
        about=about,
        source="mmbench.zoo",
        licence=LICENCE,
        training=training,
        raw=None if preprocess == plain else raw,
    )


def _text_entry(name: str, about: str, training: str) -> ModelEntry:
    return ModelEntry(
        name=f"zoo:{name}",
        modality="text",
        dim=backbone.DIM,
        load=partial(_text, name),
        identity=partial(_text_identity, name),
        about=about,
        source="mmbench.zoo",
        licence=LICENCE,
        training=training,
    )


def _register() -> None:
    for name in weight_files.shipped():
        card = weight_files.card(name)
        about = RECIPES.get(card.recipe).about
        training = f"{card.images_seen:,} views of drawings, {card.steps:,} steps of recipe {card.recipe_hash[:12]}"
        if card.modality == "text":
            MODELS.add(_text_entry(name, f"the text tower of {card.recipe}: {about}", training))
        else:
            MODELS.add(_image_entry(name, about, training))
    MODELS.add(_image_entry(weight_files.RANDOM, "the zoo's network before any training", "none"))


_register()
