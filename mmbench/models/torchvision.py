"""``torchvision:NAME[:WEIGHTS][@FILE]``: the features before the last linear layer of a torchvision classifier.

``head=imagenet`` says that this layer tells the 1,000 classes of ImageNet apart, in the order of their synsets: it is
kept as the model's own head (``Encoder.head``), through which attacks go.

The preprocessing is that of the named weights (``IMAGENET1K_V1`` by default). Weights come from FILE or from torch
hub's local cache; they are never downloaded here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, MissingAsset, MissingExtra, UnknownName
from mmbench.models import checkpoints, encoders, published, specs
from mmbench.models.entry import Encoder, Identity, ModelEntry, Preprocess
from mmbench.models.hidden import Layer, pooled_as
from mmbench.models.sources import IMAGE_OPTIONS, SOURCES, WEIGHT_OPTIONS, ModelSource, ModelSpec
from mmbench.models.state_dicts import load_strictly
from mmbench.spec import choice

if TYPE_CHECKING:
    import torch

_DEFAULT = "IMAGENET1K_V1"
_IMAGENET = 1000  # classes
_HEADS = ("fc", "classifier", "heads", "head")


def entry(spec: ModelSpec) -> ModelEntry:
    """The entry of a ``torchvision:`` specification; see ``mmbench.models.specs`` for its options."""
    return specs.entry_of(
        spec,
        _load,
        _identity,
        f"torchvision {spec.name}",
        published_as=_weights_name(spec),
        licence="" if spec.file else "BSD-3-Clause (code); the weights follow ImageNet's terms",
        modality="image",
        raw=specs.raw_of(spec, entry),
        head=_imagenet_classes if spec.option("head") else None,
    )


def _imagenet_classes() -> tuple[str, ...]:
    from mmbench.datasets.imagenet import class_names

    return tuple(class_names().values())


def build(name: str, owner: str) -> torch.nn.Module:
    """An untrained torchvision classifier; raises MissingExtra or UnknownName."""
    try:
        import torchvision
    except ImportError:
        raise MissingExtra("torchvision", "embedded", owner) from None
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        raise UnknownName("torchvision model", name, known)
    # their published weights expect inputs that the model itself shifts from ImageNet's mean and std
    extra = {"init_weights": False, "transform_input": True} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **extra)


def cut_head(module: Any, owner: str) -> tuple[str, int]:
    """Replace the last linear layer by the identity; its dotted name and input width. Raises BadSpec if it has none."""
    import torch

    for head in _HEADS:
        part = getattr(module, head, None)
        linear = [(name, m) for name, m in part.named_modules() if isinstance(m, torch.nn.Linear)] if part else []
        if linear:
            name, layer = linear[-1]
            dotted = f"{head}.{name}" if name else head
            parent, _, leaf = dotted.rpartition(".")
            setattr(module.get_submodule(parent), leaf, torch.nn.Identity())
            return dotted, layer.in_features
    raise BadSpec(f"{owner} has no linear classifier at its end that could be removed; wrap it with from_module")


def preprocess_of(name: str, tag: str, owner: str) -> Preprocess:
    """The evaluation preprocessing that torchvision publishes with the weights ``tag`` of ``name``."""
    import torchvision

    transform = _weights_of(name, tag, owner).transforms()
    how = transform.interpolation
    if how not in (torchvision.transforms.InterpolationMode.BILINEAR, torchvision.transforms.InterpolationMode.BICUBIC):
        raise BadSpec(f"{owner}: torchvision resizes with {how}, which is neither bilinear nor bicubic")
    (size,), (resize,) = transform.crop_size, transform.resize_size
    return Preprocess(size, resize, tuple(transform.mean), tuple(transform.std), how.value)


def _weights_of(name: str, tag: str, owner: str) -> Any:
    import torchvision

    weights = torchvision.models.get_model_weights(name)
    wanted = tag or _DEFAULT
    if wanted not in weights.__members__:
        raise BadSpec(f"{owner}: {UnknownName(f'weights of torchvision {name}', wanted, weights.__members__)}")
    return weights[wanted]


def _identity(spec: ModelSpec) -> Identity:
    light = published.torch_hub_url(_weights_name(spec)) is not None
    weights = checkpoints.weights_identity(spec.file, spec.seed, _key(spec), lambda: _cached_weights(spec), light=light)
    known = dict(encoders.versions("torchvision", "torch", "pillow"))
    return Identity(weights, spec.architecture(), "before the last linear layer", None, known)


def _weights_name(spec: ModelSpec) -> str:
    return f"torchvision:{spec.name}:{spec.tag or _DEFAULT}"


def _key(spec: ModelSpec) -> str:
    return f"torchvision {spec.name} {spec.tag} {encoders.versions('torchvision')}"


def _load(spec: ModelSpec) -> Encoder:
    path = specs.weights_file(spec, lambda: _cached_weights(spec)) if spec.seed is None else None
    import torch

    owner = f"model {str(spec)!r}"
    with torch.random.fork_rng(devices=[]):
        if spec.seed is not None:
            torch.manual_seed(spec.seed)
        module = build(spec.name, owner)
    head, dim = cut_head(module, owner)
    named: checkpoints.StateDict = {}
    preprocess = preprocess_of(spec.name, spec.tag, owner)
    if path is not None:
        whole = checkpoints.read_tensors(path, spec.option("inside"))
        _check_normaliser(whole, preprocess, path, owner)
        named = checkpoints.below(whole, spec.option("prefix"), path)
        state = checkpoints.without(named, head)
        spare = spec.option("spare") == "1"
        load_strictly(module, state, path, f"torchvision {spec.name}", spare=spare)
    preprocess = specs.adjusted(preprocess, spec)
    encoder = encoders.image_encoder(module, preprocess, dim, layers=layers_of(module))
    if spec.option("head"):
        encoder.head = _own_head(named, head, owner)
    return specs.checked(spec, encoder)


def _own_head(state: checkpoints.StateDict, head: str, owner: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The last layer in a file, weight ``[1000, d]`` and bias ``[1000]``; raises BadSpec where it is not there."""
    weight, bias = state.get(f"{head}.weight"), state.get(f"{head}.bias")
    if weight is None or bias is None or len(weight) != _IMAGENET or len(bias) != _IMAGENET:
        found = "none" if weight is None or bias is None else f"one of {len(weight)} classes"
        raise BadSpec(
            f"{owner}: head=imagenet needs the layer {head!r} of {_IMAGENET:,} classes in the weights, found {found}; "
            "leave head= out"
        )
    return weight.float(), bias.float()


