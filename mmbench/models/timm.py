"""``timm:NAME[.TAG][@FILE]``: the features before the classifier of any timm model, fed as timm's own config says.

``timm:local-dir:DIR``, ``timm:hf-hub:REPOSITORY`` (in the local hub cache) and ``timm:NAME@DIR`` are read as timm reads
them: ``config.json`` there names network and preprocessing. It counts beside a FILE too, and is refused where it is of
another network than NAME. ``pool=`` is timm's ``global_pool`` (avg, max, token, ...) in place of the model's own.

Weights come from FILE (for a BiT network also its authors' ``.npz``), or from the local hub cache for a NAME with a
TAG (or timm's default tag); they are never downloaded here, since nobody has declared their digest.
"""

from __future__ import annotations

import contextlib
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, MissingAsset, MissingExtra, MMBenchError, UnknownName
from mmbench.models import bit, checkpoints, encoders, published, specs
from mmbench.models.configs import HUB, LOCAL, Placed, placed, read_config
from mmbench.models.entry import Encoder, Identity, ModelEntry, Preprocess
from mmbench.models.hidden import Layer, pooled_as
from mmbench.models.reading import hub_offline
from mmbench.models.sources import IMAGE_OPTIONS, SOURCES, WEIGHT_OPTIONS, ModelSource, ModelSpec
from mmbench.models.state_dicts import load_strictly
from mmbench.spec import matching

if TYPE_CHECKING:
    import torch

_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")
_DERIVED = "relative_position_index"  # older files keep it with the weights; the network makes it of its window


def entry(spec: ModelSpec) -> ModelEntry:
    """The entry of a ``timm:`` specification; see ``mmbench.models.specs`` for its options."""
    if spec.tag and spec.name not in (LOCAL, HUB):
        raise BadSpec(f"model {str(spec)!r}: timm writes tags with a dot: timm:{spec.name}.{spec.tag}")
    raw = specs.raw_of(spec, entry)
    return specs.entry_of(spec, _load, _identity, f"timm {spec.name}", modality="image", raw=raw)


def build(name: str, owner: str, **how: Any) -> torch.nn.Module:
    """An untrained timm model without its classifier; ``how`` as ``timm.create_model`` takes it.

    Raises MissingExtra or UnknownName, and BadSpec for what the model does not take.
    """
    try:
        import timm
    except ImportError:
        raise MissingExtra("timm", "embedded", owner) from None
    if not timm.is_model(name):
        raise UnknownName("timm model", name, timm.list_models()) from None
    try:
        with hub_offline():
            return timm.create_model(name, pretrained=False, num_classes=0, **how)
    except (RuntimeError, TypeError, AssertionError, ValueError, KeyError) as error:
        stated = ", ".join(f"{key}={value}" for key, value in how.items() if key in ("img_size", "global_pool"))
        if stated:
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BadSpec(
                f"{owner}: timm cannot build {name} with {stated} ({why[:200]}); leave the option out"
            ) from error
        if not isinstance(error, RuntimeError):
            raise
        # timm says so when the architecture has no such tag
        raise BadSpec(f"{owner}: {error}; see timm.list_pretrained('{name.split('.')[0]}*')") from None


def preprocess_of(module: Any) -> Preprocess:
    """The evaluation preprocessing of a timm model's own config; raises BadSpec for images that are not square."""
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(module)
    sides = set(config["input_size"][-2:])
    size, how = config["input_size"][-1], config["interpolation"]
    fit = {"center": "crop", "squash": "squash", "border": "border"}.get(config["crop_mode"])
    if fit is None or how not in ("bicubic", "bilinear") or len(sides) > 1:
        raise BadSpec(
            f"timm feeds this model with {config}; only square images are read, cropped, squashed or with a border, by "
            "bicubic or bilinear resizing"
        )
    mean = tuple(config["mean"])
    fill = tuple(round(255 * value) for value in mean) if fit == "border" else (0, 0, 0)
    resize = math.floor(size / config["crop_pct"])
    return Preprocess(size, resize, mean, tuple(config["std"]), how, fit, fill=fill)  # type: ignore[arg-type]


def _placed(spec: ModelSpec) -> Placed:
    return placed(spec, "config.json", _HUB_NAMES)


