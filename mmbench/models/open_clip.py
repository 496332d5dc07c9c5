"""``open_clip:ARCH[:TAG][@FILE]``: the image tower, or with ``#text`` the text tower; projected joint embeddings.

The activation follows the training: OpenAI's weights (and the tags that open_clip says so of) were trained with
quick-GELU, and a plain GELU gives silently wrong features. So TAG decides the activation, ``ARCH:openai@FILE`` says
that FILE holds OpenAI's weights, ``?activation=`` (gelu, quick_gelu) says it of other files, and where two of these
contradict each other, or a file known to be OpenAI's, the specification is refused. Weights in half precision, as
OpenAI's are, are not read into a plain GELU unless one of them says so.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, MissingAsset, MissingExtra, UnknownName
from mmbench.models import checkpoints, encoders, published, specs
from mmbench.models.entry import Encoder, Identity, ModelEntry, Preprocess
from mmbench.models.published import OPENAI_ARCHIVES
from mmbench.models.sources import IMAGE_OPTIONS, SOURCES, WEIGHT_OPTIONS, ModelSource, ModelSpec
from mmbench.spec import choice

if TYPE_CHECKING:
    import torch

_HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
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
    """The untrained two-tower model with the activation of its training; raises UnknownName, BadSpec."""
    owner, open_clip = f"model {str(spec)!r}", _library(spec)
    config = open_clip.get_model_config(spec.name)
    if config is None:
        raise UnknownName("open_clip architecture", spec.name, open_clip.list_models())
    own, wanted = bool(config.get("quick_gelu", False)), _activation(spec)
    if own and wanted is False:
        by = spec.tag if spec.tag else "what ?activation=gelu names"
        raise BadSpec(f"{owner}: {by} was trained with plain GELU, but {spec.name} is built with quick-GELU")
    with _without_root_log():  # it would warn that the weights are random, which is what is asked for here
        return open_clip.create_model(
            spec.name, pretrained=None, force_quick_gelu=own or bool(wanted), pretrained_text=False
        )


@contextlib.contextmanager
def _without_root_log() -> Iterator[None]:
    def mute(record: logging.LogRecord) -> bool:
        return False

    logging.getLogger().addFilter(mute)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(mute)


def quick_gelu(module: torch.nn.Module) -> bool | None:
    """Which activation a built model has: quick-GELU, another, or None where towers differ or none is found."""
    names = {type(part).__name__ for part in module.modules() if "GELU" in type(part).__name__}
    return {frozenset({"QuickGELU"}): True, frozenset({"GELU"}): False}.get(frozenset(names))


def _tag_activation(spec: ModelSpec) -> bool | None:
    """Whether ``TAG`` of ``ARCH`` was trained with quick-GELU; None without a tag. Raises UnknownName."""
    if not spec.tag:
        return None
    return bool(_tag_config(spec).get("quick_gelu", False))


def _activation(spec: ModelSpec) -> bool | None:
    """Whether tag or option asks for quick-GELU; None when neither says anything. Raises BadSpec when they differ."""
    tagged = _tag_activation(spec)
    stated = {"quick_gelu": True, "gelu": False}.get(spec.option("activation"))
    if tagged is not None and stated is not None and tagged != stated:
        trained = "quick-GELU" if tagged else "plain GELU"
        raise BadSpec(f"model {str(spec)!r}: {spec.tag} was trained with {trained}, not what activation= says")
    return stated if tagged is None else tagged


def _library(spec: ModelSpec) -> Any:
    if find_spec("open_clip") is None:
        raise MissingExtra("open_clip", "openclip", f"model {str(spec)!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its dependencies, at import
        import open_clip
    return open_clip


def _tag_config(spec: ModelSpec) -> dict[str, Any]:
    open_clip = _library(spec)
    if spec.name not in open_clip.list_models():
        raise UnknownName("open_clip architecture", spec.name, open_clip.list_models())
    config = open_clip.get_pretrained_cfg(spec.name, spec.tag)
    if not config:
        known = open_clip.list_pretrained_tags_by_model(spec.name)
        raise UnknownName(f"weights of open_clip {spec.name}", spec.tag, known)
    return config


def preprocess_of(spec: ModelSpec, module: Any) -> Preprocess:
    """The preprocessing open_clip states for this model and tag; raises BadSpec for another fit than crop or squash."""
    config = dict(module.visual.preprocess_cfg)
    if spec.tag:
        config |= {key: value for key, value in _tag_config(spec).items() if key in config and value is not None}
    size = config["size"]
    side = size if isinstance(size, int) else size[0]
    fit = {"shortest": "crop", "squash": "squash"}.get(config["resize_mode"])
    if fit is None or (not isinstance(size, int) and len(set(size)) > 1):
        raise BadSpec(f"model {str(spec)!r}: open_clip feeds it with {config}, neither a centre crop nor a squash")
    mean, std, how = tuple(config["mean"]), tuple(config["std"]), config["interpolation"]
    return Preprocess(side, side, mean, std, how, fit)  # type: ignore[arg-type]


def _load(spec: ModelSpec) -> Encoder:
    path = specs.weights_file(spec, lambda: _cached_weights(spec)) if spec.seed is None else None
    import torch

    with torch.random.fork_rng(devices=[]):
        if spec.seed is not None:
            torch.manual_seed(spec.seed)
        module: Any = build(spec)
    if path is not None:
        _fill(spec, module, path)
    if spec.tower == "text":
        return specs.checked(spec, _text(spec, module))
    preprocess = specs.adjusted(preprocess_of(spec, module), spec)
    width = int(module.visual.output_dim)
    return specs.checked(spec, encoders.image_encoder(module, preprocess, width, module.encode_image))


def _text(spec: ModelSpec, module: Any) -> Encoder:
    import open_clip
    import torch

    tokenize = open_clip.get_tokenizer(spec.name)
    module.visual = torch.nn.Identity()  # the image tower is not moved about with the text tower
    unit = spec.option("unit") == "1"

    def features(texts: list[str]) -> torch.Tensor:
        tokens = tokenize(list(texts)).to(encoders.device_of(module))
        return module.encode_text(tokens, normalize=unit)

    return encoders.text_encoder(module, features(["one"]).shape[1], features)


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
    if quick_gelu(module) is False and _activation(spec) is None and _halves(state):
        raise BadSpec(
            f"{owner}: {path} holds half-precision weights, as OpenAI's are, and those were trained with quick-GELU; "
            f"if these are OpenAI's, write open_clip:{spec.name}:openai@FILE, else add ?activation=gelu (or quick_gelu)"
        )
    spare = spec.option("spare") == "1"
    checkpoints.load_strictly(module, _current_names(state, module), path, f"open_clip {spec.name}", spare=spare)


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
    light = published.hub_repository(spec.weights) is not None
    weights = checkpoints.weights_identity(spec.file, spec.seed, _key(spec), lambda: _cached_weights(spec), light=light)
    known = dict(encoders.versions("open_clip_torch", "timm", "torch", "pillow"))
    return Identity(weights, spec.architecture(), "projected joint embedding", None, known)


def _key(spec: ModelSpec) -> str:
    return f"open_clip {spec.name} {spec.tag} {encoders.versions('open_clip_torch')}"


def _cached_weights(spec: ModelSpec) -> Path:
    """The tag's file in the local hub cache, else raises MissingAsset with the command that fetches it."""
    repo, names, url = _repository(spec)
    path = checkpoints.hub_file(repo, names) if repo else None
    if path is None:
        fetch = f"fetch them with: hf download {repo} {names[0]}" if repo else f"put {url} into a file"
        raise MissingAsset(
            f"model {str(spec)!r}: the weights are not in the local hub cache; {fetch}, or name a file: "
            f"open_clip:{spec.name}:{spec.tag}@FILE"
        )
    checkpoints.remember_place(_key(spec), path)
    return path


def _repository(spec: ModelSpec) -> tuple[str, tuple[str, ...], str]:
    """The tag's repository on the hub, its files of choice, and another address; open_clip is asked last."""
    if known := published.hub_repository(spec.weights):
        return known, _HUB_NAMES, ""
    config = _tag_config(spec)
    repo, _, named = (config.get("hf_hub") or "").rpartition("/")
    return repo, (named,) if named else _HUB_NAMES, str(config.get("url"))


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