def layers_of(module: Any) -> dict[str, Layer]:
    """Hidden layers of a torchvision classifier, under torchvision's own names.

    Of a vision transformer every block (``encoder.layers.encoder_layer_0`` ...), the class token; of other networks
    the children of ``features`` or, where there is none, the network's own (``layer1`` ...), averaged over positions.
    """
    import torch

    blocks = getattr(getattr(module, "encoder", None), "layers", None)
    if isinstance(blocks, torch.nn.Sequential):
        pool = pooled_as(class_token=True, prefix_tokens=1)
        return {f"encoder.layers.{name}": Layer(block, pool) for name, block in blocks.named_children()}
    inside = getattr(module, "features", None)
    prefix, parts = ("features.", inside) if isinstance(inside, torch.nn.Sequential) else ("", module)
    last = "norm" in dict(module.named_children()) and "permute" in dict(
        module.named_children()
    )  # Swin, [b, h, w, dim]
    pool = pooled_as(channels_last=last)
    return {f"{prefix}{name}": Layer(part, pool) for name, part in parts.named_children() if name not in _HEADS}


def _check_normaliser(state: checkpoints.StateDict, preprocess: Preprocess, path: Path, owner: str) -> None:
    """A file may keep the mean and std of its training beside the network; raises BadSpec when they are not ours.

    The robustness library does, as ``normalizer.new_mean`` and ``new_std``, so that attacks act on plain pixels.
    """
    for name, ours in (("new_mean", preprocess.mean), ("new_std", preprocess.std)):
        for key, value in state.items():
            if not key.endswith(f"normalizer.{name}"):
                continue
            theirs = tuple(round(float(v), 4) for v in value.flatten())
            if len(theirs) != 3 or max(abs(a - b) for a, b in zip(theirs, ours, strict=True)) > 1e-3:
                raise BadSpec(
                    f"{owner}: {path} was trained on pixels normalised with {key} = {theirs}, and this model is fed "
                    f"with {ours}; such a network needs from_module and a Preprocess of its own"
                )


def _cached_weights(spec: ModelSpec) -> Path:
    """Torch hub's copy of the named weights, or MissingAsset with the address that torchvision publishes."""
    owner = f"model {str(spec)!r}"
    url = published.torch_hub_url(_weights_name(spec)) or _weights_of(spec.name, spec.tag, owner).url
    path = checkpoints.torch_hub_file(url)
    if not path.is_file():
        raise MissingAsset(
            f"{owner}: the weights are not at {path}; put {url} there, or name a file: torchvision:{spec.name}@FILE"
        )
    checkpoints.remember_place(_key(spec), path)
    return path


SOURCES.add(
    ModelSource(
        "torchvision",
        "torchvision:NAME[:WEIGHTS][@FILE]",
        entry,
        options={"": IMAGE_OPTIONS | WEIGHT_OPTIONS | {"head"}},
        values={"head": choice("imagenet")},
        tagged=True,
    )
)
