"""Read folders with transformers: quietly, without a network, without foreign code, with its errors in our words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbench.errors import BadSpec, CorruptAsset, MissingExtra, MMBenchError
from mmbench.models import checkpoints
from mmbench.models.configs import read_config

_POOLER = "pooler."
_SPARE = (_POOLER, "embeddings.position_ids")  # may be missing: a pooler is not used then
_HEADS = ("cls.", "lm_head", "classifier.", "qa_outputs.", "vocab_", "pooler.", "score.", "position_ids")
_HEAD_STARTS = ("layernorm.",)  # BEiT's masked-image head begins with a norm of its own, behind the last hidden state
_ENCODER, _WITH_DECODER = "EncoderModel", ("ForConditionalGeneration", "Model")  # ends of its names: T5EncoderModel
_WITH_PROJECTION = "WithProjection"  # transformers' name for one tower of a pair with its last matrix
_JSON_BYTES = 128_000_000  # a tokenizer.json of 250,000 tokens has about a quarter of it


@contextlib.contextmanager
def hub_offline() -> Iterator[None]:
    """While this is open, the hub's client reads its cache only and asks no network, whatever the environment says."""
    try:
        from huggingface_hub import constants
    except ImportError:
        yield
        return
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def quiet_reading(place: Path, owner: str, extra: str = "embedded") -> Iterator[None]:
    """Import and run transformers without its progress bars, asking no network.

    Raises MissingExtra without the library, and CorruptAsset for what it cannot read: whatever it raises at files that
    it did not expect, among it its own ImportError for packages that a config asks for.
    """
    try:
        import transformers
        from transformers.utils import logging
    except ImportError:
        raise MissingExtra("transformers", extra, owner) from None
    level, bars = transformers.logging.get_verbosity(), logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with hub_offline():
            yield
    except MMBenchError:
        raise
    except Exception as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CorruptAsset(f"{owner}: transformers cannot read {place} ({why[:300]})") from error
    finally:
        transformers.logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@dataclass(frozen=True)
class Read:
    """A model of transformers with all its weights; ``pooler`` says that those of its pooler were in the file too.

    ``encoder`` says that it is the encoder of a model that has a decoder too (T5), which pools nothing itself.
    """

    module: Any
    pooler: bool
    encoder: bool = False


def read_module(folder: Path, owner: str, kind: str = "AutoModel") -> Read:
    """The model in ``folder`` with every one of its weights found.

    ``kind`` is transformers' class: the base model, whose file may hold heads besides, or a model with its head. Of an
    encoder and a decoder for which transformers has the encoder alone (``T5EncoderModel``), that is read. Raises
    CorruptAsset naming the first weight that is missing or left over, and BadSpec for a config that asks for what is
    not done here: foreign code, quantised weights, weights of other shapes.
    """
    _check_files(folder)
    config = _config(folder, owner)
    stated = next(iter(config.get("architectures") or ()), "")
    with quiet_reading(folder, owner):
        import transformers

        if kind == "AutoModel" and str(stated).endswith(_WITH_PROJECTION) and hasattr(transformers, str(stated)):
            kind = str(stated)
        alone = _encoder_of(str(stated)) if kind == "AutoModel" else ""
        found = getattr(transformers, alone, None) if alone else None
        if found is None or hasattr(found, "get_text_features"):  # "DualEncoder": two towers
            alone = ""
        kind = alone or kind
        module, report = getattr(transformers, kind).from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    if shapes := sorted(str(item[0]) for item in report["mismatched_keys"]):
        raise BadSpec(f"{owner}: {folder} does not fit its config.json: {', '.join(shapes[:3])} differ in shape")
    lost = sorted(report["missing_keys"])
    if missing := [key for key in lost if not key.startswith(_SPARE)]:
        raise CorruptAsset(f"{owner}: {folder} lacks weights that its config.json asks for: {', '.join(missing[:3])}")
    extra = [
        key
        for key in sorted(report["unexpected_keys"])
        if not any(head in key for head in _HEADS) and not key.startswith(_HEAD_STARTS)
        if not (kind == alone and key.startswith("decoder."))
    ]
    if extra:
        raise CorruptAsset(f"{owner}: {folder} has weights that its config.json does not use: {', '.join(extra[:3])}")
    return Read(module, pooler=not any(key.startswith(_POOLER) for key in lost), encoder=kind == alone)


def _encoder_of(stated: str) -> str:
    """transformers' name of the encoder alone of what a config calls its architecture: ``T5EncoderModel``."""
    if stated.endswith(_ENCODER):
        return stated
    name = next((stated.removesuffix(end) for end in _WITH_DECODER if stated.endswith(end)), "")
    return f"{name}{_ENCODER}" if name else ""


def _check_files(folder: Path) -> None:
    """Refuse pages, files that hold more than tensors, and sizes that no model has, before the library opens them."""
    for path in folder.glob("*.json"):
        if not path.is_file() or path.stat().st_size > _JSON_BYTES:
            raise CorruptAsset(f"{path} is no plain file of at most {_JSON_BYTES:,} bytes; fetch it again")
    for path in (*folder.glob("*.safetensors"), *folder.glob("*.bin")):
        if not path.is_file():  # a FIFO would be waited for
            raise CorruptAsset(f"{path} is no plain file; fetch it again")
    for path in folder.glob("*.safetensors"):
        checkpoints.check_page(path)
        checkpoints.check_header(path)
    if not any(folder.glob("*.safetensors")):
        for path in folder.glob("pytorch_model*.bin"):
            checkpoints.read_state_dict(path)  # refused here, with our words, when it holds more than tensors


def _config(folder: Path, owner: str) -> dict[str, Any]:
    """The folder's ``config.json``; raises BadSpec where it, or a config beside it, asks for what is not done here."""
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json"):
        path = folder / name
        if path.is_file():
            _check_requests(read_config(path, owner), path, owner)
    return read_config(folder / "config.json", owner) if (folder / "config.json").is_file() else {}


def _check_requests(config: Mapping[str, Any], path: Path, owner: str) -> None:
    if config.get("auto_map"):
        raise BadSpec(
            f"{owner}: {path} asks for code of its own repository (auto_map), which is never run; where transformers "
            "has the model itself, take auto_map out of a copy, else wrap the model (python:MODULE:NAME)"
        )
    if config.get("quantization_config"):
        raise BadSpec(
            f"{owner}: {path} asks for quantised weights (quantization_config), which are not read; save them dense"
        )
    for key, value in config.items():
        if "implementation" in key and "/" in str(value):
            raise BadSpec(f"{owner}: {path} asks for code from the hub ({key}={value}), which is never run; remove it")
        if isinstance(value, dict) and key.endswith("_config"):
            _check_requests(value, path, owner)
