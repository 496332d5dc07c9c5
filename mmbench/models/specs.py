"""Models by specification: one string that names an encoder, its weights and its preprocessing.

    SOURCE:NAME[:TAG][@FILE][?OPTION=VALUE&...][#TOWER]

``open_clip:RN50:openai`` (image tower), ``open_clip:RN50:openai#text`` (its text tower), ``open_clip:RN50@my.pt``,
``timm:resnet18@my.safetensors``, ``timm:resnet18.a1_in1k``, ``torchvision:resnet50:IMAGENET1K_V1``,
``transformers:DIR_OR_ID?pool=cls``, ``transformers:DIR#image``, ``zoo:clip``, ``zoo:clip@my/clip.safetensors``,
``python:MODULE:NAME`` (``mmbench.models.objects``), or the name of a registered entry or of an installed
``mmbench.models`` entry point. FILE is absolute, or relative to $MMBENCH_WEIGHTS, else to
the lineup's file, else to the current folder.

Options of image encoders: ``size`` and ``resize`` (pixels; a network of fixed size is built for ``size``),
``interpolation`` (bicubic, bilinear), ``fit`` (crop, squash, border), ``pixels=raw`` (no mean and std). Of text
encoders: ``pool`` (mean, cls, last), or ``token=N`` instead (the text's N-th token, from 0), ``max_length``, ``unit=1``
(rows of length one). ``transformers:`` and ``timm:`` say what further values ``pool`` has there. Of all: ``dim``
(declares the width, which is then checked), ``random=SEED`` (untrained weights), ``sha256=HEX`` (the digest of the
weights' file, or its first 8 digits or more, checked before the file is opened), and for FILE ``inside=KEY`` and
``prefix=NAME.`` as ``read_state_dict`` takes them and ``spare=1`` (the file may hold tensors that the network has no
use for).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from mmbench.errors import BadFeatures, BadSpec, CorruptAsset, UnknownName
from mmbench.models import checkpoints, published
from mmbench.models.entry import MODELS, Encoder, Fit, GeneratorEntry, Identity, ModelEntry, Preprocess
from mmbench.models.sources import SOURCES, VALUES, ModelSpec
from mmbench.spec import IN_A_PATH, placed, read_options, split


def parse(text: str) -> ModelSpec:
    """Read a specification; raises BadSpec that repeats it and says what is wrong."""
    parts, tag, values = split(text), "", VALUES
    source, name = parts.scheme, parts.name
    if source in SOURCES:
        known = SOURCES.get(source)
        values = {**VALUES, **known.values}
        if known.tagged:
            name, _, tag = name.partition(":")
    if not source or not name or ("@" in parts.marked and not parts.file):
        raise BadSpec(f"model {text!r} is not SOURCE:NAME[:TAG][@FILE][?OPTION=VALUE][#TOWER]")
    options = read_options(f"model {text!r}", parts.query, values, note=IN_A_PATH)
    if parts.file and "random" in options:
        raise BadSpec(f"model {text!r}: choose one of @FILE and ?random=SEED")
    if "pool" in options and "token" in options:
        raise BadSpec(f"model {text!r}: choose one of ?pool= and ?token=")
    file, bare = parts.file, parts.file.removeprefix("file:")
    if bare and not os.environ.get("MMBENCH_WEIGHTS") and (there := placed(bare)) != bare:
        file = there
    if name == "local-dir":
        tag = placed(tag, name=True)
    elif source == "transformers":
        name = placed(name, name=True)
    return ModelSpec(source, name, tag, file, tuple(sorted(options.items())), parts.fragment)


def resolve(spec: str) -> ModelEntry:
    """The entry that ``spec`` names; nothing is loaded, and torch is not imported.

    Raises UnknownName for a name that nothing has and BadSpec for a specification that cannot be read.
    """
    if spec in MODELS:
        return MODELS.get(spec)
    source, colon, _ = spec.partition(":")
    if not colon:
        raise UnknownName("model", spec, MODELS.names(), hint="Or write SOURCE:NAME.")
    if source not in SOURCES:
        raise UnknownName("model source", source, SOURCES.names(), hint=f"(in {spec!r})")
    return SOURCES.get(source).resolve(parse(spec))


def resolve_generator(spec: str) -> GeneratorEntry:
    """How to load the model that ``spec`` names as a writer of text; nothing is loaded.

    Raises what ``resolve`` raises, and BadSpec for a model that writes none.
    """
    entry = resolve(spec)
    if entry.generator is None:
        writers = [model.name for model in MODELS if model.generator]
        raise BadSpec(
            f"model {spec!r} writes no text; these do: {', '.join(writers)}, and transformers:DIR of a causal language "
            "model"
        )
    return entry.generator


def adjusted(preprocess: Preprocess, spec: ModelSpec) -> Preprocess:
    """A model's own preprocessing with the specification's options applied; ``size`` alone also sets ``resize``."""
    from mmbench.models.encoders import unnormalised

    size = spec.number("size", preprocess.size)
    fit = cast(Fit, spec.option("fit", preprocess.fit))
    # another size or fit has nothing to do with the model's own resize
    own = not spec.option("size") and fit == preprocess.fit
    resize = spec.number("resize", preprocess.resize if own else size)
    interpolation = cast(Literal["bicubic", "bilinear"], spec.option("interpolation", preprocess.interpolation))
    if resize < size:
        raise BadSpec(f"model {str(spec)!r}: resize={resize} is smaller than the crop of size={size}")
    changed = replace(preprocess, size=size, resize=resize, interpolation=interpolation, fit=fit)
    return unnormalised(changed) if spec.option("pixels") == "raw" else changed


def weights_file(spec: ModelSpec, cached: Callable[[], Path], here: Path | None = None) -> Path:
    """The file that ``spec`` names, or else the one that ``cached`` finds, with the digest that ``spec`` states.

    ``here`` is a file that the source has found already.

    Raises MissingAsset when there is none, and CorruptAsset when it has another digest or is an HTML page.
    """
    owner = f"model {str(spec)!r}"
    named = here or (checkpoints.weights_path(spec.file) if spec.file else None)
    path = checkpoints.require_file(named, owner) if named else cached()
    checkpoints.check_page(path)
    checkpoints.check_digest(path, spec.option("sha256"), owner)
    return path


def checked(spec: ModelSpec, encoder: Encoder) -> Encoder:
    """``encoder``, if its width is the one that ``spec`` declares with ``?dim=``; else raises BadFeatures."""
    require_width(spec, encoder.dim)
    return encoder


def require_width(spec: ModelSpec, dim: int) -> None:
    """Raise BadFeatures when ``spec`` declares another width than ``dim``."""
    declared = spec.number("dim")
    if declared and declared != dim:
        raise BadFeatures(f"model {str(spec)!r} declares dim={declared} but its encoder gives {dim} columns")


def entry_of(
    spec: ModelSpec,
    load: Callable[[ModelSpec], Encoder],
    identity: Callable[[ModelSpec], Identity],
    library: str,
    *,
    published_as: str = "",
    licence: str = "",
    **fields: Any,
) -> ModelEntry:
    """The entry of ``spec``, with what a specification says of every model: width, file, address and licence.

    ``library`` names the source of weights that are not published under ``published_as`` (by default source, name and
    tag); ``licence`` is that of weights whose own licence is unknown. ``fields`` are further fields of the entry.
    """
    source, known = library, ""
    if spec.seed is None:
        source, known = published.source_of(published_as or spec.weights, spec.file, library)
    told: set[str] = set()  # what was said to identify the weights

    def identified() -> Identity:
        found = identity(spec)
        told.update([found.weights] if found.weights else [])
        return found

    def loaded() -> Encoder:
        encoder = load(spec)
        if told and len(told | {identity(spec).weights or ""}) > 1:
            raise CorruptAsset(
                f"model {str(spec)!r}: its files were replaced between the moment they were identified and the moment "
                "they were read; run again, when nothing writes them"
            )
        return encoder

    return ModelEntry(
        name=str(spec),
        dim=spec.number("dim"),
        load=loaded,
        identity=identified,
        source=source,
        licence=known or licence,
        assets=(f"file:{checkpoints.weights_path(spec.file)}",) if spec.file else (),
        **fields,
    )


def raw_of(spec: ModelSpec, entry: Callable[[ModelSpec], ModelEntry]) -> Callable[[], ModelEntry] | None:
    """The entry's ``raw``: the same specification with ``pixels=raw``, or None when it has that already."""
    if spec.option("pixels") == "raw":
        return None
    return lambda: entry(spec.with_option("pixels", "raw"))
