"""``open_clip:ARCH[:TAG][@FILE]``: the image tower, or with ``#text`` the text tower; projected joint embeddings.

The activation follows the training: OpenAI's weights (and the tags that open_clip says so of) were trained with
quick-GELU, and a plain GELU gives silently wrong features. So TAG decides the activation, ``ARCH:openai@FILE`` says
that FILE holds OpenAI's weights, ``?activation=`` (gelu, quick_gelu) says it of other files, and where two of these
contradict each other, or a file known to be OpenAI's, the specification is refused. Weights in half precision, as
OpenAI's are, are not read into a plain GELU unless one of them says so.

``open_clip:local-dir:DIR``, ``open_clip:hf-hub:REPOSITORY`` (in the local hub cache) and ``open_clip:ARCH@DIR`` are
read as open_clip reads them: ``open_clip_config.json`` there names network, activation and preprocessing. It counts
beside a FILE too, and is refused where it describes another network than ARCH, or another preprocessing than TAG.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, MissingAsset
from mmbench.models import checkpoints, encoders, open_clip_settings, published, specs
from mmbench.models.configs import HUB, LOCAL, Placed
from mmbench.models.entry import Encoder, Identity, ModelEntry
from mmbench.models.open_clip_settings import (
    HUB_NAMES,
    library,
    network,
    placed_of,
    preprocess_of,
    said,
    tag_of,
    without_root_log,
)
from mmbench.models.published import OPENAI_ARCHIVES
from mmbench.models.reading import hub_offline
from mmbench.models.sources import IMAGE_OPTIONS, SOURCES, WEIGHT_OPTIONS, ModelSource, ModelSpec
from mmbench.models.state_dicts import load_strictly
from mmbench.spec import choice

if TYPE_CHECKING:
    import torch

_IMAGE = IMAGE_OPTIONS | WEIGHT_OPTIONS | {"activation"}
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")


def entry(spec: ModelSpec) -> ModelEntry:
    """The entry of an ``open_clip:`` specification; see ``mmbench.models.specs`` for its options."""
    text = spec.tower == "text"
    if not (spec.tag or spec.file or spec.seed is not None):
        raise BadSpec(f"model {str(spec)!r} names no weights: add :TAG, @FILE or ?random=SEED")
    own = f"open_clip {spec.name} {spec.tag}".strip()
    return specs.entry_of(
        spec,
        _load,
        _identity,
        own,
        modality="text" if text else "image",
        training="contrast of images and captions",
        raw=None if text else specs.raw_of(spec, entry),
        space=f"open_clip:{spec.name}:{spec.tag}@{spec.file}",
    )


def build(spec: ModelSpec) -> torch.nn.Module:
    """The untrained two-tower model with the activation of its training; raises UnknownName, BadSpec, MissingAsset."""
    owner, open_clip, place = f"model {str(spec)!r}", library(spec), placed_of(spec)
    config, name = network(spec, place), spec.name
    if place.config and place.whole:
        name = f"{LOCAL}:{place.config.parent}"
    own, wanted = bool(config.get("quick_gelu", False)), _activation(spec)
    if own and wanted is False:
        by = tag_of(spec) or "what ?activation=gelu names"
        raise BadSpec(f"{owner}: {by} was trained with plain GELU, but {spec.name} is built with quick-GELU")
    if place.config and wanted is not None and own != wanted:
        says = "plain GELU" if wanted else "quick-GELU"
        raise BadSpec(f"{owner}: {place.config} says {says}, and {tag_of(spec) or 'activation='} the other; use one")
    timm_tower = "timm_model_name" in config["vision_cfg"]
    size = spec.number("size") if spec.option("size") and not timm_tower else None
    # the root log would warn that the weights are random, which is what is asked for here
    with without_root_log(), hub_offline(), said(spec, config):
        return open_clip.create_model(
            name,
            load_weights=False,
            force_quick_gelu=own or bool(wanted),
            force_image_size=size,
            pretrained_image=False,
            pretrained_text=False,
        )


def quick_gelu(module: torch.nn.Module) -> bool | None:
    """Which activation a built model has: quick-GELU, another, or None where towers differ or none is found."""
    names = {type(part).__name__ for part in module.modules() if "GELU" in type(part).__name__}
    return {frozenset({"QuickGELU"}): True, frozenset({"GELU"}): False}.get(frozenset(names))


def _tag_activation(spec: ModelSpec) -> bool | None:
    """Whether ``TAG`` of ``ARCH`` was trained with quick-GELU; None without a tag. Raises UnknownName."""
    if not tag_of(spec):
        return None
    return bool(open_clip_settings.tag_config(spec).get("quick_gelu", False))


def _activation(spec: ModelSpec) -> bool | None:
    """Whether tag or option asks for quick-GELU; None when neither says anything. Raises BadSpec when they differ."""
    tagged = _tag_activation(spec)
    stated = {"quick_gelu": True, "gelu": False}.get(spec.option("activation"))
    if tagged is not None and stated is not None and tagged != stated:
        trained = "quick-GELU" if tagged else "plain GELU"
        raise BadSpec(f"model {str(spec)!r}: {spec.tag} was trained with {trained}, not what activation= says")
    return stated if tagged is None else tagged


def _load(spec: ModelSpec) -> Encoder:
    here = placed_of(spec).weights
    path = specs.weights_file(spec, lambda: _cached_weights(spec), here) if spec.seed is None else None
    import torch

    with torch.random.fork_rng(devices=[]):
        if spec.seed is not None:
            torch.manual_seed(spec.seed)
        module: Any = build(spec)
    if path is not None:
        _fill(spec, module, path)
    return specs.checked(spec, text_of(spec, module) if spec.tower == "text" else image_of(spec, module))


def image_of(spec: ModelSpec, module: Any) -> Encoder:
    """The image tower of a model; raises BadSpec for a size that it does not take."""
    import torch

    preprocess = specs.adjusted(preprocess_of(spec, module), spec)
    if spec.option("size") and hasattr(module.visual, "set_input_size"):
        _resized(spec, lambda: module.visual.set_input_size(preprocess.size))
    encoder = encoders.image_encoder(module, preprocess, 0, module.encode_image)
    side = preprocess.size
    zeros = torch.zeros(1, 3, side, side, device=encoders.device_of(module))
    with torch.inference_mode():
        encoder.dim = int(_resized(spec, lambda: encoder.forward(zeros)).shape[1])
    return encoder


def _resized(spec: ModelSpec, work: Callable[[], Any]) -> Any:
    """What ``work`` gives; raises BadSpec where a stated size is none that the network takes."""
    try:
        return work()
    except (RuntimeError, ValueError, AssertionError, AttributeError, TypeError) as error:
        if not spec.option("size"):
            raise
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadSpec(
            f"model {str(spec)!r}: the network does not take size={spec.option('size')} ({why[:200]})"
        ) from error


def text_of(spec: ModelSpec, module: Any) -> Encoder:
    """The text tower of a model; raises MissingAsset where its tokenizer is not on this machine."""
    import torch

    tokenize = tokenizer_of(spec)
    module.visual = torch.nn.Identity()  # the image tower is not moved about with the text tower
    unit = {"normalize": True} if spec.option("unit") == "1" else {}

    def features(texts: list[str]) -> torch.Tensor:
        tokens = tokenize([str(text) for text in texts]).to(encoders.device_of(module))
        return module.encode_text(tokens, **unit)

    encoder = encoders.text_encoder(module, 0, features, cuts=_cuts(tokenize))
    with torch.inference_mode():
        encoder.dim = int(encoder.forward(["one"]).shape[1])
    return encoder


def _cuts(tokenize: Any) -> Callable[[list[str]], list[bool]] | None:
    """Whether a tokenizer of open_clip cuts each text; None for one that thins texts out, or is of another kind."""
    inner, limit = getattr(tokenize, "tokenizer", None), getattr(tokenize, "context_length", None)
    if limit is None:
        return None
    if hasattr(tokenize, "sot_token_id") and hasattr(tokenize, "encode") and tokenize.reduction_fn is None:
        return lambda texts: [len(tokenize.encode(str(text))) + 2 > limit for text in texts]
    if inner is None or getattr(tokenize, "tokenizer_mode", "") == "clips" or not hasattr(tokenize, "clean_fn"):
        return None

    def cuts(texts: list[str]) -> list[bool]:
        whole = inner([tokenize.clean_fn(str(text)) for text in texts], truncation=False, verbose=False)
        return [len(ids) > limit for ids in whole["input_ids"]]

    return cuts


def tokenizer_of(spec: ModelSpec) -> Callable[[list[str]], torch.Tensor]:
    """open_clip's tokenizer of the model; the network is never asked for it. Raises MissingAsset."""
    open_clip, place, name = library(spec), placed_of(spec), spec.name
    if place.whole:
        name = f"{spec.name}:{spec.tag if spec.name == HUB else place.config.parent}"  # type: ignore[union-attr]
    with without_root_log(), hub_offline(), said(spec, network(spec, place)):
        return open_clip.get_tokenizer(name)


