"""``timm:NAME[.TAG][@FILE]``: the features before the classifier of any timm model, fed as timm's own config says.

Weights come from FILE (for a BiT network also its authors' ``.npz``), or from the local hub cache for a NAME with a
TAG (or timm's default tag); they are never downloaded here, since nobody has declared their digest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, MissingAsset, MissingExtra, UnknownName
from mmbench.models import bit, checkpoints, encoders, published, specs
from mmbench.models.entry import Encoder, Identity, ModelEntry, Preprocess
from mmbench.models.hidden import Layer, pooled_as
from mmbench.models.sources import IMAGE_OPTIONS, SOURCES, WEIGHT_OPTIONS, ModelSource, ModelSpec

if TYPE_CHECKING:
    import torch

_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")
_DERIVED = "relative_position_index"  # older files keep it with the weights; the network makes it of its window


def entry(spec: ModelSpec) -> ModelEntry:
    """The entry of a ``timm:`` specification; see ``mmbench.models.specs`` for its options."""
    if spec.tag:
        raise BadSpec(f"model {str(spec)!r}: timm writes tags with a dot: timm:{spec.name}.{spec.tag}")
    raw = specs.raw_of(spec, entry)
    return specs.entry_of(spec, _load, _identity, f"timm {spec.name}", modality="image", raw=raw)


def build(name: str, owner: str) -> torch.nn.Module:
    """An untrained timm model without its classifier; raises MissingExtra or UnknownName."""
    try:
        import timm
    except ImportError:
        raise MissingExtra("timm", "embedded", owner) from None
    if not timm.is_model(name):
        raise UnknownName("timm model", name, timm.list_models()) from None
    try:
        return timm.create_model(name, pretrained=False, num_classes=0)
    except RuntimeError as error:  # timm says so when the architecture has no such tag
        raise BadSpec(f"{owner}: {error}; see timm.list_pretrained('{name.split('.')[0]}*')") from None


def preprocess_of(module: Any) -> Preprocess:
    """The evaluation preprocessing of a timm model's own config; raises BadSpec for another fit than crop or squash."""
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(module)
    size, resize = config["input_size"][-1], int(config["input_size"][-1] / config["crop_pct"])
    fit, how = {"center": "crop", "squash": "squash"}.get(config["crop_mode"]), config["interpolation"]
    if fit is None or how not in ("bicubic", "bilinear") or (fit == "squash" and resize != size):
        raise BadSpec(f"timm feeds this model with {config}, which is neither a centre crop nor a squash")
    return Preprocess(size, resize, tuple(config["mean"]), tuple(config["std"]), how, fit)  # type: ignore[arg-type]


def _identity(spec: ModelSpec) -> Identity:
    light = published.hub_repository(spec.weights) is not None
    weights = checkpoints.weights_identity(spec.file, spec.seed, _key(spec), lambda: _cached_weights(spec), light=light)
    known = dict(encoders.versions("timm", "torch", "pillow"))
    return Identity(weights, spec.architecture(), "before the classifier", None, known)


def _key(spec: ModelSpec) -> str:
    return f"timm {spec.name} {encoders.versions('timm')}"


def _load(spec: ModelSpec) -> Encoder:
    path = specs.weights_file(spec, lambda: _cached_weights(spec)) if spec.seed is None else None
    import torch

    with torch.random.fork_rng(devices=[]):
        if spec.seed is not None:
            torch.manual_seed(spec.seed)
        module: Any = build(spec.name, f"model {str(spec)!r}")
    if path is not None:
        state = _state(spec, module, path)
        spare = spec.option("spare") == "1"
        checkpoints.load_strictly(module, state, path, f"timm {spec.name}", spare=spare)
    preprocess = specs.adjusted(preprocess_of(module), spec)
    dim = int(getattr(module, "head_hidden_size", module.num_features))  # they differ after a head convolution
    return specs.checked(spec, encoders.image_encoder(module, preprocess, dim, layers=layers_of(module)))


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
    repo, named = _repository(spec)
    path = checkpoints.hub_file(repo, (named,) if named else _HUB_NAMES) if repo else None
    if path is None:
        fetch = f"fetch them with: hf download {repo} {named or _HUB_NAMES[0]}; or " if repo else ""
        raise MissingAsset(
            f"model {str(spec)!r}: the weights are not in the local hub cache; {fetch}name a file: "
            f"timm:{spec.name}@FILE, or take untrained weights: ?random=SEED"
        )
    checkpoints.remember_place(_key(spec), path)
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
        options={"": IMAGE_OPTIONS | WEIGHT_OPTIONS},
        tagged=True,
    )
)
