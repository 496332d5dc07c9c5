"""What open_clip says of a model: its network, its tag, the preprocessing, the config beside its weights."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from mmbench.errors import BadSpec, MissingAsset, MissingExtra, UnknownName
from mmbench.models.configs import HUB, LOCAL, Placed, placed, read_config
from mmbench.models.entry import Preprocess
from mmbench.models.sources import ModelSpec

HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_CONFIG = "open_clip_config.json"
_FED = ("mean", "std", "interpolation", "resize_mode", "fill_color")  # of a preprocessing; the network has the size
_NOT_NETWORK = (  # the activation is compared apart, since a tag decides it too
    "quick_gelu",
    "hf_tokenizer_name",
    "tokenizer_kwargs",
    "hf_model_pretrained",
    "timm_model_pretrained",
)


def library(spec: ModelSpec) -> Any:
    if find_spec("open_clip") is None:
        raise MissingExtra("open_clip", "openclip", f"model {str(spec)!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its dependencies, at import
        import open_clip
    return open_clip


def placed_of(spec: ModelSpec) -> Placed:
    return placed(spec, _CONFIG, HUB_NAMES)


def tag_of(spec: ModelSpec) -> str:
    """The tag of published weights; behind ``local-dir`` and ``hf-hub`` stands a place instead."""
    return "" if spec.name in (LOCAL, HUB) else spec.tag


def tag_config(spec: ModelSpec) -> dict[str, Any]:
    open_clip = library(spec)
    if spec.name not in open_clip.list_models():
        raise UnknownName("open_clip architecture", spec.name, open_clip.list_models())
    config = open_clip.get_pretrained_cfg(spec.name, spec.tag)
    if not config:
        known = open_clip.list_pretrained_tags_by_model(spec.name)
        raise UnknownName(f"weights of open_clip {spec.name}", spec.tag, known)
    return config


def network(spec: ModelSpec, place: Placed) -> dict[str, Any]:
    """What describes the network: open_clip's own of ARCH, or the config's; raises BadSpec where the two differ."""
    owner, open_clip = f"model {str(spec)!r}", library(spec)
    stated: Any = read_config(place.config, owner).get("model_cfg") if place.config else None
    if place.config and not (isinstance(stated, dict) and {"vision_cfg", "text_cfg"} <= set(stated)):
        raise BadSpec(f"{owner}: {place.config} has no model_cfg with vision_cfg and text_cfg, as open_clip writes it")
    if stated and "trust_remote_code" in (stated["text_cfg"].get("tokenizer_kwargs") or {}):
        raise BadSpec(f"{owner}: {place.config} asks for trust_remote_code, and foreign code is never run; remove it")
    if place.whole:
        return stated
    own = open_clip.get_model_config(spec.name)
    if own is None:
        raise UnknownName("open_clip architecture", spec.name, open_clip.list_models())
    ours, theirs = _flat(own), _flat(stated or {})
    differ = sorted(key for key in ours | theirs if ours.get(key) != theirs.get(key))
    if own.get("quick_gelu") and not (stated or own).get("quick_gelu"):
        differ.append("quick_gelu")
    if own.get("quick_gelu") and not (stated or own).get("quick_gelu"):
        differ.append("quick_gelu")
    if stated and differ:
        shown = ", ".join(f"{key}={theirs.get(key)}" for key in differ[:3])
        raise BadSpec(
            f"{owner}: {place.config} describes another network than {spec.name} ({shown}); write "
            f"open_clip:{LOCAL}:{place.config.parent}, or move the file away if it is of other weights"  # type: ignore[union-attr]
        )
    return own | {"quick_gelu": stated.get("quick_gelu", False)} if stated else own


def _flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The settings that decide a network, by dotted name."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and key not in _NOT_NETWORK:
            found |= _flat(value, f"{above}{key}.")
        elif key not in _NOT_NETWORK:
            found[above + key] = value
    return {key: value for key, value in found.items() if value not in (None, False)}


def preprocess_of(spec: ModelSpec, module: Any) -> Preprocess:
    """The preprocessing open_clip states for this model, its tag or the config beside its weights.

    Raises BadSpec where tag and config differ, and for images that are not square.
    """
    owner, config = f"model {str(spec)!r}", dict(module.visual.preprocess_cfg)
    place, tagged = placed_of(spec), tag_config(spec) if tag_of(spec) else {}
    stated: Any = (read_config(place.config, owner).get("preprocess_cfg") or {}) if place.config else {}
    for key in _FED:
        of_tag, of_file = (_plain(part.get(key)) for part in (tagged, stated))
        if of_tag is not None and of_file is not None and of_tag != of_file:
            raise BadSpec(
                f"{owner}: {spec.tag} was trained with {key}={of_tag}, and {place.config} says {of_file}; leave the "
                "tag out, or move that file away if it is of other weights"
            )
        config[key] = next(value for value in (of_file, of_tag, _plain(config[key])) if value is not None)
    size = config["size"]
    side = size if isinstance(size, int) else size[0]
    fit = {"shortest": "crop", "squash": "squash", "longest": "border"}.get(config["resize_mode"])
    if fit is None or (not isinstance(size, int) and len(set(size)) > 1):
        raise BadSpec(
            f"{owner}: open_clip feeds it with {config}; only square images are read: a crop, a squash or a border"
        )
    fill = (int(config["fill_color"]),) * 3
    try:
        return Preprocess(side, side, config["mean"], config["std"], config["interpolation"], fit, fill=fill)  # type: ignore[arg-type]
    except BadSpec as error:
        raise BadSpec(f"{owner}: {place.config or 'open_clip'} cannot be followed: {error}") from error


def _plain(value: Any) -> Any:
    """A setting, comparable: JSON has lists where open_clip has tuples."""
    return tuple(value) if isinstance(value, list) else value


@contextlib.contextmanager
def without_root_log() -> Iterator[None]:
    def mute(record: logging.LogRecord) -> bool:
        return False

    logging.getLogger().addFilter(mute)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(mute)


@contextlib.contextmanager
def said(spec: ModelSpec, config: Mapping[str, Any]) -> Iterator[None]:
    """What open_clip does not find in the hub's cache is a missing asset; raises MissingAsset, BadSpec."""
    text, owner = config["text_cfg"], f"model {str(spec)!r}"
    try:
        yield
    except OSError as error:
        names = [str(text[key]) for key in ("hf_model_name", "hf_tokenizer_name") if text.get(key)]
        if not names:
            raise
        fetch = " and ".join(
            f"hf download {name} --include '*.json' '*.model' '*.txt'" for name in dict.fromkeys(names)
        )
        raise MissingAsset(
            f"{owner}: its text tower needs config and tokenizer of {' and '.join(dict.fromkeys(names))}, which are "
            f"not in the local hub cache; fetch them with: {fetch}"
        ) from error
    except (RuntimeError, ValueError, KeyError, TypeError, AssertionError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadSpec(f"{owner}: open_clip cannot build it ({why[:300]})") from error
