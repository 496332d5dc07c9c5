"""Vision encoders of transformers: one pooled vector an image, as the library itself pools it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec
from mmbench.models import encoders, specs
from mmbench.models.entry import Encoder, Preprocess
from mmbench.models.image_processors import preprocess_of
from mmbench.models.reading import Read, read_module
from mmbench.models.sources import ModelSpec

if TYPE_CHECKING:
    import torch

_CLASS_TOKENS = ("cls_token", "class_embedding", "class_token")
_NEITHER = "class token, and no pooler with weights"
_FIRST_TOKENS = (*_CLASS_TOKENS, "distillation_token", "register_tokens")


def load_image(folder: Path, spec: ModelSpec, owner: str) -> Encoder:
    """A vision encoder from a local folder.

    ``pool`` is ``pooler`` (what the library returns as pooled output, and for a model of two towers, such as CLIP and
    SigLIP, its ``get_image_features``), ``cls`` (the class token of the last hidden state) or ``mean`` (over its
    patches, without class, distillation and register tokens). The default is ``pooler``, and ``cls`` where the file
    holds no weights of a pooler. Raises BadSpec for a pooling that the model does not have, for a size that it does not
    take, and for a model whose output is random.
    """
    read = read_module(folder, owner)
    preprocess = specs.adjusted(preprocess_of(folder, owner), spec)
    if spec.option("pool") == "last":
        raise BadSpec(f"{owner}: pool=last is of texts; an image encoder has pooler, cls and mean")
    features = _features(read, spec.option("pool"), _size_words(read.module, preprocess), owner)
    dim = _tried(read.module, features, preprocess.size, owner)
    return encoders.image_encoder(read.module, preprocess, dim, features)


def _size_words(module: Any, preprocess: Preprocess) -> dict[str, bool]:
    """What makes the network take images of another size than its config says, where it can."""
    config = getattr(module.config, "vision_config", module.config)
    call = getattr(module, "get_image_features", module.forward)
    if getattr(config, "image_size", None) in (None, preprocess.size):
        return {}
    return (
        {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in inspect.signature(call).parameters else {}
    )


def _features(read: Read, pool: str, words: dict[str, bool], owner: str) -> Callable[[torch.Tensor], torch.Tensor]:
    module = read.module
    if callable(getattr(module, "get_image_features", None)):
        if pool not in ("", "pooler"):
            raise BadSpec(
                f"{owner}: this model of two towers gives get_image_features, its joint embedding; leave pool= out"
            )

        def joint(batch: torch.Tensor) -> torch.Tensor:
            found = module.get_image_features(pixel_values=batch, **words)
            return found if hasattr(found, "shape") else found.pooler_output

        return joint
    return lambda batch: _pooled(read, module(pixel_values=batch, **words), pool, owner)


def _pooled(read: Read, out: Any, pool: str, owner: str) -> torch.Tensor:
    """``[batch, dim]`` of the output of one tower."""
    hidden = getattr(out, "last_hidden_state", None)
    own = getattr(out, "image_embeds", None)  # of a tower with its last matrix
    if own is None and read.pooler:
        own = getattr(out, "pooler_output", None)
    first = _first_tokens(read.module) if hidden is not None and hidden.ndim == 3 else {}
    has_class = bool(set(first) & set(_CLASS_TOKENS))
    if pool == "pooler" and own is None:
        ways = "?pool=cls or ?pool=mean" if has_class else "?pool=mean"
        raise BadSpec(f"{owner}: the model has no pooler, or its file no weights of one; use {ways}")
    if own is not None and pool in ("", "pooler"):
        return own.flatten(1)
    if hidden is None:
        raise BadSpec(f"{owner}: the model gives no last hidden state; it is no encoder of images")
    if pool == "mean":
        return hidden.mean(dim=(2, 3)) if hidden.ndim == 4 else hidden[:, sum(first.values()) :].mean(dim=1)
    if not has_class:
        lacking, ways = ("class token", "?pool=pooler or ?pool=mean") if own is not None else (_NEITHER, "?pool=mean")
        raise BadSpec(f"{owner}: the model has no {lacking}; use {ways}")
    return hidden[:, 0]


def _first_tokens(module: Any) -> dict[str, int]:
    """How many tokens of each kind stand before the patches."""
    found = {}
    for name, value in module.named_parameters():
        leaf = name.rpartition(".")[2]
        if leaf in _FIRST_TOKENS:
            found[leaf] = int(value.shape[1]) if value.ndim == 3 else 1
    return found


def _tried(module: Any, features: Callable[[torch.Tensor], torch.Tensor], side: int, owner: str) -> int:
    """The width of the features of one image of noise; raises BadSpec where that fails or two tries differ."""
    import torch

    module.eval()
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        try:
            one, other = features(image), features(image)
        except BadSpec:
            raise
        except Exception as error:  # whatever a network of others raises at an input that it does not take
            why = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BadSpec(f"{owner}: the network takes no images of {side} x {side} pixels ({why[:200]})") from error
    if one.ndim != 2:
        raise BadSpec(f"{owner}: the model gives shape {list(one.shape)} and not features of shape [batch, dim]")
    if not torch.allclose(one, other, rtol=1e-3, atol=1e-4):
        raise BadSpec(
            f"{owner}: the model gives one image different features each time (a masked autoencoder in the form in "
            "which it is trained hides patches at random); use the encoder alone, or a config with mask_ratio 0"
        )
    return int(one.shape[1])