def _config(spec: ModelSpec, place: Placed) -> dict[str, Any]:
    """timm's config beside the weights; empty without one, or where another library wrote the file.

    Raises BadSpec where it is of another network than NAME, and for ``local-dir:`` without a network in it.
    """
    if place.config is None:
        return {}
    owner = f"model {str(spec)!r}"
    config = read_config(place.config, owner)
    named = config.get("architecture")
    if not isinstance(named, str):
        if place.whole:
            raise BadSpec(f"{owner}: {place.config} names no architecture, as timm writes it")
        return {}
    if not place.whole and named != spec.name.partition(".")[0]:
        raise BadSpec(
            f"{owner}: {place.config} describes {named}, another network than {spec.name}; write "
            f"timm:{LOCAL}:{place.config.parent}, or move the file away if it is of other weights"
        )
    # the older form has no part of this name: all settings stand beside the architecture
    return {
        "architecture": named,
        "cfg": config.get("pretrained_cfg") or config,
        "args": config.get("model_args") or {},
    }


def _identity(spec: ModelSpec) -> Identity:
    place = Placed()
    with contextlib.suppress(MissingAsset):  # not on this machine: then the weights are unknown
        place = _placed(spec)
    light = published.hub_repository(spec.weights) is not None or spec.name in (LOCAL, HUB)
    file = str(place.weights.absolute()) if place.weights else spec.file
    weights = checkpoints.weights_identity(file, spec.seed, _key(spec), lambda: _cached_weights(spec), light=light)
    known = dict(encoders.versions("timm", "torch", "pillow"))
    return Identity(weights, f"{spec.architecture()}{place.digest()}", "before the classifier", None, known)


def _key(spec: ModelSpec) -> str:
    return f"timm {spec.name} {encoders.versions('timm')}"


def _load(spec: ModelSpec) -> Encoder:
    owner, place = f"model {str(spec)!r}", _placed(spec)
    path = specs.weights_file(spec, lambda: _cached_weights(spec), place.weights) if spec.seed is None else None
    import torch

    config = _config(spec, place)
    with torch.random.fork_rng(devices=[]):
        if spec.seed is not None:
            torch.manual_seed(spec.seed)
        module, own = _built_as_stated(spec, config, place, owner)
    preprocess = specs.adjusted(own, spec)
    if path is not None:
        state = _fitted(_state(spec, module, path), module, spec)
        spare = spec.option("spare") == "1"
        load_strictly(module, state, path, f"timm {spec.name}", spare=spare)
    return specs.checked(spec, image_of(spec, module, preprocess))


def _built_as_stated(
    spec: ModelSpec, config: dict[str, Any], place: Placed, owner: str
) -> tuple[torch.nn.Module, Preprocess]:
    """The untrained network and its preprocessing; raises BadSpec for settings of another kind than timm writes."""
    try:
        module = _built(spec, config, owner)
        return module, preprocess_of(module)
    except MMBenchError:
        raise
    except (AttributeError, TypeError, ValueError, LookupError, ArithmeticError, AssertionError) as error:
        if not config:
            raise
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadSpec(
            f"{owner}: {place.config} has settings that timm cannot use ({why[:200]}); fetch it again, or name "
            "architecture and file"
        ) from error


def _built(spec: ModelSpec, config: dict[str, Any], owner: str) -> Any:
    """The untrained network that specification and config describe."""
    name = config.get("architecture", spec.name)
    how: dict[str, Any] = dict(config.get("args", {}))
    if spec.option("pool"):
        how["global_pool"] = spec.option("pool")
    if config:
        from timm.models import PretrainedCfg

        known = PretrainedCfg.__dataclass_fields__
        how["pretrained_cfg"] = {key: value for key, value in config["cfg"].items() if key in known}
        heads = how["pretrained_cfg"].get("classifier") or ()
        if not isinstance(heads, str | list) or not all(isinstance(head, str) for head in heads):
            raise TypeError(f"classifier={heads}")
        name = name if spec.name in (LOCAL, HUB) else spec.name
    if not spec.option("size"):
        return build(name, owner, **how)
    try:
        return build(name, owner, img_size=spec.number("size"), **how)
    except BadSpec as error:
        if "unexpected keyword argument 'img_size'" not in str(error):
            raise
        return build(name, owner, **how)  # a convolutional network takes any size


def _fitted(state: checkpoints.StateDict, module: Any, spec: ModelSpec) -> checkpoints.StateDict:
    """Weights of another image size, their positions resized as timm does when it loads them."""
    adapt = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    positions = [key for key in state if key.endswith(("pos_embed", "relative_position_bias_table"))]
    own = module.state_dict()
    if not spec.option("size") or adapt is None or all(state[k].shape == own[k].shape for k in positions if k in own):
        return state
    return dict(adapt(state, module))