def _fill(spec: ModelSpec, module: Any, path: Path) -> None:
    """Read the weights into the model; refuses OpenAI's own archives under another activation or architecture."""
    owner = f"model {str(spec)!r}"
    if checkpoints.is_torchscript(path):
        state = checkpoints.read_torchscript(path, OPENAI_ARCHIVES)
        state = {key: value for key, value in state.items() if key not in _NOT_WEIGHTS}
    else:
        state = checkpoints.read_state_dict(path, spec.option("inside"), spec.option("prefix"))
    if checkpoints.file_digest(path) in OPENAI_ARCHIVES and quick_gelu(module) is False:
        raise BadSpec(f"{owner}: {path} was trained by OpenAI with quick-GELU; write open_clip:{spec.name}:openai@FILE")
    known = _activation(spec) is not None or placed_of(spec).config is not None
    if quick_gelu(module) is False and not known and _halves(state):
        raise BadSpec(
            f"{owner}: {path} holds half-precision weights, as OpenAI's are, and those were trained with quick-GELU; "
            f"if these are OpenAI's, write open_clip:{spec.name}:openai@FILE, else add ?activation=gelu (or quick_gelu)"
        )
    spare = spec.option("spare") == "1"
    state = _current_names(state, module)
    if spec.option("size"):
        from open_clip.model import resize_pos_embed

        with without_root_log():
            resize_pos_embed(state, module)
    load_strictly(module, state, path, f"open_clip {spec.name}", spare=spare)


