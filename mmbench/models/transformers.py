"""``transformers:DIR_OR_ID[#image]``: a text encoder, or with ``#image`` a vision encoder, of the transformers library.

A folder of a causal language model with its head is a generator too; of the options ``dim`` and ``sha256`` count there.

DIR is a folder with config, weights and tokenizer (absolute, or relative to $MMBENCH_WEIGHTS); ID a model that the
local hub cache holds. No code of a model repository is run, and nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset, MissingExtra
from mmbench.models import checkpoints, encoders, generators, specs
from mmbench.models.entry import Encoder, GeneratorEntry, Identity, ModelEntry, Preprocess
from mmbench.models.sources import IMAGE_OPTIONS, SOURCES, TEXT_OPTIONS, ModelSource, ModelSpec
from mmbench.models.spans import SpanLayers

if TYPE_CHECKING:
    import torch

_TEXT = TEXT_OPTIONS | {"dim", "sha256"}
_BYTE = 1 / 255
_TOKENS = 512  # where neither tokenizer nor config states a limit
_SPARE = ("pooler.", "embeddings.position_ids")  # may be missing: no pooling of ours reads them
_HEADS = ("cls.", "lm_head", "classifier.", "qa_outputs.", "vocab_", "pooler.", "score.", "position_ids")
_HEAD_STARTS = ("layernorm.",)  # BEiT's masked-image head begins with a norm of its own, behind the last hidden state


def entry(spec: ModelSpec) -> ModelEntry:
    """The entry of a ``transformers:`` specification; see ``mmbench.models.specs`` for its options."""
    if spec.file:
        raise BadSpec(f"model {str(spec)!r}: name the folder, transformers:DIR; it holds config, weights and tokenizer")
    image = spec.tower == "image"
    return specs.entry_of(
        spec,
        _load,
        _identity,
        f"transformers {spec.name}",
        modality="image" if image else "text",
        raw=specs.raw_of(spec, entry) if image else None,
        generator=None if image else GeneratorEntry(lambda: _load_generator(spec), lambda: _generator_identity(spec)),
        spans=not image and not spec.option("token") and spec.option("unit") != "1",
    )


def folder_of(name: str) -> Path | None:
    """The model's folder: a local one, else the local hub cache's snapshot, else None."""
    local = checkpoints.weights_path(name)
    if (local / "config.json").is_file():
        return local
    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        return None
    config = checkpoints.hub_file(name, ("config.json",))
    return config.parent if config else None


def load_text(
    folder: Path, owner: str, *, pool: str, token: int | None = None, max_length: int = 0, unit: bool = False
) -> Encoder:
    """A text encoder from a local folder.

    ``pool`` is ``mean`` over tokens, ``cls`` or ``last``; ``token`` takes one token of the text instead, counted from
    0 behind the marks at the front (reading D-08b of devillers2021: 4 in "a photo of a tench"). Texts are cut at
    ``max_length`` tokens (0: the tokenizer's own limit). ``unit`` divides each row by its length. Without ``token`` and
    ``unit``, and with a tokenizer that knows its tokens' offsets, it gives a marked part of a text too.
    """
    import torch

    module = _module(folder, owner)
    tokenizer = _tokenizer(folder, owner)
    spans = SpanLayers(int(module.config.hidden_size)) if token is None and not unit and tokenizer.is_fast else None
    if tokenizer.pad_token is None:  # GPT-2 has none; the mask keeps padding out of every pooling
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    own = min(tokenizer.model_max_length, getattr(module.config, "max_position_embeddings", None) or _TOKENS)
    limit = min(max_length, own) if max_length else own

    def features(texts: list[str]) -> torch.Tensor:
        options = {"padding": True, "truncation": True, "max_length": limit, "return_tensors": "pt"}
        # plain strings: a tokenizer may look at a text's type
        extra = {"return_special_tokens_mask": True, "return_offsets_mapping": bool(spans)}
        batch = tokenizer([str(text) for text in texts], **extra, **options).to(encoders.device_of(module))
        special, offsets = batch.pop("special_tokens_mask"), batch.pop("offset_mapping", None)
        hidden, mask = module(**batch).last_hidden_state, batch["attention_mask"]
        if spans and spans.wanted:
            spans.record(hidden, offsets.tolist(), texts)
        if token is None:
            rows = encoders.pooled(hidden, mask, pool)
        else:
            rows = encoders.at_token(hidden, special, mask, token, texts)
        return torch.nn.functional.normalize(rows, dim=1) if unit else rows

    return encoders.text_encoder(module, int(module.config.hidden_size), features, spans)


def load_generator(folder: Path, owner: str) -> generators.Generator:
    """A generator from a local folder.

    Raises BadSpec for a model that is no causal language model (an encoder, or one that reads in both directions), and
    CorruptAsset when its head or other weights are missing.
    """
    module = _module(folder, owner, "AutoModelForCausalLM").float().eval()
    tokenizer = _tokenizer(folder, owner)
    own = module.generation_config.eos_token_id
    ends = tuple(own) if isinstance(own, list) else (own,) if own is not None else (tokenizer.eos_token_id,)
    if ends == (None,):
        raise BadSpec(f"{owner}: {folder} states no eos_token_id, so no text would end")
    if _sees_what_follows(module):
        raise BadSpec(
            f"{owner}: {folder} reads in both directions; a generator is a causal language model, as GPT-2 is"
        )
    return generators.from_transformers(
        module,
        encode=lambda text: tokenizer.encode(text, add_special_tokens=False),
        decode=lambda tokens: tokenizer.decode(tokens, skip_special_tokens=True),
        ends=ends,
        room=int(getattr(module.config, "max_position_embeddings", None) or _TOKENS),
        start=() if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,),
    )


def _sees_what_follows(module: Any) -> bool:
    import torch

    with torch.inference_mode():
        one, other = module(input_ids=torch.tensor([[0, 1], [0, 2]])).logits[:, 0]
    return not torch.allclose(one, other, atol=1e-5)


def load_image(folder: Path, spec: ModelSpec, owner: str) -> Encoder:
    """A vision encoder from a local folder: ``cls`` token by default, or the ``mean`` over tokens."""
    module = _module(folder, owner)
    preprocess = specs.adjusted(preprocess_of(folder, owner), spec)
    pool = spec.option("pool", "cls")

    def features(batch: torch.Tensor) -> torch.Tensor:
        hidden = module(pixel_values=batch).last_hidden_state
        if hidden.ndim == 4:  # a convolutional network's [batch, dim, height, width]
            return hidden.mean(dim=(2, 3))
        return hidden[:, 0] if pool == "cls" else hidden.mean(dim=1)

    sizes = getattr(module.config, "hidden_sizes", None)
    dim = int(sizes[-1] if sizes else module.config.hidden_size)
    return encoders.image_encoder(module, preprocess, dim, features)


def preprocess_of(folder: Path, owner: str) -> Preprocess:
    """The preprocessing that ``preprocessor_config.json`` states.

    Raises BadSpec when it is not a crop or a squash to a square, CorruptAsset when the file cannot be read or states
    no mean and std.
    """
    path = checkpoints.require_file(folder / "preprocessor_config.json", owner)
    config = _processor(path, owner)
    how = {2: "bilinear", 3: "bicubic"}.get(config.get("resample", 2))
    if how is None or not config.get("do_resize", True):
        raise BadSpec(f"{owner}: {path} resizes with resample={config.get('resample')}; only 2 and 3 are read")
    size, resize, fit = _fit(config, path, owner)
    mean, std = _normalisation(config, path, owner)
    try:
        return Preprocess(size, resize, mean, std, how, fit)  # type: ignore[arg-type]
    except BadSpec as error:
        raise BadSpec(f"{owner}: {path} cannot be followed: {error}") from error


def _processor(path: Path, owner: str) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise CorruptAsset(f"{owner}: {path} is no JSON ({error}); fetch it again") from error
    if not isinstance(config, dict):
        raise CorruptAsset(f"{owner}: {path} holds a {type(config).__name__} and no image processor; fetch it again")
    return config


def _fit(config: dict[str, Any], path: Path, owner: str) -> tuple[int, int, str]:
    """Size, resize and fit; a ``size`` of height and width is a squash, and must be square as features are."""
    size, crop = config.get("size", 224), config.get("crop_size")
    sides = size if isinstance(size, dict) else {"height": size, "width": size}
    short = sides.get("shortest_edge")
    if short and config.get("do_center_crop", True):
        cut = crop if isinstance(crop, dict) else {"height": crop or short, "width": crop or short}
        if cut.get("height") == cut.get("width"):
            return cut["height"], short, "crop"
    elif sides.get("height") and sides["height"] == sides.get("width") and not config.get("do_center_crop"):
        return sides["height"], sides["height"], "squash"
    raise BadSpec(
        f"{owner}: {path} has size={size} and crop_size={crop}: neither a centre crop nor a squash to a square"
    )


def _normalisation(config: dict[str, Any], path: Path, owner: str) -> tuple[Any, Any]:
    """Mean and std of pixels in [0, 1], to which they are scaled first."""
    factor = config.get("rescale_factor", _BYTE) if config.get("do_rescale", True) else 1
    if not isinstance(factor, int | float) or abs(factor / _BYTE - 1) > 1e-3:
        raise BadSpec(f"{owner}: {path} scales bytes by {factor}; only 1/255, to pixels in [0, 1], is read")
    if not config.get("do_normalize", True):
        return (0.0,) * 3, (1.0,) * 3
    rows = [config.get("image_mean"), config.get("image_std")]
    if not all(isinstance(row, list) for row in rows):
        raise CorruptAsset(
            f"{owner}: {path} normalises, with image_mean={rows[0]} and image_std={rows[1]}; give three numbers each, "
            "as the weights were trained"
        )
    return tuple(rows[0]), tuple(rows[1])  # type: ignore[arg-type]


def _tokenizer(folder: Path, owner: str) -> Any:
    with quiet_reading(folder, owner):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _folder(spec: ModelSpec, owner: str) -> Path:
    """The model's folder, its weights of the digest that ``spec`` states; raises MissingAsset, CorruptAsset."""
    folder = folder_of(spec.name)
    if folder is None:
        raise MissingAsset(
            f"{owner}: neither {checkpoints.weights_path(spec.name)} nor the local hub cache holds it; fetch it with: "
            f"hf download {spec.name}, or name a folder: transformers:DIR"
        )
    _check_digest(folder, spec.option("sha256"), owner)
    return folder


def _load_generator(spec: ModelSpec) -> generators.Generator:
    owner = f"model {str(spec)!r}"
    found = load_generator(_folder(spec, owner), owner)
    specs.require_width(spec, found.dim)
    return found


def _load(spec: ModelSpec) -> Encoder:
    owner = f"model {str(spec)!r}"
    folder = _folder(spec, owner)
    if spec.tower == "image":
        return specs.checked(spec, load_image(folder, spec, owner))
    options = {"max_length": spec.number("max_length"), "unit": spec.option("unit") == "1"}
    token = spec.number("token") if spec.option("token") else None
    encoder = load_text(folder, owner, pool=spec.option("pool", "mean"), token=token, **options)  # type: ignore[arg-type]
    return specs.checked(spec, encoder)


def _identity(spec: ModelSpec) -> Identity:
    known = dict(encoders.versions("transformers", "tokenizers", "torch", "pillow"))
    pool = spec.option("pool", "cls" if spec.tower == "image" else "mean")
    layer = f"token {spec.option('token')}" if spec.option("token") else pool
    # the folder's content is in the digest, so the name of the folder is left out
    options = "&".join(f"{key}={value}" for key, value in spec.options if key not in ("dim", "sha256"))
    architecture = f"transformers {spec.tower or 'text'} {options}".strip()
    return Identity(_weights(spec), architecture, f"{layer} of the last layer", None, known)


def _generator_identity(spec: ModelSpec) -> Identity:
    known = dict(encoders.versions("transformers", "tokenizers", "torch"))
    return Identity(_weights(spec), "transformers causal language model", "next token", None, known)


def _weights(spec: ModelSpec) -> str | None:
    """A digest of the files of the model's folder, tokenizer included; None when it is not here."""
    folder = folder_of(spec.name)
    files = _files(folder) if folder else []
    return checkpoints.folder_digest(files) if any(p.suffix in (".safetensors", ".bin") for p in files) else None


def _check_digest(folder: Path, stated: str, owner: str) -> None:
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if stated and len(files) != 1:
        raise BadSpec(f"{owner}: sha256= is of one file of weights, and {folder} has {len(files)}")
    if stated:
        checkpoints.check_digest(files[0], stated, owner)


def _files(folder: Path) -> list[Path]:
    kinds = {".json", ".txt", ".model", ".safetensors", ".bin"}
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in kinds)