def image_of(spec: ModelSpec, module: Any, preprocess: Preprocess) -> Encoder:
    """The encoder of a network; raises BadSpec for a size that it does not take and features that are no vector."""
    import torch

    encoder = encoders.image_encoder(module, preprocess, 0, layers=layers_of(module))
    owner, side = f"model {str(spec)!r}", preprocess.size
    try:
        with torch.inference_mode():
            out = encoder.forward(torch.zeros(1, 3, side, side, device=encoders.device_of(module)))
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadSpec(f"{owner}: the network takes no images of {side} x {side} pixels ({why[:200]})") from error
    if not isinstance(out, torch.Tensor) or out.ndim != 2:
        shape = list(out.shape) if isinstance(out, torch.Tensor) else f"a {type(out).__name__}"
        raise BadSpec(
            f"{owner}: the network gives {shape} and not features of shape [batch, dim]; name a pooling, ?pool=avg"
        )
    encoder.dim = int(out.shape[1])
    return encoder


def layers_of(module: Any) -> dict[str, Layer]:
    """Hidden layers of a timm model under timm's own names: those in ``feature_info``, or else every one of its blocks.

    Of a transformer these are the blocks (``blocks.0`` ...), before the last norm: the class token where timm takes
    that as the model's output, else the mean over patches without prefix tokens (also where the model pools by
    maximum or attention). Of other networks they are the stages (``layer1``, ``stages.0`` ...), averaged over
    positions.
    """
    parts = dict(module.named_modules())
    listed = [each for each in getattr(module, "feature_info", None) or () if isinstance(each, dict)]
    widths = {each["module"]: each.get("num_chs") for each in listed if each.get("module") in parts}
    if not widths and "blocks" in parts:
        widths = {f"blocks.{name}": None for name, _ in module.blocks.named_children()}
    pool = pooled_as(
        class_token=getattr(module, "global_pool", "") == "token",
        prefix_tokens=int(getattr(module, "num_prefix_tokens", 0)),
        patches=getattr(getattr(module, "patch_embed", None), "num_patches", None),
        channels_last=getattr(module, "output_fmt", "NCHW") == "NHWC",
    )
    return {name: Layer(parts[name], pool, width) for name, width in widths.items()}


def _state(spec: ModelSpec, module: Any, path: Path) -> checkpoints.StateDict:
    """The weights in ``path`` under timm's names, without the classifier and what the network works out itself."""
    if path.suffix == ".npz" and spec.name.startswith("resnetv2_"):
        return bit.read(path)
    state = checkpoints.read_state_dict(path, spec.option("inside"), spec.option("prefix"))
    heads = module.pretrained_cfg.get("classifier") or ()
    state = checkpoints.without(state, *((heads,) if isinstance(heads, str) else heads))
    return {key: value for key, value in state.items() if not key.endswith(_DERIVED)}


def _cached_weights(spec: ModelSpec) -> Path:
    """The file of timm's published weights in the local hub cache; else raises MissingAsset with how to fetch it."""
    if spec.name in (LOCAL, HUB):
        raise MissingAsset(f"model {str(spec)!r}: its weights are not on this machine")
    repo, named = _repository(spec)
    names = (named,) if named else _HUB_NAMES
    path = checkpoints.hub_file(repo, names) if repo else None
    if repo is None or path is None:
        fetch = f"fetch them with: hf download {repo} {named or _HUB_NAMES[0]}; or " if repo else ""
        raise MissingAsset(
            f"model {str(spec)!r}: the weights are not in the local hub cache; {fetch}name a file: "
            f"timm:{spec.name}@FILE, or take untrained weights: ?random=SEED"
        )
    checkpoints.remember_place(_key(spec), path, repo, names)
    return path


def _repository(spec: ModelSpec) -> tuple[str | None, str | None]:
    """The hub's repository of timm's weights and, where timm names one, the file in it; timm is asked last."""
    if known := published.hub_repository(spec.weights):
        return known, None
    import timm

    config: Any = timm.models.get_pretrained_cfg(spec.name)
    return getattr(config, "hf_hub_id", None), getattr(config, "hf_hub_filename", None)


SOURCES.add(
    ModelSource(
        "timm",
        "timm:NAME[.TAG][@FILE]",
        entry,
        options={"": IMAGE_OPTIONS | WEIGHT_OPTIONS | {"pool"}},
        tagged=True,
        values={"pool": matching("[a-z]{1,12}", "timm's name of a pooling (avg, max, avgmax, token, map, ...)")},
    )
)
