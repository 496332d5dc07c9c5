"""The zoo's models: ``zoo:bit_m``, ``zoo:rn50``, ``zoo:clip``, ``zoo:clip_t`` and the untrained ``zoo:random``.

Each stands in for the paper's model of that name and is not it. What is registered is what has weights in
``mmbench/zoo/weights``, and ``random``, which needs none. ``zoo:bit_m@FILE`` takes the same model from a weights file
that ``mmbench zoo train`` wrote.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from mmbench.errors import BadSpec, UnknownName
from mmbench.models import checkpoints, encoders, zoo_writer
from mmbench.models.entry import MODELS, Encoder, GeneratorEntry, Identity, ModelEntry, Preprocess
from mmbench.models.hidden import Layer
from mmbench.models.sources import SOURCES, ModelSource, ModelSpec
from mmbench.models.spans import SpanLayers
from mmbench.program import program_digest
from mmbench.zoo import weight_files
from mmbench.zoo.frozen import backbone, language, text
from mmbench.zoo.recipes import RECIPES

PREPROCESS = Preprocess(backbone.SIZE, backbone.SIZE, backbone.MEAN, backbone.STD)
LICENCE = "weights: CC BY-SA 4.0, trained on OpenMoji drawings"
TEXT_LICENCE = "weights: CC BY-SA 4.0, trained on names of OpenMoji drawings and, if no drawing, on Wikipedia's text"


def _image(name: str, folder: Path, preprocess: Preprocess) -> Encoder:
    module = weight_files.image_tower(name, folder)
    layers = _layers(module)  # found before folding, which renumbers the parts of a Sequential and keeps these
    return encoders.image_encoder(encoders.folded(module), preprocess, backbone.DIM, layers=layers)


def _layers(module: Any) -> dict[str, Layer]:
    """Hidden layers of the zoo's networks, each averaged over positions as the output is.

    Of the backbone ``stem`` (the first convolution's ReLU) and ``stage1`` to ``stage3`` (the residual blocks); of the
    ViT ``block1`` to ``block6`` (what follows the last block, the norm, the linear map and the ReLU, is left out).
    """
    import torch

    if not isinstance(module, torch.nn.Sequential):
        return {f"block{number}": Layer(block) for number, block in enumerate(module.blocks, start=1)}
    first = next(place for place, part in enumerate(module) if isinstance(part, torch.nn.ReLU))
    stages = module[first : first + len(backbone.WIDTHS)]
    return {"stem" if number == 0 else f"stage{number}": Layer(stage) for number, stage in enumerate(stages)}


def _text(name: str, folder: Path) -> Encoder:
    import torch

    tower, tokenizer = weight_files.text_tower(name, folder)
    spans = SpanLayers(backbone.DIM) if _reads_words(weight_files.text_network_of(name, folder)) else None

    def features(texts: list[str]) -> torch.Tensor:
        tokens = torch.from_numpy(tokenizer.encode(texts)).to(encoders.device_of(tower))
        if spans and spans.wanted:
            spans.record(tower.states(tokens), [token_offsets(tokenizer, text) for text in texts], texts)
        return tower(tokens)

    return encoders.text_encoder(tower, backbone.DIM, features, spans, partial(longer_than_read, tokenizer))


def _reads_words(network: weight_files.Network) -> bool:
    """Whether it gives a state of each token that its training predicts from; ``clip_t`` is trained on whole texts."""
    return network.architecture in (language.MASKED, language.CAUSAL)


def token_offsets(tokenizer: text.Tokenizer, of: str) -> list[tuple[int, int]]:
    """The characters ``[start, end)`` of each token of a text: of its word, where a word is spelt out in bytes.

    The start mark, the end mark and padding have (0, 0), as in the library tokenizers.
    """
    places = [place for place, sign in enumerate(of) for _ in sign.lower()]  # a lower-cased letter may be two
    known, found = set(tokenizer.words), [(0, 0)]
    for word in re.finditer(r"\w+|[^\w\s]", of.lower()):
        span = places[word.start()], places[word.end() - 1] + 1
        found += [span] * (1 if word.group() in known else len(word.group().encode()))
    return [*found[: text.CONTEXT - 1], *[(0, 0)] * (text.CONTEXT - min(len(found), text.CONTEXT - 1))]


def longer_than_read(tokenizer: text.Tokenizer, texts: list[str]) -> list[bool]:
    """Whether each text has more tokens than fit between the start mark and the end mark."""
    known, room = set(tokenizer.words), text.CONTEXT - 2
    return [sum(1 if word in known else len(word.encode()) for word in text.split(of)) > room for of in texts]


def _code(network: weight_files.Network) -> str:
    """A short digest of what the network's modules do, so that an edited network is another model to the store."""
    return program_digest(network.module, {"zoo.frozen"})[:12]


def _image_identity(name: str, folder: Path, preprocess: Preprocess) -> Identity:
    network = weight_files.network_of(name, folder)
    code, trained = _code(network), name != weight_files.RANDOM
    return Identity(
        weights=weight_files.digest(name, folder) if trained else f"{code}, seed {weight_files.RANDOM_SEED}",
        architecture=f"{network.architecture} ({code}, folded)",
        layer="projection" if trained and RECIPES.get(name).projection else network.layer,
        preprocess=preprocess,
        versions=dict(encoders.versions("torch", "pillow")),
    )


def _text_identity(name: str, folder: Path) -> Identity:
    network = weight_files.text_network_of(name, folder)
    architecture = f"{network.architecture} ({_code(network)})"
    known = dict(encoders.versions("torch"))
    return Identity(weight_files.digest(name, folder), architecture, network.layer, None, known)


def _image_entry(
    name: str, folder: Path, about: str, training: str, space: str = "", preprocess: Preprocess = PREPROCESS
) -> ModelEntry:
    plain = encoders.unnormalised(PREPROCESS)

    def raw() -> ModelEntry:
        return _image_entry(name, folder, f"{about} Pixels in [0, 1].", training, space, plain)

    return ModelEntry(
        name=f"zoo:{name}_raw" if preprocess == plain else f"zoo:{name}",
        modality="image",
        dim=backbone.DIM,
        load=partial(_image, name, folder, preprocess),
        identity=partial(_image_identity, name, folder, preprocess),
        about=about,
        source="mmbench.zoo",
        licence=LICENCE,
        training=training,
        raw=None if preprocess == plain else raw,
        space=space,
    )


def _text_entry(name: str, folder: Path, about: str, training: str, space: str) -> ModelEntry:
    return ModelEntry(
        name=f"zoo:{name}",
        modality="text",
        dim=backbone.DIM,
        load=partial(_text, name, folder),
        identity=partial(_text_identity, name, folder),
        about=about,
        source="mmbench.zoo",
        licence=TEXT_LICENCE,
        training=training,
        space=space,
        generator=_writer(name, folder),
        spans=_reads_words(weight_files.text_network_of(name, folder)),
    )


def _writer(name: str, folder: Path) -> GeneratorEntry | None:
    """A causal network with its prediction head writes text."""
    if not zoo_writer.head_path(name, folder).is_file():
        return None
    return GeneratorEntry(partial(zoo_writer.load, name, folder), partial(_writer_identity, name, folder))


def _writer_identity(name: str, folder: Path) -> Identity:
    network = weight_files.text_network_of(name, folder)
    code = program_digest((network.module, zoo_writer.__name__), {"zoo.frozen"})[:12]
    known = dict(encoders.versions("torch"))
    return Identity(
        zoo_writer.weights_digest(name, folder), f"{network.architecture} ({code})", "next token", None, known
    )


def entry(spec: ModelSpec) -> ModelEntry:
    """The model of ``zoo:NAME@FILE``; raises UnknownName without FILE, else BadSpec, MissingAsset or CorruptAsset."""
    if not spec.file:  # what the zoo ships goes by its registered name
        raise UnknownName("model", str(spec), [name for name in MODELS.names() if name.startswith("zoo:")])
    path = checkpoints.require_file(checkpoints.weights_path(spec.file), f"model {str(spec)!r}")
    if path != weight_files.path_of(spec.name, path.parent):
        raise BadSpec(f"model {str(spec)!r}: the weights of {spec.name} are kept in a file {spec.name}.safetensors")
    return _trained(spec.name, path.parent).called(str(spec))


def _trained(name: str, folder: Path = weight_files.FOLDER) -> ModelEntry:
    card = weight_files.card(name, folder)
    about = RECIPES.get(card.recipe).about
    seen = f"{card.images_seen:,} views of drawings" if card.images_seen else "captions and Wikipedia, no drawing"
    training = f"{seen}, {card.steps:,} steps of recipe {card.recipe_hash[:12]}"
    space = f"{folder}/{card.recipe}"
    if card.modality == "text":
        part = "" if card.recipe == name else f"the text tower of {card.recipe}: "
        return _text_entry(name, folder, part + about, training, space)
    return _image_entry(name, folder, about, training, space)


def _register() -> None:
    for name in weight_files.shipped():
        MODELS.add(_trained(name))
    MODELS.add(_image_entry(weight_files.RANDOM, weight_files.FOLDER, "the zoo's network before any training", "none"))


_register()
SOURCES.add(ModelSource("zoo", "zoo:NAME[@FILE]", entry))