def _module(folder: Path, owner: str, kind: str = "AutoModel") -> Any:
    """The model in ``folder`` with every one of its weights found; else raises CorruptAsset naming the first.

    ``kind`` is transformers' class: the base model, whose file may hold heads besides, or a model with its head.
    """
    for path in folder.glob("*.safetensors"):
        checkpoints.check_page(path)
    if not any(folder.glob("*.safetensors")):
        for path in folder.glob("pytorch_model*.bin"):
            checkpoints.read_state_dict(path)  # refused here, with our words, when it holds more than tensors
    with quiet_reading(folder, owner):
        import transformers

        options = {"output_loading_info": True, "ignore_mismatched_sizes": True}
        module, report = getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
    if shapes := sorted(str(item[0]) for item in report["mismatched_keys"]):
        raise BadSpec(f"{owner}: {folder} does not fit its config.json: {', '.join(shapes[:3])} differ in shape")
    missing = [key for key in sorted(report["missing_keys"]) if not key.startswith(_SPARE)]
    if missing:
        raise CorruptAsset(f"{owner}: {folder} lacks weights that its config.json asks for: {', '.join(missing[:3])}")
    extra = [
        key
        for key in sorted(report["unexpected_keys"])
        if not any(head in key for head in _HEADS) and not key.startswith(_HEAD_STARTS)
    ]
    if extra:
        raise CorruptAsset(f"{owner}: {folder} has weights that its config.json does not use: {', '.join(extra[:3])}")
    return module


@contextlib.contextmanager
def quiet_reading(place: Path, owner: str, extra: str = "embedded") -> Iterator[None]:
    """Import and run transformers without its progress bars; raises CorruptAsset for what it cannot read."""
    from safetensors import SafetensorError

    try:
        import transformers
        from transformers.utils import logging
    except ImportError:
        raise MissingExtra("transformers", extra, owner) from None
    level, bars = transformers.logging.get_verbosity(), logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CorruptAsset(f"{owner}: transformers cannot read {place} ({why})") from error
    finally:
        transformers.logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


SOURCES.add(
    ModelSource(
        "transformers",
        "transformers:DIR_OR_ID[#image]",
        entry,
        options={"": _TEXT, "text": _TEXT, "image": IMAGE_OPTIONS | {"pool", "dim", "sha256"}},
    )
)