def _halves(state: checkpoints.StateDict) -> bool:
    """Whether all matrices are numbers of half precision, however they are stored."""
    import torch

    matrices = [value for value in state.values() if value.ndim > 1 and value.dtype in (torch.float16, torch.float32)]
    return bool(matrices) and all(torch.equal(value.half().to(value.dtype), value) for value in matrices)


def _current_names(state: checkpoints.StateDict, module: Any) -> checkpoints.StateDict:
    """Older checkpoints keep the text tower's weights at the top level; some keep the logit scale in a vector."""
    own = module.state_dict()
    if "positional_embedding" in state and "text.positional_embedding" in own:
        tower = ("text_projection", "positional_embedding", "token_embedding", "transformer.", "ln_final.")
        state = {f"text.{key}" if key.startswith(tower) else key: value for key, value in state.items()}
    return {
        key: value.reshape(own[key].shape) if key in own and value.numel() == own[key].numel() == 1 else value
        for key, value in state.items()
    }


def _identity(spec: ModelSpec) -> Identity:
    place = Placed()
    with contextlib.suppress(MissingAsset):  # not on this machine: then the weights are unknown
        place = placed_of(spec)
    light = published.hub_repository(spec.weights) is not None or spec.name in (LOCAL, HUB)
    file = str(place.weights.absolute()) if place.weights else spec.file
    weights = checkpoints.weights_identity(file, spec.seed, _key(spec), lambda: _cached_weights(spec), light=light)
    known = dict(encoders.versions("open_clip_torch", "timm", "torch", "pillow"))
    return Identity(weights, f"{spec.architecture()}{place.digest()}", "projected joint embedding", None, known)


def _key(spec: ModelSpec) -> str:
    return f"open_clip {spec.name} {spec.tag} {encoders.versions('open_clip_torch')}"


def _cached_weights(spec: ModelSpec) -> Path:
    """The tag's file in the local hub cache, else raises MissingAsset with the command that fetches it."""
    if spec.name in (LOCAL, HUB):
        raise MissingAsset(f"model {str(spec)!r}: its weights are not on this machine")
    repo, names, url = _repository(spec)
    path = checkpoints.hub_file(repo, names) if repo else None
    if path is None:
        fetch = f"fetch them with: hf download {repo} {names[0]}" if repo else f"put {url} into a file"
        raise MissingAsset(
            f"model {str(spec)!r}: the weights are not in the local hub cache; {fetch}, or name a file: "
            f"open_clip:{spec.name}:{spec.tag}@FILE"
        )
    checkpoints.remember_place(_key(spec), path, repo, names)
    return path


def _repository(spec: ModelSpec) -> tuple[str, tuple[str, ...], str]:
    """The tag's repository on the hub, its files of choice, and another address; open_clip is asked last."""
    if known := published.hub_repository(spec.weights):
        return known, HUB_NAMES, ""
    config = open_clip_settings.tag_config(spec)
    repo, _, named = (config.get("hf_hub") or "").rpartition("/")
    return repo, (named,) if named else HUB_NAMES, str(config.get("url"))


SOURCES.add(
    ModelSource(
        "open_clip",
        "open_clip:ARCH[:TAG][@FILE][#text]",
        entry,
        options={"": _IMAGE, "image": _IMAGE, "text": WEIGHT_OPTIONS | {"activation", "unit"}},
        tagged=True,
        values={"activation": choice("gelu", "quick_gelu")},
    )
)
